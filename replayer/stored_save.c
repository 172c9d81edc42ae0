/* A world as bytes: see stored_priv.h. */
#include "replayer/stored_priv.h"

#include "agent/abi.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/vec.h"
#include "replayer/internal.h"
#include "tracee/maps.h"
#include "tracee/ptrace.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define PAGEMAP_THERE (3ull << 62) /* present, or swapped out */
#define PAGEMAP_FILE (1ull << 61)  /* a file's, or shared */
#define PAGEMAP_GUARD (1ull << 58) /* Linux 6.15 */
#define BATCH 4096u		   /* pages looked at together: whole pieces */
#define LOOKED_AT_MAX (1ull << 40) /* bytes of one mapping */

struct saving {
	struct replayer *r;
	stored_put_fn *put;
	void *ctx;
	struct buf *out;
	/* Of one list of pieces: */
	struct buf pieces;
	uint64_t n_pieces, last;
	uint8_t page[STORED_PIECE], kept[STORED_PIECE];
};

static void
put_bytes(struct buf *b, struct span s)
{
	buf_varint(b, s.len);
	buf_put(b, s.p, s.len);
}

/* ---- contents */

static bool
is_zero(const uint8_t *p)
{
	return p[0] == 0 && memcmp(p, p + 1, STORED_PAGE - 1) == 0;
}

static void
begin_pieces(struct saving *s)
{
	buf_clear(&s->pieces);
	s->n_pieces = s->last = 0;
}

static void
end_pieces(struct saving *s)
{
	buf_varint(s->out, s->n_pieces);
	buf_put(s->out, s->pieces.p, s->pieces.len);
}

/* The pages of mask of s->page, which is at addr. zero: those that are zero
 * need not be told. */
static int
add_piece(struct saving *s, uint64_t addr, unsigned mask, bool zero,
	  struct err *err)
{
	struct blob_id id;
	size_t n = 0;
	int ret;

	for (unsigned i = 0; i < STORED_PAGES; i++) {
		const uint8_t *p = s->page + i * STORED_PAGE;

		if (!(mask >> i & 1) || (zero && is_zero(p))) {
			mask &= ~(1u << i);
			continue;
		}
		memcpy(s->kept + n, p, STORED_PAGE);
		n += STORED_PAGE;
	}
	if (mask == 0)
		return 0;
	blob_id_of(span_of(s->kept, n), &id);
	ret = s->put(s->ctx, &id, span_of(s->kept, n), err);
	buf_varint(&s->pieces, (addr - s->last) / STORED_PAGE << 4 | mask);
	buf_put(&s->pieces, id.b, sizeof(id.b));
	s->last = addr;
	s->n_pieces++;
	return ret;
}

/* Which pages of a mapping are its own: not zero, not as in the file. A page
 * of a file that was written to may be zero now, and still is its own. */
static bool
is_own(const struct vma *v, uint64_t entry)
{
	return (entry & PAGEMAP_THERE) != 0 &&
	       (v->ino == 0 || !(entry & PAGEMAP_FILE));
}

/* What a replay has brought in (agent.c): brought in again when it is wanted.
 */
static bool
is_agents(const struct space *sp, uint64_t addr)
{
	return sp->has_agent && (addr - AGENT_CODE < AGENT_CODE_LEN ||
				 (addr >= AGENT_DATA + AGENT_DATA_SHARED &&
				  addr < AGENT_DATA + AGENT_DATA_LEN));
}

static int
save_pages(struct saving *s, const struct space *sp, const struct vma *v,
	   uint64_t addr, const uint64_t *entry, size_t n, struct err *err)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < n;) {
		uint64_t at = addr + i * STORED_PAGE;
		uint64_t piece = at & ~(uint64_t)(STORED_PIECE - 1);
		unsigned mask = 0;

		for (; i < n && addr + i * STORED_PAGE < piece + STORED_PIECE;
		     i++) {
			unsigned k =
				(unsigned)((addr + i * STORED_PAGE - piece) /
					   STORED_PAGE);

			if (entry[i] & PAGEMAP_GUARD)
				return err_set(err, E_UNSUPPORTED,
					       "pages that trap (madvise) "
					       "cannot be stored");
			if (!is_own(v, entry[i]) ||
			    is_agents(sp, piece + k * STORED_PAGE))
				continue;
			if (mem_read(&sp->mem, piece + k * STORED_PAGE,
				     s->page + k * STORED_PAGE,
				     STORED_PAGE) == STORED_PAGE)
				mask |= 1u << k;
		}
		if (mask)
			ret = add_piece(s, piece, mask, v->ino == 0, err);
	}
	return ret;
}

static int
save_mapping(struct saving *s, int pagemap, const struct space *sp,
	     const struct vma *v, struct err *err)
{
	uint64_t *entry;
	int ret = 0;

	if (v->end - v->start > LOOKED_AT_MAX)
		return err_set(err, E_UNSUPPORTED,
			       "a mapping of %lu GB is too large to be stored",
			       (v->end - v->start) >> 30);
	entry = mem_alloc(BATCH * sizeof(*entry));
	for (uint64_t at = v->start; ret == 0 && at < v->end;) {
		uint64_t left = (v->end - at) / STORED_PAGE;
		size_t n = left < BATCH ? (size_t)left : BATCH;
		ssize_t want = (ssize_t)(n * sizeof(*entry));

		if (fd_pread_full(pagemap, entry, (size_t)want,
				  (off_t)(at / STORED_PAGE * sizeof(*entry))) !=
		    want)
			ret = err_errno(err, "cannot read which pages there "
					     "are");
		else
			ret = save_pages(s, sp, v, at, entry, n, err);
		at += n * STORED_PAGE;
	}
	mem_free(entry);
	return ret;
}

/* The kernel's own, which every process has. */
static bool
is_kernels(const struct vma *v)
{
	return strcmp(v->name, "[vsyscall]") == 0;
}

static int
save_pieces(struct saving *s, const struct puppet *p, const struct maps *maps,
	    struct err *err)
{
	char path[64];
	int pagemap, ret = 0;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", p->pid);
	pagemap = open(path, O_RDONLY | O_CLOEXEC);
	if (pagemap < 0)
		return err_errno(err, "cannot open %s", path);
	begin_pieces(s);
	for (size_t i = 0; ret == 0 && i < maps->len; i++) {
		if (!maps->v[i].shared && !is_kernels(&maps->v[i]))
			ret = save_mapping(s, pagemap, p->space, &maps->v[i],
					   err);
	}
	end_pieces(s);
	close(pagemap);
	return ret;
}

/* One piece of shared memory. */
static int
save_shared_piece(struct saving *s, const struct shared *sh, off_t at,
		  struct err *err)
{
	ssize_t n;

	memset(s->page, 0, sizeof(s->page));
	n = fd_pread_full(sh->fd, s->page, sizeof(s->page), at);
	return n < 0 ? err_errno(err, "cannot read shared memory")
		     : add_piece(s, (uint64_t)at, (1u << STORED_PAGES) - 1,
				 true, err);
}

static int
save_shared(struct saving *s, const struct shared *sh, struct err *err)
{
	off_t done = 0;
	int ret = 0;

	buf_varint(s->out, sh->id);
	buf_varint(s->out, sh->size);
	begin_pieces(s);
	while (ret == 0 && (uint64_t)done < sh->size) {
		off_t at = lseek(sh->fd, done, SEEK_DATA);
		off_t end = at < 0 ? at : lseek(sh->fd, at, SEEK_HOLE);

		if (end < 0)
			break; /* only a hole is left */
		at &= ~(off_t)(STORED_PIECE - 1);
		if (at < done)
			at = done;
		for (; ret == 0 && at < end; at += STORED_PIECE)
			ret = save_shared_piece(s, sh, at, err);
		done = at;
	}
	end_pieces(s);
	return ret;
}

/* ---- mappings */

/* Which mappings grow downwards, by the flags in smaps. */
static int
stacks_of(pid_t pid, struct map *out, struct err *err)
{
	char path[64], line[512];
	uint64_t start = 0, from, to;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	f = fopen(path, "re");
	if (!f)
		return err_errno(err, "cannot open %s", path);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			start = from;
		else if (strncmp(line, "VmFlags:", 8) == 0 &&
			 strstr(line, " gd"))
			map_set(out, start, (void *)1);
	}
	fclose(f);
	return 0;
}

static int
save_maps(struct saving *s, const struct maps *maps, const struct map *stacks,
	  struct err *err)
{
	buf_varint(s->out, maps->len);
	for (size_t i = 0; i < maps->len; i++) {
		const struct vma *v = &maps->v[i];
		struct map_rec m = { .start = v->start,
				     .len = v->end - v->start,
				     .prot = v->prot,
				     .flags = v->shared ? MAP_SHARED
							: MAP_PRIVATE,
				     .offset = v->offset };
		/* Without contents: is_agents. */
		bool agents = v->start - AGENT_CODE < AGENT_CODE_LEN;

		if (map_has(stacks, v->start))
			m.flags |= MAP_GROWSDOWN;
		if (v->ino && !agents && !file_of_name(v->name, &m.file) &&
		    !sharedmem_of_name(v->name, &m.shared_id))
			return err_set(err, E_UNSUPPORTED,
				       "a mapping of %s cannot be stored",
				       v->name);
		/* Its size is told by itself: mapping it is no reason to make
		 * it larger. */
		if (m.shared_id)
			m.file = m.shared_id;
		if (v->ino == 0 || agents)
			m.offset = 0;
		if (is_kernels(v))
			m.len = 0;
		buf_put(s->out, &m, sizeof(m));
	}
	return 0;
}

static int
save_space(struct saving *s, struct space *sp, struct err *err)
{
	const struct puppet *p = world_in_space(s->r->now, sp);
	struct map stacks = { 0 };
	struct arena a = { 0 };
	struct maps maps = { 0 };
	int ret;

	buf_varint(s->out, sp->num);
	buf_varint(s->out, sp->brk);
	buf_varint(s->out, sp->brk_start);
	buf_varint(s->out, (uint64_t)(sp->cpu + 1));
	buf_varint(s->out, sp->stack);
	buf_u8(s->out, sp->traps_tsc);
	put_bytes(s->out, buf_span(&sp->auxv));
	put_bytes(s->out, span_str(sp->exe ? sp->exe : ""));
	buf_varint(s->out, sp->unforked.len);
	for (size_t i = 0; i < sp->unforked.len; i++)
		buf_put(s->out, &sp->unforked.v[i], sizeof(struct range));
	ret = maps_read(p->pid, &a, &maps, err);
	if (ret == 0)
		ret = stacks_of(p->pid, &stacks, err);
	if (ret == 0)
		ret = save_maps(s, &maps, &stacks, err);
	if (ret == 0)
		ret = save_pieces(s, p, &maps, err);
	map_free(&stacks);
	arena_free(&a);
	return ret;
}

/* ---- the rest */

typedef VEC(struct fdtab *) fdtabs;

/* Its number among the tables, which it joins. */
static uint64_t
number_of(fdtabs *tabs, struct fdtab *t)
{
	size_t i = 0;

	while (i < tabs->len && tabs->v[i] != t)
		i++;
	if (i == tabs->len)
		vec_push(tabs, t);
	return i;
}

static int
save_puppet(struct saving *s, struct puppet *p, uint64_t fds, struct err *err)
{
	struct buf *b = s->out, x = { 0 };
	int ret = 0;

	buf_varint(b, p->task);
	buf_varint(b, p->group->num);
	buf_varint(b, p->space ? p->space->num + 1 : 0);
	buf_varint(b, fds);
	buf_varint(b, (uint64_t)p->tid);
	buf_put(b, p->comm, sizeof(p->comm));
	buf_put(b, &p->regs, sizeof(p->regs));
	buf_u8(b, (uint8_t)(p->halted | p->arrived << 1 | p->in_call << 2));
	buf_put(b, &p->halt, sizeof(p->halt));
	buf_varint(b, p->call_pc);
	buf_zigzag(b, p->call);
	buf_put(b, p->args, sizeof(p->args));
	put_bytes(b, buf_span(&p->out));
	buf_put(b, p->trail, sizeof(p->trail));
	buf_varint(b, p->n_trail);
	if (p->pid)
		ret = ptrace_get_xstate(p->pid, &x);
	put_bytes(b, buf_span(&x));
	buf_free(&x);
	return ret < 0 ? err_set(err, -ret,
				 "cannot read the vector registers of task %u",
				 p->task)
		       : 0;
}

static int
save_puppets(struct saving *s, struct err *err)
{
	struct map *puppets = &s->r->now->puppets;
	fdtabs tabs = { 0 };
	size_t it = 0;
	uint64_t key;
	void *val;
	int ret = 0;

	while (map_next(puppets, &it, &key, &val))
		number_of(&tabs, ((struct puppet *)val)->fds);
	buf_varint(s->out, tabs.len);
	for (size_t i = 0; i < tabs.len; i++) {
		const struct fdtab *t = tabs.v[i];

		buf_varint(s->out, t->v.len);
		for (size_t k = 0; k < t->v.len; k++)
			buf_put(s->out, &t->v.v[k], sizeof(t->v.v[k]));
	}
	it = 0;
	buf_varint(s->out, puppets->len);
	while (ret == 0 && map_next(puppets, &it, &key, &val)) {
		struct puppet *p = val;

		ret = save_puppet(s, p, number_of(&tabs, p->fds), err);
	}
	vec_free(&tabs);
	return ret;
}

static void
save_files(struct saving *s)
{
	struct buf items = { 0 };
	size_t it = 0;
	uint64_t key;
	void *val;

	while (map_next(&s->r->files, &it, &key, &val)) {
		const struct pfile *f = val;

		item_put_file(&items, &f->rec, f->path, f->ids, f->n_ids);
	}
	put_bytes(s->out, buf_span(&items));
	buf_free(&items);
}

static void
save_groups(struct saving *s)
{
	struct map *groups = &s->r->now->groups;
	size_t it = 0;
	uint64_t key;
	void *val;

	buf_varint(s->out, groups->len);
	while (map_next(groups, &it, &key, &val)) {
		const struct group *g = val;

		buf_varint(s->out, g->num);
		buf_varint(s->out, (uint64_t)g->tgid);
		buf_varint(s->out, g->parent);
		buf_varint(s->out, g->stack_limit);
	}
}

static int
save_memory(struct saving *s, struct err *err)
{
	struct world *w = s->r->now;
	size_t it = 0;
	uint64_t key;
	void *val;
	int ret = 0;

	buf_varint(s->out, w->shared.len);
	for (size_t i = 0; ret == 0 && i < w->shared.len; i++)
		ret = save_shared(s, w->shared.v[i], err);
	save_groups(s);
	buf_varint(s->out, w->spaces.len);
	while (ret == 0 && map_next(&w->spaces, &it, &key, &val))
		ret = save_space(s, val, err);
	return ret;
}

/* In the code behind the event: task (0: at the event), work since then, where
 * it ends; what has been counted is not told. */
static void
save_inside(struct saving *s)
{
	const struct inside *in = &s->r->now->inside;
	uint32_t task = inside_moved(in) ? in->task : 0;

	buf_varint(s->out, task);
	if (!task)
		return;
	buf_varint(s->out, s->r->work_ns - in->began_ns);
	buf_varint(s->out, in->end_pc);
}

int
stored_save(struct replayer *r, stored_put_fn *put, void *ctx, struct buf *out,
	    struct err *err)
{
	struct saving *s = mem_zalloc(sizeof(*s));
	int ret = replayer_refresh(r, err);

	if (ret == 0 && inside_moved(&r->now->inside) &&
	    r->now->inside.end_pc == 0)
		ret = err_set(err, E_UNSUPPORTED,
			      "only code that ends with a call can be stored");
	*s = (struct saving){ .r = r, .put = put, .ctx = ctx, .out = out };
	buf_clear(out);
	buf_varint(out, SOURCE_STORED_VERSION);
	buf_varint(out, r->now->seq);
	buf_varint(out, r->now->time_ns);
	save_inside(s);
	save_files(s);
	if (ret == 0)
		ret = save_memory(s, err);
	if (ret == 0)
		ret = save_puppets(s, err);
	buf_u64(out, XXH3_64bits(out->p, out->len));
	buf_free(&s->pieces);
	mem_free(s);
	return ret;
}

uint64_t
stored_work(const struct replayer *r)
{
	return r->work_ns;
}
