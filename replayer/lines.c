/* What symbols need to know of a replay: its mappings, files and memory. */
#include "replayer/lines.h"
#include "replayer/internal.h"

#include <string.h>

#include "replayer/target_sym.h"

struct line_space {
	struct line_space *next;
	struct replayer *r;
	uint32_t space;
	uint32_t task; /* through which its memory is read now */
	uint64_t seq;  /* its mappings were looked at after this event */
	bool told;
	struct symbols *sym;
	struct buf seen; /* the mappings, to see a change */
};

static int64_t
read_memory(void *ctx, uint64_t addr, void *out, size_t n)
{
	struct line_space *s = ctx;
	struct target *t = &s->r->target;

	return t->ops->read(t, s->task, addr, out, n);
}

static struct line_space *
find_space(struct replayer *r, uint32_t space)
{
	struct line_space *s = r->lines;

	while (s && s->space != space)
		s = s->next;
	if (s)
		return s;
	s = mem_zalloc(sizeof(*s));
	*s = (struct line_space){ .next = r->lines, .r = r, .space = space };
	s->sym =
		symbols_new(&(struct sym_ops){ .read = read_memory, .ctx = s });
	r->lines = s;
	return s;
}

static int
tell_maps(struct line_space *s, struct arena *a, struct err *err)
{
	struct target *t = &s->r->target;
	struct buf seen = { 0 };
	struct target_map *maps;
	struct sym_map *v;
	size_t n;
	int ret = t->ops->maps(t, s->task, a, &maps, &n, err);

	if (ret < 0)
		return ret;
	v = target_sym_maps(t, maps, n, a);
	for (size_t i = 0; i < n; i++) {
		buf_printf(&seen, "%lx %lx %lx %s\n", v[i].start, v[i].end,
			   v[i].offset, v[i].path ? v[i].path : "");
	}
	s->r->reseek = true;
	if (!s->told || !span_eq(buf_span(&seen), buf_span(&s->seen))) {
		ret = symbols_set_maps(s->sym, v, n, err);
		buf_free(&s->seen);
		s->seen = seen;
		seen = (struct buf){ 0 };
		s->told = ret == 0;
	}
	buf_free(&seen);
	return ret;
}

struct symbols *
lines_symbols(struct replayer *r, uint32_t task, struct err *err)
{
	const struct puppet *p = world_puppet(r->now, task);
	struct line_space *s;
	struct arena a = { 0 };
	int ret = 0;

	if (!p || !p->pid || !p->space) {
		err_set(err, E_NOT_FOUND, "task %u has no program here", task);
		return NULL;
	}
	s = find_space(r, p->space->num);
	s->task = task;
	if (!s->told || s->seq != r->now->seq)
		ret = tell_maps(s, &a, err);
	s->seq = r->now->seq;
	arena_free(&a);
	return ret < 0 ? NULL : s->sym;
}

void
lines_free(struct replayer *r)
{
	while (r->lines) {
		struct line_space *s = r->lines;

		r->lines = s->next;
		symbols_free(s->sym);
		buf_free(&s->seen);
		mem_free(s);
	}
}
