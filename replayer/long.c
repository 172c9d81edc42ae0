/*
 * Code between two events that takes long, on the way to somewhere: it is run
 * in slices, and checkpoints are left in it. Only code that ends with a call:
 * its last instruction is reached once, so that all of them lead to it,
 * whatever else has been counted.
 */
#include "replayer/timeline.h"

#include "base/clock.h"
#include "replayer/agent.h"
#include "replayer/stored.h"

bool
inside_ends_with_call(const struct event *ev)
{
	return ev->kind == EV_enter || ev->kind == EV_syscall;
}

uint64_t
inside_last_pc(const struct puppet *p, const struct event *ev)
{
	return inside_ends_with_call(ev) || (ev->flags & EVF_REWOUND)
		       ? agent_call_place(p, ev->pc)
		       : ev->pc;
}

bool
inside_took_long(const struct replayer *r, uint64_t from_ns,
		 const struct event *ev)
{
	return (ev->flags & EVF_RUNS) && inside_ends_with_call(ev) &&
	       ev->time_ns > from_ns &&
	       ev->time_ns - from_ns >= timeline_slice(r);
}

static int
told(const struct replayer *r, target_progress *progress, void *ctx,
     struct err *err)
{
	if (!progress || progress(ctx, r->now->seq, r->peek.seq))
		return 0;
	return err_set(err, E_CANCELLED, "stopped on the way to e%lu",
		       r->peek.seq);
}

/* It never ends: the event tells what is wrong. */
static void
give_up(struct puppet *p)
{
	p->halted = true;
	p->halt = (struct halt){ .what = HALT_TIMEOUT };
}

/* Work until somebody stands at the event, if it takes as long as it took. */
static uint64_t
left(const struct replayer *r, const struct puppet *p, bool wanted)
{
	uint64_t all = r->peek.time_ns - p->last_ns;
	uint64_t done = r->work_ns - r->now->inside.began_ns;

	return !wanted ? UINT64_MAX : all > done ? all - done : 0;
}

/* wanted: by somebody who goes to that event. */
static int
run_slices(struct replayer *r, struct puppet *p, bool wanted,
	   target_progress *progress, void *ctx, struct err *err)
{
	uint64_t end = clock_now_ns() + step_limit(r, &r->peek);
	struct inside *in = &r->now->inside;
	int ret = 0;

	while (ret == 0 && !p->halted) {
		struct spec s = { .slice_ns = timeline_slice(r) };

		if (inside_put_counts(in, &s.tally) < 0)
			return err_set(err, E_UNSUPPORTED,
				       "too many addresses");
		r->work_mark = clock_now_ns();
		ret = spec_go(r, p, &s, err);
		replayer_worked(r);
		in->unnamed = true;
		if (ret < 0 || p->halted)
			break;
		/* It may stand there by chance. */
		if (p->regs.rip == in->end_pc)
			inside_track(r, in->end_pc);
		ret = told(r, progress, ctx, err);
		if (ret == 0)
			ret = checkpoint_inside(r, left(r, p, wanted), err);
		if (clock_now_ns() > end)
			give_up(p);
	}
	if (ret < 0)
		r->stale = true;
	return ret;
}

/* Stand in the code before r->peek that takes long: 1, with its puppet. */
static int
enter_long(struct replayer *r, struct puppet **out, struct err *err)
{
	struct inside *in = &r->now->inside;
	struct puppet *p;
	int ret = replayer_peek(r, err);

	if (ret <= 0)
		return ret;
	p = world_puppet(r->now, r->peek.task);
	if (!p || !p->pid || p->halted ||
	    !inside_took_long(r, p->last_ns, &r->peek))
		return 0;
	ret = inside_enter(r, out, err);
	if (ret == 1 && in->end_pc == 0)
		in->end_pc = inside_last_pc(*out, &r->peek);
	return ret;
}

int
inside_run_long(struct replayer *r, uint64_t seq, target_progress *progress,
		void *ctx, struct err *err)
{
	struct puppet *p;
	int ret = enter_long(r, &p, err);

	return ret <= 0 ? ret
			: run_slices(r, p, r->peek.seq == seq, progress, ctx,
				     err);
}

int
stored_go_inside(struct replayer *r, uint64_t ns, struct err *err)
{
	struct spec s = { .slice_ns = ns };
	struct puppet *p;
	int ret = replayer_refresh(r, err);

	if (ret == 0)
		ret = enter_long(r, &p, err);
	if (ret <= 0)
		return ret;
	r->work_mark = clock_now_ns();
	ret = spec_go(r, p, &s, err);
	replayer_worked(r);
	r->now->inside.unnamed = true;
	if (ret < 0)
		return ret;
	/* Its end by chance is no place to begin from. */
	return !p->halted && p->regs.rip != r->now->inside.end_pc;
}
