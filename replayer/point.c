/* Execution points: places in computation that a task was stopped at. */
#include "replayer/internal.h"

#include "tracee/point.h"
#include <signal.h>
#include <stdio.h>

/* The search's timer (tracee/deadline.h) wants its signal, whatever thread this
 * is. */
static void
allow_timer(sigset_t *old)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMAX - 3);
	pthread_sigmask(SIG_UNBLOCK, &set, old);
}

static const char *const found_text[] = {
	[POINT_FOUND] = "",
	[POINT_MISS_EVENT] = "a call or a fault came before that state",
	[POINT_MISS_LIMIT] = "still computing, never there in that state",
	[POINT_MISS_CODE] = "other instructions at that place",
};

static int
not_found(struct replayer *r, const struct event *ev,
	  const struct point_found *f, struct err *err)
{
	char want[128], found[160];

	snprintf(want, sizeof(want), "an execution point at pc 0x%lx, sp 0x%lx",
		 ev->pc, ev->sp);
	snprintf(found, sizeof(found), "%s (%u arrivals that differ)",
		 found_text[f->miss], f->mismatches);
	return diverge(r, ev, err, want, found,
		       ev->args[1] ? "what the task had written was not "
				     "recorded completely at this point"
				   : "memory differs: an output of an earlier "
				     "call that was not recorded, or memory "
				     "shared with something outside");
}

/* Run p to the point pt. 1: it stands there, 0: it was not found. */
static int
go_to(struct replayer *r, struct puppet *p, const struct event *ev,
      const struct point *pt, struct point_found *f, struct err *err)
{
	const struct point_search s = { .limit_ns = step_limit(r, ev) };
	struct point_run run;
	sigset_t old;
	int ret;

	ret = puppet_settle(p, err);
	if (ret < 0)
		return ret;
	place_follow(r, p);
	run = (struct point_run){ .tid = p->pid,
				  .mem = mem_of_task(&p->space->mem, p->pid) };
	allow_timer(&old);
	ret = point_find(&run, pt, &s, f, err);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ret < 0 ? ret : ret == 0 ? 0 : puppet_reload(p, err);
}

static int
to_point(struct replayer *r, struct puppet *p, const struct event *ev,
	 struct span stored, struct err *err)
{
	const struct halt h = { .what = HALT_TIMEOUT };
	struct point_found f;
	struct point pt;
	int ret;

	ret = point_decode(stored, &pt, err);
	if (ret < 0)
		return ret;
	ret = go_to(r, p, ev, &pt, &f, err);
	point_free(&pt);
	if (ret < 0)
		return ret;
	return ret == 0 ? not_found(r, ev, &f, err)
			: diverge_regs(r, p, ev, p->regs.rip, &h, err);
}

int
replay_sched(struct replayer *r, const struct event *ev, struct err *err)
{
	struct puppet *p;
	struct item it;

	if (ev->flags & EVF_UNTIMED)
		return err_set(
			err, E_UNTIMED,
			"event %lu: task %u was stopped by the clock while it "
			"computed (at 0x%lx); replay cannot find that place "
			"again and ends after event %lu",
			ev->seq, ev->task, ev->pc, ev->seq - 1);
	p = step_puppet(r, ev, err);
	if (!p)
		return -E_FORMAT;
	if (!p->pid)
		return err_set(err, E_FORMAT,
			       "event %lu: task %u has no memory", ev->seq,
			       ev->task);
	if (!item_find(ev->payload, ITEM_POINT, UINT64_MAX, &it))
		return err_set(err, E_FORMAT, "event %lu lacks its point",
			       ev->seq);
	return to_point(r, p, ev, it.bytes, err);
}
