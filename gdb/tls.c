/* Thread-local variables, as glibc keeps them. */
#include "gdb/program.h"

#include "event/regs.h"
#include "replayer/target_sym.h"
#include "sym/sym.h"

#define TCB_DTV 8u /* of the thread control block that fs points to */
#define DTV_SLOT 16u

struct reading {
	struct gdb_server *s;
	uint32_t task;
};

static int64_t
read_memory(void *ctx, uint64_t addr, void *out, size_t n)
{
	struct reading *r = ctx;

	return r->s->t->ops->read(r->s->t, r->task, addr, out, n);
}

static int
symbol_address(struct gdb_server *s, uint32_t task, const char *name,
	       uint64_t *out, struct err *err)
{
	struct reading r = { s, task };
	struct sym_ops ops = { .read = read_memory, .ctx = &r };
	struct symbols *sym = symbols_new(&ops);
	struct target_map *maps = NULL;
	struct arena a = { 0 };
	uint64_t size;
	size_t n = 0;
	int ret;

	ret = s->t->ops->maps(s->t, task, &a, &maps, &n, err);
	if (ret == 0)
		ret = symbols_set_maps(sym, target_sym_maps(s->t, maps, n, &a),
				       n, err);
	if (ret == 0)
		ret = symbols_by_name(sym, name, out, &size, err);
	symbols_free(sym);
	arena_free(&a);
	return ret;
}

/* The module's number, kept in a part of the link map that only the C
 * library's own table for debuggers tells. */
static int
tls_module(struct gdb_server *s, uint32_t task, uint64_t lm, uint64_t *out,
	   struct err *err)
{
	uint32_t field[3]; /* bits, count, offset */
	uint64_t at;
	size_t id = 0;

	int ret = symbol_address(s, task, "_thread_db_link_map_l_tls_modid",
				 &at, err);

	if (ret < 0)
		return ret;
	if (!read_exact(s, task, at, field, sizeof(field)) ||
	    (field[0] != 64 && field[0] != 32) ||
	    !read_exact(s, task, lm + field[2], &id, field[0] / 8))
		return err_set(err, E_NOT_FOUND,
			       "the C library does not tell where it keeps "
			       "thread-local variables");
	*out = id;
	return 0;
}

int
tls_address(struct gdb_server *s, uint32_t task, uint64_t lm, uint64_t *out,
	    struct err *err)
{
	uint64_t module = 0, dtv, block;
	struct regs regs;
	int ret;

	ret = s->t->ops->regs(s->t, task, &regs, err);
	if (ret == 0)
		ret = tls_module(s, task, lm, &module, err);
	if (ret < 0)
		return ret;
	if (module == 0 || module > UINT32_MAX ||
	    !read_exact(s, task, regs.fs_base + TCB_DTV, &dtv, 8) ||
	    !read_exact(s, task, dtv + module * DTV_SLOT, &block, 8) ||
	    block == UINT64_MAX)
		return err_set(err, E_NOT_FOUND,
			       "this thread has no thread-local variables of "
			       "that module yet");
	*out = block;
	return 0;
}
