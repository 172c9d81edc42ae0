/* Steps: one instruction of a task, or the call that it makes. */
#include "replayer/timeline_priv.h"

#include <errno.h>

#include "base/clock.h"
#include "replayer/agent.h"
#include "tracee/memcode.h"

#define LOOK_BACK 2048u

int
tl_done(struct timeline *t, enum target_why why, struct target_stop *out)
{
	const struct hit h = { .why = why, .task = t->req->task };

	tl_stop(&h, t->r, out);
	return 0;
}

/* ---- forwards */

/* An event has been applied: 1 = the step is done, with *why. */
static int
stepped_by(const struct timeline *t, const struct event *ev,
	   enum target_why *why)
{
	const struct puppet *p = world_puppet(t->r->now, t->req->task);

	*why = TARGET_AT_STEP;
	if (ev->task != t->req->task)
		return 0;
	if (!p) {
		*why = TARGET_AT_END;
		return 1;
	}
	if (p->in_call)
		return 0;
	if (ev->flags & EVF_RUNS)
		return ev->kind != EV_sched;
	return ev->kind == EV_exit || ev->kind == EV_exec ||
	       (ev->kind == EV_signal && ev->args[3] == 1);
}

int
tl_step(struct timeline *t, struct target_stop *out, struct err *err)
{
	struct replayer *r = t->r;
	enum target_why why;
	int ret;

	if (!world_puppet(r->now, t->req->task))
		return err_set(err, E_NOT_FOUND, "task %u does not live here",
			       t->req->task);
	for (;;) {
		struct puppet *p;
		struct event ev;

		ret = replayer_peek(r, err);
		if (ret <= 0)
			return ret < 0 ? ret : tl_done(t, TARGET_AT_END, out);
		ev = r->peek;
		ev.payload = (struct span){ 0 };
		if (ev.task == t->req->task && (ev.flags & EVF_RUNS)) {
			ret = inside_enter(r, &p, err);
			if (ret == 1)
				ret = inside_step(r, p, err);
			if (ret < 0)
				return ret;
			if (ret == 1)
				return tl_done(t, TARGET_AT_STEP, out);
		}
		ret = replayer_advance(r, err);
		if (ret <= 0)
			return ret < 0 ? ret : tl_done(t, TARGET_AT_END, out);
		if (stepped_by(t, &ev, &why))
			return tl_done(t, why, out);
		ret = tl_tell(t, err);
		if (ret < 0)
			return ret;
	}
}

/* ---- backwards */

/* Does the event move its task: a step back leads before it? */
static bool
moves(const struct event *ev)
{
	return (ev->flags & EVF_RUNS) || ev->kind == EV_exit ||
	       ev->kind == EV_exec || ev->kind == EV_birth ||
	       (ev->kind == EV_signal && ev->args[3] == 1);
}

/* The last event before seq to that moves the task, or (enters) that enters a
 * call. 0 = there is none. */
static int
last_move(struct timeline *t, uint64_t to, bool enters, struct event *out,
	  struct err *err)
{
	struct replayer *r = t->r;
	int found = 0;

	while (to > 1 && !found) {
		uint64_t from = to > LOOK_BACK ? to - LOOK_BACK : 1;
		struct event ev;
		int ret;

		r->reseek = true;
		ret = source_seek(r->src, from, err);
		while (ret >= 0 && (ret = source_next(r->src, &ev, err)) > 0 &&
		       ev.seq < to) {
			if (ev.task != t->req->task ||
			    !(enters ? ev.kind == EV_enter : moves(&ev)))
				continue;
			*out = ev;
			out->payload = (struct span){ 0 };
			found = 1;
		}
		if (ret >= 0)
			ret = tl_tell(t, err);
		if (ret < 0)
			return ret;
		to = from;
	}
	return found;
}

/* The arrival at the call that ev tells, its only one. */
static int
to_call(struct timeline *t, struct pos *p, struct err *err)
{
	const struct target_motion_req *q = t->req;

	t->r->now->inside.end_pc = p->pc;
	p->visit = 1;
	return inside_seek(t->r, p, NULL, 0, q->progress, q->ctx, err);
}

/* From a checkpoint in the code that ends with ev, when there is one. 1: done.
 */
static int
to_call_from_inside(struct timeline *t, const struct event *ev, struct err *err)
{
	const struct puppet *puppet = world_puppet(t->r->now, ev->task);
	struct pos p = { .seq = ev->seq - 1, .task = ev->task, .visit = 1 };
	int ret;

	if (!puppet || !puppet->space || !inside_ends_with_call(ev))
		return 0;
	p.pc = inside_last_pc(puppet, ev);
	ret = checkpoint_go_inside(t->r, &p, NULL, 0, err);
	if (ret == 0)
		ret = checkpoint_go_stored_inside(t->r, p.seq, err);
	if (ret <= 0)
		return ret;
	/* ev may have changed its place. */
	if (inside_last_pc(world_puppet(t->r->now, ev->task), ev) != p.pc)
		return 0;
	ret = to_call(t, &p, err);
	return ret < 0 ? ret : 1;
}

/* To the last instruction before ev, which has EVF_RUNS. */
static int
to_last_of(struct timeline *t, const struct event *ev, struct err *err)
{
	struct replayer *r = t->r;
	struct pos p = { .seq = ev->seq - 1, .task = ev->task };
	const struct target_motion_req *q = t->req;
	struct puppet *puppet;
	int ret = to_call_from_inside(t, ev, err);

	if (ret != 0)
		return ret < 0 ? ret : 0;
	ret = replayer_seek(r, p.seq, q->progress, q->ctx, err);
	/* Who steps back is going to do so again. */
	if (ret == 0)
		ret = checkpoint_near(r, err);
	if (ret == 0)
		ret = inside_enter(r, &puppet, err);
	if (ret < 0)
		return ret;
	if (ret == 0)
		return err_set(err, E_POSITION, "no code runs before e%lu",
			       ev->seq);
	p.pc = inside_last_pc(puppet, ev);
	if (inside_ends_with_call(ev))
		return to_call(t, &p, err);
	inside_track(r, p.pc);
	for (;;) {
		struct spec s = { .slice_ns = timeline_slice(r) };

		tally_site(&s.tally, p.pc);
		ret = inside_add_end(r, &s);
		r->work_mark = clock_now_ns();
		if (ret == 0)
			ret = spec_go(r, puppet, &s, err);
		replayer_worked(r);
		r->now->inside.unnamed = true;
		if (ret == 0)
			ret = tl_tell(t, err);
		if (ret == 0 && s.end == SPEC_SLICE)
			ret = checkpoint_inside(r, 0, err);
		if (ret < 0)
			return ret;
		if (s.end != SPEC_SLICE || inside_at_end(r, puppet->regs.rip))
			break;
	}
	inside_count(&r->now->inside, p.pc, &p.visit);
	r->stale = true; /* its end is no moment */
	if (p.visit == 0)
		return err_set(err, E_UNSUPPORTED,
			       "the last instruction before e%lu is not at "
			       "0x%lx",
			       ev->seq, p.pc);
	ret = inside_seek(r, &p, NULL, 0, q->progress, q->ctx, err);
	/* A point is before its instruction: so is what it ends with. */
	if (ret == 0 && ev->kind == EV_sched)
		ret = before_here(r, q->progress, q->ctx, err);
	return ret;
}

static int
before_event(struct timeline *t, const struct event *ev,
	     struct target_stop *out, struct err *err)
{
	const struct target_motion_req *q = t->req;
	struct event enter = *ev;
	int ret = 1;

	if (ev->kind == EV_birth) {
		ret = replayer_seek(t->r, ev->seq, q->progress, q->ctx, err);
		return ret < 0 ? ret : tl_done(t, TARGET_AT_START, out);
	}
	if (ev->kind == EV_signal && !(ev->flags & EVF_RUNS)) {
		ret = replayer_seek(t->r, ev->seq - 1, q->progress, q->ctx,
				    err);
		return ret < 0 ? ret : tl_done(t, TARGET_AT_STEP, out);
	}
	if (!(ev->flags & EVF_RUNS))
		ret = last_move(t, ev->seq, true, &enter, err);
	if (ret < 0)
		return ret;
	if (ret == 0) { /* the command's own exec */
		ret = replayer_seek(t->r, ev->seq, q->progress, q->ctx, err);
		return ret < 0 ? ret : tl_done(t, TARGET_AT_START, out);
	}
	ret = to_last_of(t, &enter, err);
	return ret < 0 ? ret : tl_done(t, TARGET_AT_STEP, out);
}

static int
step_back(struct timeline *t, struct target_stop *out, struct err *err)
{
	struct replayer *r = t->r;
	struct event ev;
	int ret = 1;

	if (inside_moved(&r->now->inside) &&
	    r->now->inside.task == t->req->task)
		ret = before_here(r, t->req->progress, t->req->ctx, err);
	if (ret <= 0)
		return ret < 0 ? ret : tl_done(t, TARGET_AT_STEP, out);
	ret = last_move(t, r->now->seq + 1, false, &ev, err);
	if (ret < 0)
		return ret;
	if (ret == 0)
		return err_set(err, E_NOT_FOUND,
			       "task %u has not lived before e%lu",
			       t->req->task, r->now->seq);
	return before_event(t, &ev, out, err);
}

int
tl_step_back(struct timeline *t, struct target_stop *out, struct err *err)
{
	struct pos began;
	int ret, back;

	inside_pos(t->r, &began);
	ret = step_back(t, out, err);
	if (ret >= 0)
		return ret;
	back = inside_seek(t->r, &began, NULL, 0, NULL, NULL, NULL);
	return back < 0 ? back : ret;
}

/* ---- over calls */

bool
tl_code(const struct timeline *t, uint32_t task, struct code *out)
{
	const struct puppet *p = world_puppet(t->r->now, task);

	return p && p->pid && !p->in_call &&
	       mem_code(&p->space->mem, p->regs.rip, out);
}

/* Back in the frame that made the call? */
static bool
has_returned(void *ctx, struct target *t, uint32_t task)
{
	const uint64_t *rsp = ctx;
	struct regs regs;

	return t->ops->regs(t, task, &regs, NULL) == 0 && regs.rsp >= *rsp;
}

int
tl_next(struct timeline *t, struct target_stop *out, struct err *err)
{
	const struct puppet *p = world_puppet(t->r->now, t->req->task);
	struct target_motion_req req = *t->req;
	size_t n = req.n_breaks;
	struct target_break *breaks;
	struct code c;
	uint64_t rsp;
	int ret;

	if (!tl_code(t, t->req->task, &c) ||
	    (c.flow != FLOW_CALL && c.flow != FLOW_CALL_IND))
		return tl_step(t, out, err);
	rsp = p->regs.rsp;
	breaks = mem_alloc((n + 1) * sizeof(*breaks));
	for (size_t i = 0; i < n; i++)
		breaks[i] = req.breaks[i];
	breaks[n] = (struct target_break){ .addr = c.pc + c.len,
					   .task = req.task,
					   .cond = has_returned,
					   .ctx = &rsp };
	req.motion = TARGET_CONTINUE;
	req.breaks = breaks;
	req.n_breaks = n + 1;
	req.events = 0;
	req.task = 0;
	ret = timeline_move(t->r, &req, out, err);
	if (ret == 0 && out->why == TARGET_AT_BREAK && out->index == n)
		out->why = TARGET_AT_STEP;
	mem_free(breaks);
	return ret;
}

int
tl_next_back(struct timeline *t, struct target_stop *out, struct err *err)
{
	struct target_motion_req req = *t->req;
	struct target_watch slot = { .len = 8 };
	const struct puppet *p;
	struct target_stop stop;
	struct code c;
	int ret = tl_step_back(t, out, err);

	if (ret < 0 || out->why != TARGET_AT_STEP ||
	    !tl_code(t, t->req->task, &c) || c.flow != FLOW_RET)
		return ret;
	/* What it returns to was written by the call. */
	p = world_puppet(t->r->now, t->req->task);
	slot.addr = p->regs.rsp;
	slot.process = p->group->num;
	req.motion = TARGET_CONTINUE;
	req.watches = &slot;
	req.n_watches = 1;
	req.events = 0;
	req.task = 0;
	req.before_write = true;
	ret = timeline_move(t->r, &req, &stop, err);
	if (ret < 0)
		return ret;
	*out = stop;
	if (stop.why == TARGET_AT_WATCH && stop.task == t->req->task)
		out->why = TARGET_AT_STEP;
	return 0;
}

/* ---- all motions */

static int
continue_on(struct timeline *t, struct target_stop *out, struct err *err)
{
	struct replayer *r = t->r;
	struct hit h;
	int ret;

	t->starting = true;
	ret = tl_scan(t, err);
	if (ret == 0 && t->has_hit) {
		h = t->hit;
		if (h.why == TARGET_AT_WATCH && !h.by_kernel)
			ret = tl_to_raw(t, &h, err);
		if (ret == 0)
			tl_stop(&h, r, out);
		return ret;
	}
	if (ret == -E_CANCELLED && inside_moved(&r->now->inside))
		r->stale = true; /* between two moments that have names */
	*out = (struct target_stop){ .why = TARGET_AT_END };
	inside_pos(r, &out->pos);
	return ret;
}

static int
line_on(struct timeline *t, struct target_stop *out, struct err *err)
{
	switch (t->req->motion) {
	case TARGET_FINISH:
		return tl_finish(t, out, err);
	case TARGET_UNTIL:
		return tl_until(t, out, err);
	case TARGET_CONTINUE:
	case TARGET_STEP:
	case TARGET_NEXT:
	case TARGET_LINE:
	case TARGET_LINE_OVER:
		break;
	}
	return tl_line(t, t->req->motion == TARGET_LINE_OVER, out, err);
}

static int
move(struct timeline *t, struct target_stop *out, struct err *err)
{
	bool back = t->req->back;

	switch (t->req->motion) {
	case TARGET_CONTINUE:
		return back ? tl_continue_back(t, out, err)
			    : continue_on(t, out, err);
	case TARGET_STEP:
		return back ? tl_step_back(t, out, err) : tl_step(t, out, err);
	case TARGET_NEXT:
		return back ? tl_next_back(t, out, err) : tl_next(t, out, err);
	case TARGET_LINE:
	case TARGET_LINE_OVER:
	case TARGET_FINISH:
	case TARGET_UNTIL:
		return back ? tl_line_back(t, out, err) : line_on(t, out, err);
	}
	return err_set(err, E_USAGE, "a motion that there is not");
}

int
timeline_move(struct replayer *r, const struct target_motion_req *req,
	      struct target_stop *out, struct err *err)
{
	struct timeline t;
	int ret = replayer_refresh(r, err);

	if (ret == 0)
		ret = tl_init(&t, r, req, err);
	if (ret < 0)
		return ret;
	target_forget(r);
	ret = move(&t, out, err);
	tl_release(&t);
	if (ret >= 0)
		target_forget(r);
	return ret;
}

/* Which of a and b, in one interval at different addresses, is reached first?
 * Go to a, counting arrivals at b's. */
static int
compare_by_running(struct replayer *r, const struct pos *a, const struct pos *b,
		   int *out, struct err *err)
{
	struct pos base = *b;
	uint64_t n = 0;
	int ret;

	if (b->pc == 0) {
		ret = compare_by_running(r, b, a, out, err);
		*out = -*out;
		return ret;
	}
	ret = inside_seek(r, a, &b->pc, 1, NULL, NULL, err);
	if (ret < 0)
		return ret;
	inside_count(&r->now->inside, b->pc, &n);
	base.steps = 0;
	*out = n < b->visit ? -1 : 1;
	if (n < b->visit || b->steps == 0)
		return 0;
	/* a comes after the arrival that b is steps behind: does it come within
	 * these steps? */
	for (uint64_t k = 0; ret == 0 && k <= b->steps; k++) {
		struct pos there;

		base.steps = k;
		ret = inside_seek(r, &base, &a->pc, a->pc != 0, NULL, NULL,
				  err);
		there = *a;
		if (ret == 0 && a->pc &&
		    (!inside_count(&r->now->inside, a->pc, &n) || n < a->visit))
			continue;
		*out = ret == 0 && k + there.steps <= b->steps ? -1 : 1;
		if (ret == 0 && k + there.steps == b->steps)
			*out = 0;
		return ret;
	}
	return ret;
}

int
timeline_compare(struct replayer *r, const struct pos *a, const struct pos *b,
		 int *out, struct err *err)
{
	struct pos began, x = *a, y = *b;
	int ret, back;

	if (pos_order(a, b, out))
		return 0;
	ret = replayer_refresh(r, err);
	if (ret < 0)
		return ret;
	inside_pos(r, &began);
	ret = inside_absolute(r, &x, NULL, NULL, err);
	if (ret == 0)
		ret = inside_absolute(r, &y, NULL, NULL, err);
	if (ret == 0 && !pos_order(&x, &y, out))
		ret = compare_by_running(r, &x, &y, out, err);
	back = inside_seek(r, &began, NULL, 0, NULL, NULL,
			   ret < 0 ? NULL : err);
	return ret < 0 ? ret : back;
}
