/*
 * A world from bytes: see stored_priv.h. They come from a database: nothing of
 * them is believed before their checksum was right, and nothing is used without
 * a look at whether it is there.
 */
#include "replayer/stored_priv.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/vec.h"
#include "replayer/checkpoint.h"
#include "tracee/batch.h"
#include "tracee/ptrace.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

typedef VEC(struct fdtab *) fdtabs;

struct loading {
	struct replayer *r;
	struct reader in;
	struct buf tmp;
	struct map bases; /* space number -> struct base * */
	fdtabs tabs;
};

/* What is made of a space when its first puppet is known. */
struct base {
	struct space *s;
	struct span maps, pieces;
	uint64_t n_maps, n_pieces;
};

static int
damaged(struct err *err)
{
	return err_set(err, E_FORMAT, "a stored checkpoint is damaged");
}

static struct span
get_bytes(struct reader *in)
{
	uint64_t n = reader_varint(in);

	return reader_bytes(in, n);
}

/* A count of things of at least size bytes each. */
static uint64_t
get_count(struct reader *in, size_t size)
{
	uint64_t n = reader_varint(in);

	if (n > (uint64_t)(in->end - in->p) / size)
		in->bad = true;
	return in->bad ? 0 : n;
}

static void
get(struct reader *in, void *out, size_t n)
{
	struct span s = reader_bytes(in, n);

	memset(out, 0, n);
	if (s.len == n)
		memcpy(out, s.p, n);
}

/* ---- contents */

typedef int piece_fn(void *ctx, uint64_t addr, struct span bytes,
		     struct err *err);

static int
to_fd(void *ctx, uint64_t addr, struct span bytes, struct err *err)
{
	const struct shared *sh = ctx;

	if (addr > sh->size || bytes.len > sh->size - addr)
		bytes.len = addr < sh->size ? sh->size - addr : 0;
	return fd_pwrite_all(sh->fd, bytes.p, bytes.len, (off_t)addr) < 0
		       ? err_errno(err, "cannot fill shared memory")
		       : 0;
}

static int
to_space(void *ctx, uint64_t addr, struct span bytes, struct err *err)
{
	const struct space *s = ctx;

	return mem_write_all(&s->mem, addr, bytes.p, bytes.len) < 0
		       ? err_set(err, E_FORMAT,
				 "a stored checkpoint has %zu bytes for "
				 "0x%lx, where nothing is mapped",
				 bytes.len, addr)
		       : 0;
}

/* The pages of a piece, those that follow each other at once. */
static int
put_piece(uint64_t addr, unsigned mask, struct span bytes, piece_fn *fn,
	  void *ctx, struct err *err)
{
	size_t at = 0;
	int ret = 0;

	for (unsigned i = 0; ret == 0 && i < STORED_PAGES;) {
		unsigned n = 0;

		while (i + n < STORED_PAGES && (mask >> (i + n) & 1))
			n++;
		if (n > 0) {
			size_t len = (size_t)n * STORED_PAGE;

			if (len > bytes.len - at)
				return damaged(err);
			ret = fn(ctx, addr + i * STORED_PAGE,
				 span_of(bytes.p + at, len), err);
			at += len;
		}
		i += n ? n : 1;
	}
	return ret;
}

struct piece {
	uint64_t addr;
	unsigned mask;
};

static int
load_piece(struct loading *l, const struct piece *p, const struct blob_id *id,
	   piece_fn *fn, void *ctx, struct err *err)
{
	int ret;

	buf_clear(&l->tmp);
	ret = source_blob(l->r->src, id, &l->tmp, err);
	return ret < 0 ? ret
		       : put_piece(p->addr, p->mask, buf_span(&l->tmp), fn, ctx,
				   err);
}

static int
load_pieces(struct loading *l, struct reader *in, uint64_t n, piece_fn *fn,
	    void *ctx, struct err *err)
{
	struct piece *v = mem_calloc(n + 1, sizeof(*v));
	struct blob_id *ids = mem_calloc(n + 1, sizeof(*ids));
	uint64_t addr = 0;
	size_t here = 0;
	int ret = 0;

	for (uint64_t i = 0; i < n; i++) {
		uint64_t x = reader_varint(in);

		addr += (x >> STORED_PAGES) * STORED_PAGE;
		v[i].addr = addr;
		v[i].mask = (unsigned)x & ((1u << STORED_PAGES) - 1);
		get(in, ids[i].b, sizeof(ids[i].b));
	}
	if (in->bad)
		ret = damaged(err);
	for (uint64_t i = 0; ret == 0 && i < n; i++) {
		if (here == 0)
			ret = l->r->src->ops->want(l->r->src, ids + i,
						   (size_t)(n - i), &here, err);
		here--;
		if (ret == 0)
			ret = load_piece(l, &v[i], &ids[i], fn, ctx, err);
	}
	mem_free(v);
	mem_free(ids);
	return ret;
}

static int
load_shared(struct loading *l, struct err *err)
{
	struct map_rec m = { .shared_id = reader_varint(&l->in) };
	struct shared *sh;
	int ret;

	m.len = reader_varint(&l->in);
	if (l->in.bad || m.len > INT64_MAX)
		return damaged(err);
	ret = sharedmem_make(l->r, &m, &sh, err);
	if (ret < 0)
		return ret;
	vec_push(&l->r->now->shared, sh);
	return load_pieces(l, &l->in, get_count(&l->in, 17), to_fd, sh, err);
}

/* ---- spaces */

/* The mappings and contents of a space, in the process of its first puppet. */
static int
fill_space(struct loading *l, const struct base *b, struct puppet *p,
	   struct err *err)
{
	struct reader maps, pieces;
	struct batch batch;
	int ret = mem_open(&b->s->mem, p->pid, err);

	batch_init(&batch, BATCH_AT);
	reader_init(&maps, b->maps);
	for (uint64_t i = 0; ret == 0 && i < b->n_maps; i++) {
		struct map_rec m;

		get(&maps, &m, sizeof(m));
		if (m.len > 0)
			ret = image_map(l->r, p, &m, &batch, err);
	}
	if (ret == 0)
		ret = puppet_batch(p, &batch, err);
	reader_init(&pieces, b->pieces);
	if (ret == 0)
		ret = load_pieces(l, &pieces, b->n_pieces, to_space, b->s, err);
	if (ret == 0)
		ret = space_advise(p, b->s, false, err);
	if (ret == 0 && b->s->traps_tsc)
		ret = image_trap_tsc(l->r->now, b->s, err);
	return ret;
}

static int
load_space(struct loading *l, struct err *err)
{
	struct reader *in = &l->in;
	struct base *b = mem_zalloc(sizeof(*b));
	uint32_t num = (uint32_t)reader_varint(in);
	struct span exe, auxv;
	uint64_t n;

	b->s = world_add_space(l->r->now, num);
	map_set(&l->bases, num, b);
	b->s->brk = reader_varint(in);
	b->s->brk_start = reader_varint(in);
	b->s->cpu = (int)reader_varint(in) - 1;
	b->s->stack = reader_varint(in);
	b->s->traps_tsc = reader_u8(in);
	auxv = get_bytes(in);
	buf_put(&b->s->auxv, auxv.p, auxv.len);
	exe = get_bytes(in);
	b->s->exe = exe.len ? mem_printf("%.*s", (int)exe.len, exe.p) : NULL;
	n = get_count(in, sizeof(struct range));
	for (uint64_t i = 0; i < n; i++) {
		struct range g;

		get(in, &g, sizeof(g));
		vec_push(&b->s->unforked, g);
	}
	b->n_maps = get_count(in, sizeof(struct map_rec));
	b->maps = reader_bytes(in, b->n_maps * sizeof(struct map_rec));
	b->n_pieces = get_count(in, 17);
	b->pieces.p = in->p;
	for (uint64_t i = 0; i < b->n_pieces; i++) {
		reader_varint(in);
		reader_bytes(in, sizeof(struct blob_id));
	}
	b->pieces.len = (size_t)(in->p - b->pieces.p);
	return in->bad ? damaged(err) : 0;
}

/* ---- puppets */

static void
load_groups(struct loading *l)
{
	uint64_t n = get_count(&l->in, 4);

	for (uint64_t i = 0; i < n; i++) {
		struct group *g =
			world_group(l->r->now, (uint32_t)reader_varint(&l->in));

		g->tgid = (int)reader_varint(&l->in);
		g->parent = (uint32_t)reader_varint(&l->in);
		g->stack_limit = reader_varint(&l->in);
	}
}

static void
load_fdtabs(struct loading *l)
{
	uint64_t n = get_count(&l->in, 1);

	for (uint64_t i = 0; i < n; i++) {
		struct fdtab *t = mem_zalloc(sizeof(*t));
		uint64_t k = get_count(&l->in, sizeof(struct fd_origin));

		t->users = 1; /* loading itself, to its end */
		vec_push(&l->tabs, t);
		while (k-- > 0) {
			struct fd_origin o;

			get(&l->in, &o, sizeof(o));
			vec_push(&t->v, o);
		}
	}
}

/* Its process: a new image for the first of a space, else one more in that. */
static int
start_puppet(struct loading *l, struct puppet *p, struct base *b,
	     struct span xstate, struct err *err)
{
	struct puppet *first = world_in_space(l->r->now, b->s);
	struct regs regs = p->regs;
	int ret;

	world_enter_space(p, b->s);
	if (first) {
		ret = puppet_fork(first, true, &p->pid, err);
	} else {
		ret = image_new(l->r, p, err);
		if (ret == 0) {
			place_puppet(p);
			ret = fill_space(l, b, p, err);
		}
	}
	p->regs = regs;
	p->dirty = true;
	if (ret == 0 && ptrace_set_xstate(p->pid, xstate) < 0)
		ret = err_set(err, E_FORMAT,
			      "cannot set the vector registers of task %u",
			      p->task);
	return ret;
}

static struct puppet *
load_facts(struct loading *l, struct group *g, uint32_t task, uint64_t fds)
{
	struct puppet *p = world_add_puppet(l->r->now, task);
	struct reader *in = &l->in;
	struct span out;
	unsigned flags;

	p->group = g;
	g->users++;
	p->fds = l->tabs.v[fds];
	p->fds->users++;
	p->tid = (int)reader_varint(in);
	get(in, p->comm, sizeof(p->comm));
	p->comm[sizeof(p->comm) - 1] = '\0';
	get(in, &p->regs, sizeof(p->regs));
	flags = reader_u8(in);
	p->halted = flags & 1;
	p->arrived = flags >> 1 & 1;
	p->in_call = flags >> 2 & 1;
	get(in, &p->halt, sizeof(p->halt));
	p->call_pc = reader_varint(in);
	p->call = (int16_t)reader_zigzag(in);
	get(in, p->args, sizeof(p->args));
	out = get_bytes(in);
	buf_put(&p->out, out.p, out.len);
	get(in, p->trail, sizeof(p->trail));
	p->n_trail = (unsigned)reader_varint(in);
	p->last_ns = l->r->now->time_ns;
	return p;
}

static int
load_puppet(struct loading *l, struct err *err)
{
	struct reader *in = &l->in;
	uint32_t task = (uint32_t)reader_varint(in);
	struct group *g = map_get(&l->r->now->groups, reader_varint(in));
	uint64_t space = reader_varint(in), fds = reader_varint(in);
	struct base *b = space ? map_get(&l->bases, space - 1) : NULL;
	struct span xstate;
	struct puppet *p;

	if (in->bad || !g || fds >= l->tabs.len || (space && !b) ||
	    world_puppet(l->r->now, task))
		return damaged(err);
	p = load_facts(l, g, task, fds);
	xstate = get_bytes(in);
	if (in->bad)
		return damaged(err);
	return b ? start_puppet(l, p, b, xstate, err) : 0;
}

/* ---- all of it */

static int
load_files(struct loading *l, struct err *err)
{
	struct item_reader ir;
	struct item it;
	int ret;

	item_reader_init(&ir, get_bytes(&l->in));
	while ((ret = item_next(&ir, &it, err)) > 0) {
		ret = file_add(l->r, &it, err);
		if (ret < 0)
			break;
	}
	return ret;
}

/* began_ns is for now how long ago the event was. */
static void
load_inside(struct loading *l)
{
	struct inside *in = &l->r->now->inside;

	in->task = (uint32_t)reader_varint(&l->in);
	if (!in->task)
		return;
	in->began_ns = reader_varint(&l->in);
	in->end_pc = reader_varint(&l->in);
	in->unnamed = true;
	if (in->end_pc == 0)
		l->in.bad = true;
}

static int
load_world(struct loading *l, struct err *err)
{
	struct world *w = l->r->now;
	uint64_t n;
	int ret;

	if (reader_varint(&l->in) != SOURCE_STORED_VERSION)
		return err_set(err, E_FORMAT,
			       "a stored checkpoint was made by "
			       "another version of pastime");
	w->seq = reader_varint(&l->in);
	w->time_ns = reader_varint(&l->in);
	load_inside(l);
	ret = load_files(l, err);
	n = get_count(&l->in, 3);
	for (uint64_t i = 0; ret == 0 && i < n; i++)
		ret = load_shared(l, err);
	if (ret == 0)
		load_groups(l);
	n = ret == 0 ? get_count(&l->in, 1) : 0;
	for (uint64_t i = 0; ret == 0 && i < n; i++)
		ret = load_space(l, err);
	if (ret == 0)
		load_fdtabs(l);
	n = ret == 0 ? get_count(&l->in, 1) : 0;
	for (uint64_t i = 0; ret == 0 && i < n; i++)
		ret = load_puppet(l, err);
	if (ret == 0 && (l->in.bad || !reader_done(&l->in)))
		ret = damaged(err);
	return ret;
}

/* Spaces and groups that nobody came to live in. */
static void
drop_unused(struct loading *l)
{
	struct map *groups = &l->r->now->groups;
	size_t it = 0;
	uint64_t key;
	void *val;

	while (map_next(&l->bases, &it, &key, &val)) {
		struct base *b = val;

		if (b->s->users == 0)
			world_drop_space(l->r->now, b->s);
	}
	it = 0;
	while (map_next(groups, &it, &key, &val)) {
		struct group *g = val;

		if (g->users > 0)
			continue;
		map_del(groups, key);
		mem_free(g);
		it = 0;
	}
}

int
stored_load(struct replayer *r, struct span state, struct err *err)
{
	struct loading l = { .r = r };
	size_t it = 0;
	uint64_t key, sum;
	void *val;
	int ret;

	if (state.len < sizeof(sum))
		return damaged(err);
	state.len -= sizeof(sum);
	memcpy(&sum, state.p + state.len, sizeof(sum));
	if (XXH3_64bits(state.p, state.len) != sum)
		return damaged(err);
	world_free(r, r->now);
	r->now = world_new();
	r->reseek = true;
	target_forget(r);
	reader_init(&l.in, state);
	ret = load_world(&l, err);
	if (ret < 0)
		drop_unused(&l);
	for (size_t i = 0; i < l.tabs.len; i++)
		fdtab_release(l.tabs.v[i]);
	vec_free(&l.tabs);
	while (map_next(&l.bases, &it, &key, &val))
		mem_free(val);
	map_free(&l.bases);
	buf_free(&l.tmp);
	if (ret < 0) {
		world_free(r, r->now);
		r->now = world_new();
	}
	return ret;
}
