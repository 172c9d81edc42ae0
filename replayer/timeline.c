/*
 * Motion from stop to stop. Both directions scan forwards: from where it stands
 * to the first stop, or (timeline_back.c) from a checkpoint to where it stood,
 * for the last one.
 *
 *	scan: for each event: [its interval: scan_interval] apply it, look at it
 *
 * Intervals without breakpoints of their task run natively, as in any replay.
 */
#include "replayer/timeline_priv.h"

#include "base/clock.h"
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "replayer/agent.h"

#define TELL_NS 50000000u

int
tl_tell(struct timeline *t, struct err *err)
{
	uint64_t now = clock_now_ns();

	if (!t->req->progress || now - t->told_ns < TELL_NS)
		return 0;
	t->told_ns = now;
	if (t->req->progress(t->req->ctx, t->r->now->seq, t->goal))
		return 0;
	return err_set(err, E_CANCELLED, "stopped at e%lu", t->r->now->seq);
}

/* ---- what is looked for */

/* Naturally aligned pieces, as debug registers take them. */
static int
divide_watch(struct timeline *t, size_t owner, struct err *err)
{
	const struct target_watch *w = &t->req->watches[owner];
	uint64_t at = w->addr, end = at + w->len;

	if (w->len == 0 || end < at)
		return err_set(err, E_USAGE, "a watchpoint of %u bytes",
			       w->len);
	while (at < end) {
		uint64_t len = 8;

		while (at % len != 0 || at + len > end)
			len /= 2;
		if (t->n_watch == SPEC_WATCHES)
			return err_set(err, E_UNSUPPORTED,
				       "the processor can watch %u aligned "
				       "pieces of 8 bytes at a time",
				       SPEC_WATCHES);
		t->watch[t->n_watch++] = (struct spec_watch){
			.addr = at,
			.len = (uint8_t)len,
			.access = w->read,
			.owner = owner,
		};
		at += len;
	}
	return 0;
}

int
tl_init(struct timeline *t, struct replayer *r,
	const struct target_motion_req *req, struct err *err)
{
	int ret = 0;

	*t = (struct timeline){ .r = r, .req = req };
	t->goal = r->src->ops->last_seq(r->src);
	if (req->n_breaks > BREAKS_MAX)
		return err_set(err, E_UNSUPPORTED,
			       "%zu breakpoints; %u at a time are possible",
			       req->n_breaks, BREAKS_MAX);
	for (size_t i = 0; ret == 0 && i < req->n_watches; i++)
		ret = divide_watch(t, i, err);
	return ret;
}

void
tl_release(struct timeline *t)
{
	vec_free(&t->verdicts);
}

/* Can there be a breakpoint in this space, and how? Kept until its mappings
 * change. */
static enum tally_how
verdict(struct timeline *t, const struct puppet *p, uint64_t addr)
{
	struct verdict v = { .space = p->space->num, .addr = addr };
	struct arena a = { 0 };
	struct vma vma;

	for (size_t i = 0; i < t->verdicts.len; i++) {
		const struct verdict *k = &t->verdicts.v[i];

		if (k->space == v.space && k->addr == addr)
			return k->how;
	}
	if (maps_query(p->pid, addr, &a, &vma, NULL) == 0 &&
	    (vma.prot & PROT_EXEC))
		v.how = vma.shared || (vma.prot & PROT_WRITE) ? TALLY_DEBUG
							      : TALLY_INT3;
	arena_free(&a);
	vec_push(&t->verdicts, v);
	return v.how;
}

/* An event that may change what is mapped where. */
static bool
remaps(const struct event *ev)
{
	if (ev->kind == EV_exec || ev->kind == EV_birth)
		return true;
	if (ev->kind != EV_syscall && ev->kind != EV_exit)
		return false;
	switch (ev->call) {
	case SYS_mmap:
	case SYS_munmap:
	case SYS_mremap:
	case SYS_mprotect:
	case SYS_pkey_mprotect:
	case SYS_brk:
	case SYS_shmat:
	case SYS_shmdt:
	case SYS_remap_file_pages:
		return true;
	}
	return false;
}

static bool
break_is_for(const struct target_break *b, const struct puppet *p)
{
	return (b->process == 0 || b->process == p->group->num) &&
	       (b->task == 0 || b->task == p->task);
}

bool
tl_watch_is_for(const struct target_watch *w, const struct puppet *p)
{
	return w->process == 0 || w->process == p->group->num;
}

/* Breakpoints that this task can meet: their addresses. */
static size_t
addresses(struct timeline *t, const struct puppet *p, uint64_t out[BREAKS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < t->req->n_breaks; i++) {
		const struct target_break *b = &t->req->breaks[i];

		uint64_t at = agent_place(p, b->addr);

		if (break_is_for(b, p) && verdict(t, p, at) != TALLY_OFF)
			out[n++] = at;
	}
	return n;
}

/* ---- stops */

static bool
asked(struct timeline *t, bool (*cond)(void *, struct target *, uint32_t),
      void *ctx, uint32_t task)
{
	bool yes;

	if (!cond)
		return true;
	yes = cond(ctx, &t->r->target, task);
	t->r->reseek = true; /* it may have read what the source has */
	return yes;
}

/* The breakpoint that p stands at, whose condition holds; n_breaks = none. */
static size_t
break_here(struct timeline *t, const struct puppet *p)
{
	for (size_t i = 0; i < t->req->n_breaks; i++) {
		const struct target_break *b = &t->req->breaks[i];

		if (break_is_for(b, p) &&
		    agent_place(p, b->addr) == p->regs.rip &&
		    asked(t, b->cond, b->ctx, p->task))
			return i;
	}
	return t->req->n_breaks;
}

static void
name_here(struct replayer *r, uint64_t pc)
{
	struct inside *in = &r->now->inside;

	if (!inside_count(in, pc, &in->visit))
		return;
	inside_leave_via(in);
	in->unnamed = false;
	in->pc = pc;
	in->steps = 0;
}

/* Keep the hit; 1 when the scan ends with it. */
static int
found(struct timeline *t, const struct hit *h)
{
	t->hit = *h;
	t->has_hit = true;
	return t->collect ? 0 : 1;
}

static int
found_break(struct timeline *t, const struct puppet *p, size_t index)
{
	struct hit h = { .why = TARGET_AT_BREAK,
			 .index = index,
			 .task = p->task };

	inside_pos(t->r, &h.pos);
	return found(t, &h);
}

/* ---- watched bytes */

static void
read_watched(struct timeline *t, const struct puppet *p, size_t owner,
	     uint8_t out[8])
{
	const struct target_watch *w = &t->req->watches[owner];

	memset(out, 0, 8);
	mem_read(&p->space->mem, w->addr, out, w->len < 8 ? w->len : 8);
}

static void
read_all_watched(struct timeline *t, const struct puppet *p)
{
	for (size_t i = 0; i < t->req->n_watches && i < SPEC_WATCHES; i++)
		read_watched(t, p, i, t->value[i]);
}

/* An instruction touched what hits tell. */
static int
at_watch(struct timeline *t, struct puppet *p, unsigned hits)
{
	struct hit h = { .why = TARGET_AT_WATCH, .task = p->task };
	int ret = 0;

	t->raw++;
	for (size_t i = 0; i < t->n_watch; i++) {
		size_t owner = t->watch[i].owner;
		const struct target_watch *w = &t->req->watches[owner];

		if (!(hits >> i & 1))
			continue;
		memcpy(h.old, t->value[owner], sizeof(h.old));
		read_watched(t, p, owner, h.new);
		memcpy(t->value[owner], h.new, sizeof(h.new));
		if (ret != 0 ||
		    (w->changed && !w->read &&
		     memcmp(h.old, h.new, sizeof(h.old)) == 0) ||
		    !asked(t, w->cond, w->ctx, p->task))
			continue;
		h.index = owner;
		h.raw = t->raw;
		h.from = t->from;
		h.pc = p->regs.rip;
		h.pos.seq = t->r->now->seq;
		ret = found(t, &h);
	}
	return ret;
}

int
tl_to_raw(struct timeline *t, const struct hit *h, struct err *err)
{
	struct replayer *r = t->r;
	struct puppet *p;
	int ret;

	ret = inside_seek(r, &h->from, &h->pc, 1, t->req->progress, t->req->ctx,
			  err);
	if (ret == 0)
		ret = inside_enter(r, &p, err);
	if (ret < 0)
		return ret;
	if (!inside_moved(&r->now->inside))
		inside_track(r, h->pc);
	for (uint64_t n = 0; n < h->raw;) {
		struct spec s = { .n_watch = t->n_watch };

		memcpy(s.watch, t->watch, sizeof(s.watch));
		for (size_t i = 0; i < r->now->inside.counts.len; i++)
			tally_site(&s.tally, r->now->inside.counts.v[i].pc);
		ret = inside_add_end(r, &s);
		if (ret == 0)
			ret = spec_go(r, p, &s, err);
		if (ret < 0)
			return ret;
		if (s.end != SPEC_WATCH)
			return err_set(err, E_DIVERGED,
				       "a write after e%lu is not repeated",
				       h->from.seq);
		n++;
	}
	name_here(r, h->pc);
	return 0;
}

/* ---- one interval */

/* Is it the moment that the scan goes to? */
static bool
at_limit(const struct timeline *t)
{
	const struct inside *in = &t->r->now->inside;
	uint64_t n;

	return t->limit && t->limit->seq == t->r->now->seq && t->limit->pc &&
	       inside_count(in, t->limit->pc, &n) && n == t->limit->visit;
}

static int
put_sites(struct timeline *t, const struct puppet *p, struct spec *s)
{
	const struct inside *in = &t->r->now->inside;
	struct tally_site *site;
	uint64_t n;

	for (size_t i = 0; i < t->req->n_breaks; i++) {
		const struct target_break *b = &t->req->breaks[i];
		enum tally_how how = TALLY_OFF;
		uint64_t at = agent_place(p, b->addr);

		if (break_is_for(b, p))
			how = verdict(t, p, at);
		if (how == TALLY_OFF)
			continue;
		site = tally_site(&s->tally, at);
		if (!t->collect || b->cond)
			site->stop = 1;
		site->how = how == TALLY_INT3 && t->hot ? TALLY_STUB : how;
	}
	/* What is counted goes on being counted. */
	for (size_t i = 0; i < in->counts.len; i++) {
		if (!tally_site(&s->tally, in->counts.v[i].pc))
			return -E_UNSUPPORTED;
	}
	if (t->limit && t->limit->seq == t->r->now->seq && t->limit->pc) {
		site = tally_site(&s->tally, t->limit->pc);
		if (!site || !inside_count(in, t->limit->pc, &n))
			return -E_UNSUPPORTED;
		n = t->limit->visit - n;
		/* First to the one before: what comes after it is later. */
		n = n > 1 ? n - 1 : 1;
		if (site->stop == 0 || site->stop > n)
			site->stop = n;
	}
	for (size_t i = 0; i < t->n_watch; i++) {
		if (tl_watch_is_for(&t->req->watches[t->watch[i].owner], p))
			s->watch[s->n_watch++] = t->watch[i];
	}
	s->tally.ticks = t->collect;
	s->slice_ns = timeline_slice(t->r);
	return inside_add_end(t->r, s);
}

/* Of the sites that were only counted the last one that was reached. */
static void
collect_counted(struct timeline *t, const struct puppet *p, struct spec *s)
{
	const struct tally_site *last = NULL;
	struct hit h = { .why = TARGET_AT_BREAK, .task = p->task };

	if (!t->collect)
		return;
	for (size_t i = 0; i < t->req->n_breaks; i++) {
		const struct target_break *b = &t->req->breaks[i];
		const struct tally_site *site;

		if (b->cond || !break_is_for(b, p))
			continue;
		site = tally_site(&s->tally, agent_place(p, b->addr));
		if (!site || site->seen == 0 ||
		    (at_limit(t) && site->pc == t->limit->pc) ||
		    (last && site->last <= last->last))
			continue;
		last = site;
		h.index = i;
	}
	if (!last)
		return;
	inside_pos(t->r, &h.pos);
	h.pos.pc = last->pc;
	h.pos.steps = 0;
	if (inside_count(&t->r->now->inside, last->pc, &h.pos.visit))
		found(t, &h);
}

/* The steps that the limit has behind its arrival: 1 = the scan is over. */
static int
walk_to_limit(struct timeline *t, struct puppet *p, struct err *err)
{
	struct inside *in = &t->r->now->inside;
	int ret = 1;

	if (t->limit->pc)
		name_here(t->r, t->limit->pc);
	while (ret == 1 && in->steps < t->limit->steps) {
		struct spec s = { .n_watch = 0 };
		bool last = in->steps + 1 == t->limit->steps;
		size_t i;

		for (size_t k = 0; k < t->n_watch; k++) {
			if (tl_watch_is_for(&t->req->watches[t->watch[k].owner],
					    p))
				s.watch[s.n_watch++] = t->watch[k];
		}
		ret = spec_step(t->r, p, &s, err);
		if (ret == 1 && s.hits && (!last || t->req->before_write))
			at_watch(t, p, s.hits);
		if (ret == 1 && !last &&
		    (i = break_here(t, p)) < t->req->n_breaks)
			found_break(t, p, i);
	}
	if (ret == 0) {
		t->r->stale = true;
		return err_set(err, E_POSITION,
			       "the position is beyond its interval");
	}
	return ret;
}

/* Stopped at a site, by a watch, or just so: 1 = that is the end of the scan, 2
 * = of the interval. */
static int
at_stop(struct timeline *t, struct puppet *p, struct spec *s, struct err *err)
{
	bool limit = at_limit(t);
	uint64_t n;
	size_t i;
	int ret = 0;

	if (s->end == SPEC_WATCH &&
	    (!limit || t->limit->steps || t->req->before_write))
		ret = at_watch(t, p, s->hits);
	if (ret != 0)
		return ret;
	if (limit && t->limit->steps == 0)
		return 1;
	i = break_here(t, p);
	if (i < t->req->n_breaks &&
	    inside_count(&t->r->now->inside, p->regs.rip, &n)) {
		name_here(t->r, p->regs.rip);
		ret = found_break(t, p, i);
	} else if (i < t->req->n_breaks) {
		t->uncounted = true;
		ret = 1;
	}
	if (ret == 0 && limit)
		return walk_to_limit(t, p, err);
	return ret == 0 && inside_at_end(t->r, p->regs.rip) ? 2 : ret;
}

/* Run the rest of it. 1: the scan is over, 0: the interval is. */
static int
run_interval(struct timeline *t, struct puppet *p, struct err *err)
{
	int ret = 0;

	while (ret == 0) {
		struct spec s = { .n_watch = 0 };

		ret = put_sites(t, p, &s);
		if (ret < 0)
			return err_set(err, -ret, "too many addresses");
		ret = spec_go(t->r, p, &s, err);
		replayer_worked(t->r);
		if (ret < 0)
			return ret;
		t->r->now->inside.unnamed = true;
		collect_counted(t, p, &s);
		if (s.end == SPEC_HALT)
			return 0;
		/* A slice, too, may end where something is to be seen. */
		ret = at_stop(t, p, &s, err);
		if (ret == 0 && s.end == SPEC_SLICE) {
			t->hot = true;
			ret = tl_tell(t, err);
			if (ret == 0)
				ret = checkpoint_inside(t->r, UINT64_MAX, err);
		}
	}
	return ret == 2 ? 0 : ret;
}

/* At its very beginning: the event may have put the task at a breakpoint. */
static int
begin_interval(struct timeline *t, struct puppet *p, const uint64_t *pcs,
	       size_t n)
{
	size_t i;

	for (size_t k = 0; k < n; k++)
		inside_track(t->r, pcs[k]);
	if (t->limit && t->limit->pc && t->limit->seq == t->r->now->seq)
		inside_track(t->r, t->limit->pc);
	if (!p->arrived || t->starting)
		return 0;
	i = break_here(t, p);
	return i < t->req->n_breaks ? found_break(t, p, i) : 0;
}

int
tl_scan_interval(struct timeline *t, struct puppet *p, struct err *err)
{
	uint64_t pcs[BREAKS_MAX + 1];
	size_t n = addresses(t, p, pcs);
	struct pos start;
	int ret;

	if (n == 0 && t->n_watch == 0 &&
	    !(t->limit && t->limit->seq == t->r->now->seq))
		return 0;
	for (;;) {
		ret = inside_enter(t->r, &p, err);
		if (ret <= 0)
			return ret;
		inside_pos(t->r, &start);
		if (!inside_moved(&t->r->now->inside)) {
			ret = begin_interval(t, p, pcs, n);
			if (ret != 0)
				return ret;
		}
		t->raw = 0;
		t->hot = false;
		inside_pos(t->r, &t->from);
		if (t->n_watch)
			read_all_watched(t, p);
		if (t->limit && t->limit->seq == t->r->now->seq &&
		    t->limit->pc == 0)
			return walk_to_limit(t, p, err);
		t->r->work_mark = clock_now_ns();
		t->uncounted = false;
		ret = run_interval(t, p, err);
		if (!t->uncounted || ret < 0)
			return ret;
		/* Where it began those were not counted: once more. */
		ret = inside_seek(t->r, &start, pcs, n, t->req->progress,
				  t->req->ctx, err);
		if (ret < 0)
			return ret;
	}
}

/* ---- events */

static unsigned
event_bits(const struct timeline *t, const struct event *ev)
{
	const struct target_motion_req *q = t->req;
	bool call = q->call < 0 || q->call == ev->call;
	unsigned bits = 0;

	switch (ev->kind) {
	case EV_signal:
		if (q->signo == 0 || (uint64_t)q->signo == ev->args[0])
			bits = TARGET_ON_SIGNAL;
		break;
	case EV_enter:
		bits = call ? TARGET_ON_CALL : 0;
		break;
	case EV_exit:
		bits = call ? TARGET_ON_RETURN : 0;
		break;
	case EV_syscall:
		bits = call ? TARGET_ON_CALL | TARGET_ON_RETURN : 0;
		break;
	case EV_birth:
		bits = TARGET_ON_FORK;
		break;
	case EV_exec:
		bits = TARGET_ON_EXEC;
		break;
	case EV_death:
		bits = TARGET_ON_EXIT;
		break;
	}
	if (t->last_task && ev->task && ev->task != t->last_task)
		bits |= TARGET_ON_SWITCH;
	return bits;
}

int
tl_last_task(struct timeline *t, uint64_t seq, struct err *err)
{
	struct event ev;
	int ret = 1;

	t->last_task = 0;
	if (!(t->req->events & TARGET_ON_SWITCH))
		return 0;
	t->r->reseek = true;
	/* A few events are of no task. */
	for (uint64_t back = 16; ret > 0 && !t->last_task; back *= 16) {
		ret = source_seek(t->r->src, seq > back ? seq - back : 1, err);
		while (ret >= 0 &&
		       (ret = source_next(t->r->src, &ev, err)) > 0 &&
		       ev.seq <= seq)
			t->last_task = ev.task ? ev.task : t->last_task;
		if (back >= seq)
			break;
	}
	return ret < 0 ? ret : 0;
}

bool
tl_event_matches(struct timeline *t, const struct event *ev, struct hit *out)
{
	unsigned bits = event_bits(t, ev) & t->req->events;

	if (ev->task)
		t->last_task = ev->task;
	if (t->req->motion == TARGET_CONTINUE && t->req->task &&
	    ev->task != t->req->task)
		return false;
	if (!bits)
		return false;
	*out = (struct hit){ .why = TARGET_AT_EVENT,
			     .task = ev->task,
			     .event = bits & -bits,
			     .pos = { .seq = ev->seq } };
	return true;
}

static bool
at_limit_event(const struct timeline *t)
{
	return t->limit && (t->r->now->seq > t->limit->seq ||
			    (t->r->now->seq == t->limit->seq &&
			     t->limit->pc == 0 && t->limit->steps == 0));
}

/* The kernel's own writes: bytes that an event changed. */
static int
after_event(struct timeline *t, const struct event *ev)
{
	const struct puppet *p = world_puppet(t->r->now, ev->task);
	struct hit h;
	bool outside = t->exclusive && at_limit_event(t);
	int ret = 0;

	if (remaps(ev))
		vec_clear(&t->verdicts);
	/* The write before the limit is after it when it is undone. */
	if ((!outside || t->req->before_write) && p && p->pid &&
	    t->valued == ev->task && ev->kind != EV_exec) {
		for (size_t i = 0; ret == 0 && i < t->req->n_watches; i++) {
			const struct target_watch *w = &t->req->watches[i];

			h = (struct hit){ .why = TARGET_AT_WATCH,
					  .index = i,
					  .task = ev->task,
					  .by_kernel = true,
					  .pos = { .seq = ev->seq } };
			memcpy(h.old, t->value[i], sizeof(h.old));
			read_watched(t, p, i, h.new);
			if (tl_watch_is_for(w, p) &&
			    memcmp(h.old, h.new, sizeof(h.old)) != 0 &&
			    asked(t, w->cond, w->ctx, ev->task))
				ret = found(t, &h);
		}
	}
	if (tl_event_matches(t, ev, &h) && ret == 0 && !outside)
		ret = found(t, &h);
	return ret;
}

int
tl_scan_event(struct timeline *t, struct err *err)
{
	struct event ev = t->r->peek;
	const struct puppet *p = world_puppet(t->r->now, ev.task);
	int ret;

	ev.payload = (struct span){ 0 };
	t->valued = 0;
	if (t->n_watch && p && p->pid) {
		read_all_watched(t, p);
		t->valued = ev.task;
	}
	ret = replayer_advance(t->r, err);
	if (ret <= 0)
		return ret < 0 ? ret : 1;
	return after_event(t, &ev);
}

int
tl_scan(struct timeline *t, struct err *err)
{
	int ret = 0;

	t->has_hit = t->ended = false;
	ret = tl_last_task(t, t->r->now->seq, err);
	vec_clear(&t->verdicts); /* other mappings than where it was before */
	while (ret == 0 && !at_limit_event(t)) {
		const struct puppet *p;

		ret = replayer_peek(t->r, err);
		if (ret <= 0) {
			t->ended = ret == 0;
			return ret;
		}
		p = world_puppet(t->r->now, t->r->peek.task);
		ret = 0;
		if ((t->r->peek.flags & EVF_RUNS) && p && p->pid)
			ret = tl_scan_interval(
				t, world_puppet(t->r->now, t->r->peek.task),
				err);
		t->starting = false;
		if (ret == 0)
			ret = replayer_peek(t->r, err) < 0 ? -E_FORMAT : 0;
		if (ret == 0)
			ret = tl_scan_event(t, err);
		if (ret == 0)
			ret = tl_tell(t, err);
	}
	return ret < 0 ? ret : 0;
}

void
tl_stop(const struct hit *h, struct replayer *r, struct target_stop *out)
{
	*out = (struct target_stop){ .why = h->why,
				     .task = h->task,
				     .index = h->index,
				     .event = h->event,
				     .by_kernel = h->by_kernel };
	memcpy(out->old, h->old, sizeof(out->old));
	memcpy(out->new, h->new, sizeof(out->new));
	inside_pos(r, &out->pos);
}
