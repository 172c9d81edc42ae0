/*
 * Checkpoints: copies of the whole world, made of forked processes that are
 * never run. To go to one, it is copied again. Where to keep them: close to
 * each other near the present, ever farther apart in the past.
 */
#include "replayer/checkpoint.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "replayer/stored.h"
#include "replayer/timeline.h"
#include "tracee/maps.h"
#include "tracee/ptrace.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096u
#define STORED_WORTH_NS 50000000u /* saved, to load a stored one */

/* ---- copying a world */

struct copying {
	struct replayer *r;
	struct world *from, *to;
	struct map fds; /* struct fdtab of from -> of to */
};

int
space_advise(struct puppet *p, const struct space *s, bool lift,
	     struct err *err)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < s->unforked.len; i++) {
		const struct range *g = &s->unforked.v[i];
		int undo = g->advice == MADV_DONTFORK ? MADV_DOFORK
						      : MADV_KEEPONFORK;
		uint64_t args[6] = { g->start, g->end - g->start,
				     (uint64_t)(lift ? undo : g->advice) };
		int64_t res; /* parts of it may be unmapped by now */

		ret = puppet_call(p, SYS_madvise, args, &res, err);
	}
	return ret;
}

static struct puppet *
copy_puppet(struct copying *c, const struct puppet *p, struct space *s)
{
	struct puppet *new = world_add_puppet(c->to, p->task);
	struct fdtab *fds = map_get(&c->fds, (uint64_t)(uintptr_t)p->fds);
	struct group *g = world_group(c->to, p->group->num);
	unsigned users = g->users;

	*new = *p;
	new->pid = new->watched = 0;
	new->at_call = false;
	new->dirty = true;
	new->out = (struct buf){ 0 };
	buf_put(&new->out, p->out.p, p->out.len);
	*g = *p->group;
	g->users = users + 1;
	new->group = g;
	if (fds) {
		fds->users++;
	} else {
		fds = fdtab_copy(p->fds);
		map_set(&c->fds, (uint64_t)(uintptr_t)p->fds, fds);
	}
	new->fds = fds;
	new->space = NULL;
	if (s)
		world_enter_space(new, s);
	return new;
}

/* Private pages of a mapping of shared memory: carried over by contents. */
static int
remap_private(struct puppet *p, const struct vma *v, const uint64_t map[6],
	      struct err *err)
{
	uint64_t len = v->end - v->start;
	uint8_t *old = mem_alloc(len), *new = mem_alloc(len);
	const struct mem *m = &p->space->mem;
	ssize_t n = mem_read(m, v->start, old, len);
	int ret;

	ret = puppet_must(p, "mmap", SYS_mmap, map, err);
	if (ret == 0 && n > 0 && mem_read(m, v->start, new, (size_t)n) == n) {
		for (size_t at = 0; at < (size_t)n; at += PAGE) {
			size_t k =
				(size_t)n - at < PAGE ? (size_t)n - at : PAGE;

			if (memcmp(old + at, new + at, k) != 0)
				mem_write(m, v->start + at, old + at, k);
		}
	}
	mem_free(old);
	mem_free(new);
	return ret;
}

/* The copy must not see what happens to the original's shared memory. */
static int
remap_shared(struct copying *c, struct puppet *p, struct err *err)
{
	struct arena a = { 0 };
	struct maps maps;
	uint64_t id;
	int ret;

	if (c->to->shared.len == 0)
		return 0;
	ret = maps_read(p->pid, &a, &maps, err);
	for (size_t i = 0; ret == 0 && i < maps.len; i++) {
		const struct vma *v = &maps.v[i];
		uint64_t args[6] = {
			v->start,
			v->end - v->start,
			v->prot,
			MAP_FIXED | MAP_NORESERVE | (v->shared ? MAP_SHARED : MAP_PRIVATE),
			0,
			v->offset
		};
		struct shared *s;
		int fd;

		if (!sharedmem_of_name(v->name, &id))
			continue;
		s = world_shared(c->to, id);
		if (!s)
			continue;
		ret = sharedmem_remote(c->r, s, &fd, err);
		args[4] = (uint64_t)fd;
		if (ret == 0 && v->shared)
			ret = puppet_must(p, "mmap", SYS_mmap, args, err);
		else if (ret == 0)
			ret = remap_private(p, v, args, err);
	}
	arena_free(&a);
	return ret;
}

/* A thread beside the first: same memory, its own registers and xstate. */
static int
copy_thread(struct puppet *first, struct puppet *from, struct puppet *to,
	    struct err *err)
{
	struct buf x = { 0 };
	int ret;

	ret = puppet_fork(first, true, &to->pid, err);
	if (ret < 0)
		return ret;
	ret = ptrace_get_xstate(from->pid, &x);
	if (ret == 0)
		ret = ptrace_set_xstate(to->pid, buf_span(&x));
	buf_free(&x);
	return ret < 0 ? err_set(err, -ret,
				 "cannot copy the vector registers of task %u",
				 to->task)
		       : 0;
}

static int
copy_space(struct copying *c, struct space *s, struct err *err)
{
	struct puppet *base = world_in_space(c->from, s), *first;
	struct space *new;
	size_t it = 0;
	uint64_t key;
	void *val;
	int ret;

	if (!base)
		return 0;
	new = world_add_copy(c->to, s->num, s);
	for (size_t i = 0; i < s->unforked.len; i++)
		vec_push(&new->unforked, s->unforked.v[i]);
	first = copy_puppet(c, base, new);
	ret = space_advise(base, s, true, err);
	if (ret == 0)
		ret = puppet_fork(base, false, &first->pid, err);
	if (ret == 0)
		ret = space_advise(base, s, false, err);
	first->regs = base->regs; /* a vsyscall may just have been left */
	if (ret == 0)
		ret = mem_open(&new->mem, first->pid, err);
	if (ret == 0)
		ret = space_advise(first, s, false, err);
	if (ret == 0)
		ret = remap_shared(c, first, err);
	while (ret == 0 && map_next(&c->from->puppets, &it, &key, &val)) {
		struct puppet *p = val;

		if (p->space == s && p != base)
			ret = copy_thread(first, p, copy_puppet(c, p, new),
					  err);
	}
	return ret;
}

/* All of it, or only one of its spaces. */
static int
copy_world(struct replayer *r, struct world *from, struct space *only,
	   struct world **out, struct err *err)
{
	struct copying c = { .r = r, .from = from, .to = world_new() };
	size_t it = 0;
	uint64_t key;
	void *val;
	int ret = 0;

	c.to->seq = from->seq;
	inside_copy(&c.to->inside, &from->inside);
	c.to->time_ns = from->time_ns;
	for (size_t i = 0; ret == 0 && i < from->shared.len; i++) {
		struct shared *s;

		ret = sharedmem_copy(r, from->shared.v[i], &s, err);
		if (ret == 0)
			vec_push(&c.to->shared, s);
	}
	while (ret == 0 && map_next(&from->spaces, &it, &key, &val)) {
		if (!only || val == only)
			ret = copy_space(&c, val, err);
	}
	it = 0;
	while (ret == 0 && map_next(&from->puppets, &it, &key, &val)) {
		struct puppet *p = val;

		if (!only && !p->space) /* has not begun a program */
			copy_puppet(&c, p, NULL);
	}
	map_free(&c.fds);
	if (ret == 0)
		*out = c.to;
	else
		world_free(r, c.to);
	return ret;
}

int
checkpoint_copy(struct replayer *r, struct world *from, struct world **out,
		struct err *err)
{
	return copy_world(r, from, NULL, out, err);
}

int
checkpoint_fork(struct replayer *r, struct world *from, struct space *s,
		struct world **out, struct err *err)
{
	/* What is shared may be shared with the others: then all of them. */
	return copy_world(r, from, from->shared.len > 0 ? NULL : s, out, err);
}

/* The process of each puppet of w becomes that of the same one of now. */
static void
take_processes(struct replayer *r, struct world *w)
{
	size_t it = 0;
	uint64_t key;
	void *val;

	while (map_next(&w->puppets, &it, &key, &val)) {
		struct puppet *from = val;
		struct puppet *to = world_puppet(r->now, from->task);

		puppet_kill(&to->pid);
		to->pid = from->pid;
		to->watched = 0;
		to->regs = from->regs;
		to->dirty = from->dirty;
		from->pid = 0;
		if (from->space->mem.fd < 0)
			continue; /* done with another of the same space */
		mem_close(&to->space->mem);
		to->space->mem = from->space->mem;
		from->space->mem.fd = -1;
	}
}

void
checkpoint_adopt(struct replayer *r, struct world *w)
{
	if (w->shared.len > 0) {
		world_free(r, r->now);
		r->now = w;
		return;
	}
	take_processes(r, w);
	world_free(r, w);
}

/* ---- keeping one */

static bool
moved(const struct world *w)
{
	return inside_moved(&w->inside);
}

/* Keep a copy of now as the at-th. */
static int
insert(struct replayer *r, size_t at, bool asked, struct err *err)
{
	uint64_t start = clock_now_ns();
	struct checkpoint *c;
	struct world *w;
	int ret = checkpoint_copy(r, r->now, &w, err);

	if (ret < 0)
		return ret;
	c = mem_zalloc(sizeof(*c));
	c->world = w;
	c->work_ns = r->work_ns;
	c->asked = asked;
	c->bytes = world_bytes(w);
	checkpoint_note_spent(r, false);
	vec_push(&r->checkpoints, c);
	for (size_t i = r->checkpoints.len - 1; i > at; i--)
		r->checkpoints.v[i] = r->checkpoints.v[i - 1];
	r->checkpoints.v[at] = c;
	r->last_cost_ns = clock_now_ns() - start;
	checkpoint_keep_budget(r);
	return 0;
}

/* Those within an interval stand behind the one at its beginning. */
static int
make(struct replayer *r, bool asked, struct err *err)
{
	bool in = moved(r->now);
	size_t at = 0;

	while (at < r->checkpoints.len &&
	       (r->checkpoints.v[at]->world->seq < r->now->seq ||
		(in && r->checkpoints.v[at]->world->seq == r->now->seq)))
		at++;
	if (!in && at < r->checkpoints.len &&
	    r->checkpoints.v[at]->world->seq == r->now->seq &&
	    !moved(r->checkpoints.v[at]->world)) {
		r->checkpoints.v[at]->asked |= asked;
		return 0;
	}
	return insert(r, at, asked, err);
}

int
replayer_checkpoint(struct replayer *r, struct err *err)
{
	int ret = replayer_refresh(r, err);

	return ret < 0 ? ret : make(r, true, err);
}

size_t
replayer_checkpoints(const struct replayer *r)
{
	return r->checkpoints.len;
}

/* Work since the event before. That to the event differs from way to way. */
static uint64_t
since_event(const struct world *w, uint64_t work_ns)
{
	return moved(w) && work_ns > w->inside.began_ns
		       ? work_ns - w->inside.began_ns
		       : 0;
}

/* The last checkpoint at or before seq, at an event, or (inside) also in code
 * that leads on to an event; NULL = none. */
static struct checkpoint *
nearest(const struct replayer *r, uint64_t seq, bool inside)
{
	struct checkpoint *best = NULL;

	for (size_t i = 0; i < r->checkpoints.len; i++) {
		struct checkpoint *c = r->checkpoints.v[i];
		const struct world *w = c->world;

		if (w->seq > seq)
			break;
		if (moved(w) &&
		    (!inside || w->seq == seq || w->inside.end_pc == 0))
			continue;
		if (!best || w->seq > best->world->seq ||
		    since_event(c->world, c->work_ns) >=
			    since_event(best->world, best->work_ns))
			best = c;
	}
	return best;
}

/* Is there a stored one that saves a lot of work, after all that is here? */
static bool
stored_is_closer(const struct replayer *r, uint64_t seq, uint64_t part,
		 const struct checkpoint *c, struct source_stored *out)
{
	uint64_t work = c ? c->work_ns : 0;
	uint64_t from = c ? c->world->seq : 0;

	if (r->stored_off ||
	    r->src->ops->stored(r->src, seq, part, out, NULL) <= 0)
		return false;
	if (!r->stale && r->now->seq <= seq && r->now->seq > from) {
		work = r->work_ns;
		from = r->now->seq;
	}
	return source_stored_after(out, from, 0) &&
	       out->work_ns > work + STORED_WORTH_NS;
}

uint64_t
checkpoint_before(const struct replayer *r, uint64_t seq)
{
	const struct checkpoint *c =
		seq > 0 ? nearest(r, seq - 1, false) : NULL;
	struct source_stored at;

	if (seq > 0 && stored_is_closer(r, seq - 1, 0, c, &at))
		return at.seq;
	return c ? c->world->seq : 0;
}

int
checkpoint_policy(struct replayer *r, struct err *err)
{
	const struct checkpoint *c = nearest(r, r->now->seq, true);
	uint64_t seq = c ? c->world->seq : 0;
	uint64_t work = c ? c->work_ns : 0;

	if (r->opts.checkpoint_events) {
		if (r->now->seq - seq < r->opts.checkpoint_events)
			return 0;
	} else if (!checkpoint_is_due(r, work, UINT64_MAX)) {
		return 0;
	}
	return r->now->puppets.len > 0 ? make(r, false, err) : 0;
}

/* ---- going to one */

/* Let w, a copy, be now. */
static void
become(struct replayer *r, struct world *w, uint64_t work_ns)
{
	world_free(r, r->now);
	r->now = w;
	checkpoint_note_spent(r, true);
	r->work_ns = work_ns;
	r->stale = false;
	r->reseek = true;
}

/* 1: it stands at a stored one. 0: none helps; when one cannot be used, none
 * is any more, and r->stored_why says why. */
static int
go_to_stored(struct replayer *r, const struct source_stored *at)
{
	struct buf state = { 0 };
	struct err why = { 0 };
	int ret;

	ret = replayer_head(r, &why);
	if (ret == 0)
		ret = r->src->ops->stored_state(r->src, at, &state, &why);
	if (ret == 0)
		ret = stored_load(r, buf_span(&state), &why);
	buf_free(&state);
	r->stale = ret < 0; /* now is the start, if anything */
	if (ret < 0) {
		r->stored_off = true;
		mem_free(r->stored_why);
		r->stored_why = mem_strdup(why.text);
		if (r->opts.damaged)
			r->opts.damaged(r->opts.damaged_ctx, r->stored_why);
		return 0;
	}
	r->work_ns = at->work_ns;
	r->now->inside.began_ns = at->work_ns - r->now->inside.began_ns;
	return 1;
}

const char *
stored_problem(const struct replayer *r)
{
	return r->stored_why;
}

/* Is c so much closer than now that a copy of it pays? */
static bool
is_ahead(const struct replayer *r, const struct checkpoint *c)
{
	if (!c || c->world->seq != r->now->seq)
		return c && c->world->seq > r->now->seq;
	return since_event(c->world, c->work_ns) >
	       since_event(r->now, r->work_ns) + r->last_cost_ns;
}

int
checkpoint_go(struct replayer *r, uint64_t seq, struct err *err)
{
	struct checkpoint *c = nearest(r, seq, true);
	struct source_stored at;
	struct world *w;
	int ret;

	/* It is loaded once. */
	if (stored_is_closer(r, seq, 0, c, &at) && go_to_stored(r, &at))
		return make(r, false, err);
	if (!r->stale &&
	    (r->now->seq < seq || (r->now->seq == seq && !moved(r->now))) &&
	    !is_ahead(r, c))
		return 0;
	if (c) {
		ret = checkpoint_copy(r, c->world, &w, err);
		if (ret < 0)
			return ret;
	} else {
		w = world_new();
	}
	become(r, w, c ? c->work_ns : 0);
	return 0;
}

/* ---- within an interval */

int
checkpoint_inside(struct replayer *r, uint64_t left_ns, struct err *err)
{
	uint64_t last = 0;

	for (size_t i = 0; i < r->checkpoints.len; i++) {
		const struct checkpoint *c = r->checkpoints.v[i];

		if (c->world->seq <= r->now->seq && c->work_ns > last &&
		    c->work_ns <= r->work_ns)
			last = c->work_ns;
	}
	return checkpoint_is_due(r, last, left_ns) ? make(r, false, err) : 0;
}

int
checkpoint_near(struct replayer *r, struct err *err)
{
	const struct checkpoint *c = nearest(r, r->now->seq, true);

	return c && r->work_ns < c->work_ns + r->last_cost_ns
		       ? 0
		       : make(r, false, err);
}

int
checkpoint_here(struct replayer *r, struct err *err)
{
	const struct inside *in = &r->now->inside;

	for (size_t i = 0; i < r->checkpoints.len; i++) {
		const struct world *w = r->checkpoints.v[i]->world;

		if (w->seq == r->now->seq && !w->inside.unnamed &&
		    w->inside.pc == in->pc && w->inside.visit == in->visit &&
		    w->inside.steps == in->steps &&
		    w->inside.via.pc == in->via.pc &&
		    w->inside.via.n == in->via.n)
			return 0;
	}
	return make(r, false, err);
}

/* How far towards pos a world has come that leads to it. */
static uint64_t
progress(const struct world *w, const struct pos *pos)
{
	return pos->pc == 0 ? w->inside.steps : inside_arrived(&w->inside, pos);
}

static uint64_t
steps_done(const struct world *w)
{
	return w->inside.unnamed ? 0 : w->inside.steps;
}

static bool
closer(const struct world *a, const struct world *b, const struct pos *pos)
{
	uint64_t x = progress(a, pos), y = progress(b, pos);

	/* At the very arrival only those lead on that count steps from it. */
	return x != y ? x > y
		      : x == pos->visit && steps_done(a) > steps_done(b);
}

int
checkpoint_go_stored_inside(struct replayer *r, uint64_t seq, struct err *err)
{
	struct source_stored at;
	int ret;

	if (!stored_is_closer(r, seq, UINT64_MAX, nearest(r, seq, true), &at) ||
	    at.seq != seq || at.part == 0 || !go_to_stored(r, &at))
		return 0;
	ret = make(r, false, err);
	return ret < 0 ? ret : 1;
}

int
checkpoint_go_inside(struct replayer *r, const struct pos *pos,
		     const uint64_t *track, size_t n, struct err *err)
{
	struct checkpoint *best = NULL;
	struct world *w;
	int ret;

	for (size_t i = 0; i < r->checkpoints.len; i++) {
		struct checkpoint *c = r->checkpoints.v[i];

		if (inside_leads_to(c->world, pos, track, n) &&
		    (!best || closer(c->world, best->world, pos)))
			best = c;
	}
	if (!r->stale && inside_leads_to(r->now, pos, track, n) &&
	    (!best || !closer(best->world, r->now, pos)))
		return 1;
	if (!best)
		return 0;
	ret = checkpoint_copy(r, best->world, &w, err);
	if (ret < 0)
		return ret;
	become(r, w, best->work_ns);
	return 1;
}
