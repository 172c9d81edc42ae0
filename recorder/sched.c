/*
 * The baton. A group's runner is the one task that may run user code:
 *
 *   RUNNING --blocking call--> BLOCKED --exit stop--> READY --pump--> RUNNING
 *      |                                               ^
 *      +------------- turn over, at an event ----------+
 *
 * A runner that computes, without an event, while others wait is stopped after
 * a slice, sooner when it spins on memory (two looks at its registers agree):
 * at an execution point, which is an event (preempt.c). Only where points are
 * impossible it is stopped wherever it is, much later: a time-bounded switch,
 * at which a replay of the group must end.
 */
#include "recorder/sched.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "recorder/agent.h"
#include "recorder/chaos.h"
#include "recorder/engine.h"
#include "recorder/nondet.h"
#include "recorder/preempt.h"
#include "recorder/task.h"

#define MS 1000000ull
#define TICK_NS (5 * MS)
#define TICK_MIN_NS (MS / 20)
#define LOOK_NS MS	  /* a runner computes for so long: what does it do? */
#define AGAIN_NS (MS / 4) /* the next look; then at twice the time */
#define LOST_NS (50 * MS) /* an interrupt that was not reported until then */
#define SLICE_NS (50 * MS)    /* for computing, when others want to compute */
#define WOKEN_SLICE_NS (10 * MS) /* ... when they come from a call */
#define COST_SHARE 10u	      /* at least so many times what a point costs */
#define SPIN_SHARE 2u	      /* the same for what looks like a spin */
#define UNTIMED_NS (5000 * MS)
#define STASH_NS (MS / 3) /* a signal waits for an event that is near */
#define LATE_NS (20 * MS) /* ... or for a worse place */
#define UNTIMED_STASH_NS (100 * MS)

#define TICK_SIGNAL (SIGRTMAX - 2)

void
sched_ready(struct task *t, enum task_next next)
{
	struct group *g = task_group(t);

	ASSERT(g->runner != t);
	t->state = TASK_READY;
	t->next = next;
	vec_push(&g->ready, t);
	if (g->runner != NULL)
		agent_no_waits(g->runner);
}

void
sched_release(struct task *t)
{
	struct group *g = task_group(t);

	if (g->runner == t)
		g->runner = NULL;
}

void
sched_forget(struct recorder *r, struct task *t)
{
	struct group *g = task_group(t);

	sched_release(t);
	for (size_t i = 0; i < g->ready.len; i++) {
		if (g->ready.v[i] == t) {
			vec_remove(&g->ready, i);
			break;
		}
	}
	for (size_t i = 0; i < r->groups.len; i++) {
		struct group *w = r->groups.v[i];

		for (size_t k = 0; k < w->wanted.len; k++) {
			if (w->wanted.v[k] == t) {
				vec_remove(&w->wanted, k);
				break;
			}
		}
	}
}

void
sched_yield_turn(struct task *t)
{
	t->yielded = true;
}

bool
sched_others(const struct task *t)
{
	return task_group(t)->live > 1;
}

static bool
is_waited_for(const struct recorder *r, const struct group *g)
{
	return g->wanted.len > 0 || chaos_waits(r, g);
}

int
sched_continue(struct recorder *r, struct task *t, struct err *err)
{
	struct group *g = task_group(t);
	bool over = t->yielded || g->wanted.len > 0 ||
		    r->now_ns - t->turn_ns >= chaos_slice(r, t, TURN_NS);
	int ends, ret;

	ret = nondet_go_on(t, err);
	if (ret < 0)
		return ret;
	if (t->stash.signo != 0 && !t->stash.sent)
		return signal_now(r, t, err);
	ends = chaos_turn_ends(r, t, err);
	if (ends < 0)
		return ends;
	t->yielded = false;
	if (ends == 0 && !spin_is_stuck(r, t) &&
	    (!over || !is_waited_for(r, g))) {
		chaos_resume(r, t);
		return task_resume(t, PTRACE_CONT, 0);
	}
	sched_release(t);
	sched_ready(t, NEXT_RESUME);
	return 0;
}

/* Killed in the stop where it waited. */
static bool
is_dying(const struct task *t)
{
	struct stop stop;

	return stop_peek(t->tid, false, &stop) == 0 && stop.kind != STOP_NONE;
}

/* 1: nobody wants it now. */
static int
give_baton(struct recorder *r, struct group *g, struct err *err)
{
	struct task *t;
	ssize_t next;

	if (g->wanted.len > 0) {
		t = g->wanted.v[0];
		vec_remove(&g->wanted, 0);
		t->next = NEXT_ENTRY;
		return dispatch_turn(r, t, err);
	}
	next = chaos_choose(r, g);
	if (next < 0)
		return 1;
	t = g->ready.v[next];
	vec_remove(&g->ready, (size_t)next);
	if (is_dying(t)) {
		t->state = TASK_BLOCKED; /* its exit stop comes */
		return 0;
	}
	g->runner = t;
	t->state = TASK_RUNNING;
	t->turn_ns = r->now_ns;
	t->look_ns = 0;
	spin_turn(t);
	return dispatch_turn(r, t, err);
}

int
sched_pump(struct recorder *r, struct err *err)
{
	for (size_t i = 0; i < r->groups.len;) {
		struct group *g = r->groups.v[i];
		int ret;

		ret = 1;
		if (g->runner == NULL && g->ready.len + g->wanted.len > 0)
			ret = give_baton(r, g, err);
		if (ret < 0)
			return ret;
		i = ret == 0 ? 0 : i + 1; /* groups may have come and gone */
	}
	for (size_t i = 0; i < r->groups.len; i++)
		agent_open(r, r->groups.v[i]);
	return 0;
}

/* --- timers ------------------------------------------------------------- */

static void
on_tick(int signo)
{
	(void)signo; /* it ends waitpid with EINTR, no more */
}

int
sched_init(struct recorder *r, struct err *err)
{
	struct sigaction sa = { .sa_handler = on_tick }; /* no SA_RESTART */
	struct sigevent ev = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = TICK_SIGNAL,
	};
	sigset_t set;
	timer_t timer;

	ev._sigev_un._tid = gettid();
	if (sigaction(TICK_SIGNAL, &sa, NULL) < 0 ||
	    timer_create(CLOCK_MONOTONIC, &ev, &timer) < 0)
		return err_errno(err, "cannot set up a timer");
	sigemptyset(&set);
	sigaddset(&set, TICK_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	r->timer = timer;
	r->has_timer = true;
	return 0;
}

void
sched_release_timer(struct recorder *r)
{
	if (r->has_timer)
		timer_delete(r->timer);
	r->has_timer = false;
}

static bool
is_computing(const struct task *t)
{
	return t != NULL && t->state == TASK_RUNNING &&
	       t->stop.kind == STOP_NONE && !t->call.active;
}

/* How long t may compute until we look at it (again). */
static uint64_t
look_ns(struct recorder *r, const struct task *t)
{
	uint64_t slice = chaos_slice(r, t, LOOK_NS);

	if (t->look_ns > slice || (t->look_ns != 0 && slice > LOOK_NS))
		return t->look_ns;
	if (slice > LOOK_NS)
		slice = LOOK_NS;
	return t->look_ns == 0 ? spin_look_ns(t, slice) : slice;
}

/* A signal that waits for an event of t may wait for so long. */
static uint64_t
stash_wait_ns(const struct task *t)
{
	return preempt_is_impossible(t) ? UNTIMED_STASH_NS : t->stash.wait_ns;
}

static void
sooner(uint64_t *tick, uint64_t now, uint64_t due)
{
	uint64_t ns = due > now + TICK_MIN_NS ? due - now : TICK_MIN_NS;

	if (ns > TICK_NS)
		ns = TICK_NS;
	if (*tick == 0 || ns < *tick)
		*tick = ns;
}

/* How often we must look, 0 = not at all. */
static uint64_t
tick_wanted(struct recorder *r)
{
	uint64_t tick = chaos_tick_ns(r);

	for (size_t i = 0; i < r->groups.len; i++) {
		const struct group *g = r->groups.v[i];
		const struct task *t = g->runner;
		uint64_t test;

		if (!is_computing(t))
			continue;
		if (t->stash.signo != 0)
			sooner(&tick, r->now_ns,
			       t->stash.since_ns + stash_wait_ns(t));
		if (is_waited_for(r, g))
			sooner(&tick, task_computes_ns(r, t), look_ns(r, t));
		else if (g->ready.len > 0) /* who is stuck may be so no more */
			sooner(&tick, 0, TICK_NS);
		test = preempt_test_tick(r, t);
		if (test != 0 && (tick == 0 || test < tick))
			tick = test;
	}
	if (agent_tick_ns(r) != 0)
		sooner(&tick, 0, agent_tick_ns(r));
	if (tick != 0)
		return tick;
	return r->flush_ns != 0 || agent_is_busy(r) ? r->opts.flush_ms * MS : 0;
}

/* A period rather than one shot: a tick that comes just before waitpid
 * sleeps is made good by the next. */
static void
set_tick(struct recorder *r, uint64_t period_ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(period_ns / (1000 * MS)),
		.tv_nsec = (long)(period_ns % (1000 * MS)),
	};
	struct itimerspec it = { .it_interval = ts, .it_value = ts };

	if (r->tick_ns == period_ns)
		return;
	timer_settime(r->timer, 0, &it, NULL);
	r->tick_ns = period_ns;
}

int
sched_wait(struct recorder *r, struct stop *out, struct err *err)
{
	uint64_t wanted = tick_wanted(r);
	int ret;

	/* Slower, or off, only at a tick: it is not worth a call at each stop. */
	if (wanted != 0 && (r->tick_ns == 0 || wanted < r->tick_ns))
		set_tick(r, wanted);
	ret = stop_wait(-1, true, out);
	r->now_ns = clock_now_ns() - r->start_ns;
	if (ret == -EINTR) {
		*out = (struct stop){ .kind = STOP_NONE };
		return 0;
	}
	if (ret < 0 && ret != -ECHILD) {
		errno = -ret;
		return err_errno(err, "wait");
	}
	return ret;
}

/* A signal has waited for too long for an event of t. */
static bool
stash_is_overdue(const struct recorder *r, const struct task *t)
{
	return t->stash.signo != 0 && !t->stash.sent &&
	       r->now_ns - t->stash.since_ns >= stash_wait_ns(t);
}

/* An interrupt was asked for. It may have been taken in the midst of a call
 * that we had the task make: after a while it is asked for once more. */
static bool
is_on_its_way(const struct recorder *r, const struct task *t)
{
	return t->interrupted && r->now_ns - t->taking.asked_ns < LOST_NS;
}

int
sched_tick(struct recorder *r, struct err *err)
{
	int ret = agent_drain(r, err);

	if (ret < 0)
		return ret;
	set_tick(r, tick_wanted(r));
	for (size_t i = 0; i < r->groups.len; i++) {
		struct group *g = r->groups.v[i];
		struct task *t = g->runner;
		bool late;

		for (size_t k = 0; k < g->ready.len; k++)
			spin_tick(r, g->ready.v[k]);
		if (!is_computing(t) || is_on_its_way(r, t))
			continue;
		/* Calls that do not stop are no end of a turn. */
		if (is_waited_for(r, g) && r->now_ns - t->turn_ns >= TURN_NS)
			agent_break(t);
		preempt_tick(r, t);
		late = stash_is_overdue(r, t) || preempt_test_due(r, t);
		late |= is_waited_for(r, g) &&
			task_computes_ns(r, t) >= look_ns(r, t);
		if (!late)
			continue;
		t->taking.asked_ns = r->now_ns;
		t->interrupted = ptrace_interrupt(t->tid) == 0;
	}
	if (r->flush_ns != 0 &&
	    r->now_ns - r->flush_ns >= r->opts.flush_ms * MS) {
		r->flush_ns = 0;
		event_flush(r);
	}
	return 0;
}

static int
switch_untimed(struct recorder *r, struct task *t, const struct regs *regs,
	       struct err *err)
{
	struct event ev;
	int ret;

	event_begin(r, t, EV_sched, &ev);
	ev.flags = EVF_RUNS | EVF_UNTIMED;
	ev.args[0] = 1;
	ev.pc = regs->rip;
	ev.sp = regs->rsp;
	item_put_bytes(&r->items, ITEM_REGS, 0, span_of(regs, sizeof(*regs)));
	ret = event_put(r, &ev, err);
	if (ret < 0)
		return ret;
	t->last = *regs;
	warn(r, t, WARN_UNTIMED, -1,
	     "a thread was stopped while it computed, because others of its "
	     "process waited: replay ends there");
	sched_release(t);
	sched_ready(t, NEXT_RESUME);
	return 0;
}

/* Somebody comes from a call and wants to go on: such turns are short. */
static bool
has_woken(const struct group *g)
{
	for (size_t i = 0; i < g->ready.len; i++)
		if (g->ready.v[i]->next != NEXT_RESUME)
			return true;
	return g->wanted.len > 0;
}

/* How long a runner may compute while others wait. */
static uint64_t
slice_of(struct recorder *r, const struct task *t)
{
	uint64_t slice = chaos_slice(
		r, t, has_woken(task_group(t)) ? WOKEN_SLICE_NS : SLICE_NS);
	uint64_t dear = preempt_cost(t) * COST_SHARE;

	if (preempt_is_impossible(t))
		return UNTIMED_NS;
	return dear > slice ? dear : slice;
}

/* t computes and others wait: is its turn over? Less than 0: an error; 2: it
 * has run on to another stop. */
static int
turn_is_over(struct recorder *r, struct task *t, const struct regs *regs,
	     struct err *err)
{
	uint64_t for_ns = task_computes_ns(r, t), slice = slice_of(r, t);
	bool over = for_ns >= slice;
	int found;

	if (preempt_is_impossible(t))
		return over;
	found = spin_look(r, t, regs, err);
	if (found < 0 || found == SPIN_STOP)
		return found < 0 ? found : 2;
	if (found == SPIN_FOUND)
		return 1;
	/* In two places at the least, or what it did before is compared. */
	over |= t->waiting.spun && t->look_ns != 0 &&
		for_ns >= preempt_cost(t) * SPIN_SHARE;
	t->look_ns = t->look_ns == 0 ? for_ns + AGAIN_NS : for_ns * 2;
	if (t->look_ns > slice && for_ns < slice)
		t->look_ns = slice;
	return over;
}

int
sched_at_point(struct recorder *r, struct task *t, struct err *err)
{
	int ret;

	if (t->stash.signo != 0 && !t->stash.sent)
		return signal_now(r, t, err);
	ret = chaos_cut(r, t, err);
	if (ret < 0)
		return ret;
	spin_ends(r, t);
	t->yielded = true;
	return sched_continue(r, t, err);
}

/* It cannot be at one: do it all the same. */
static int
at_no_point(struct recorder *r, struct task *t, struct err *err)
{
	struct regs regs;
	int ret;

	if (stash_is_overdue(r, t))
		return signal_now(r, t, err);
	if (!is_waited_for(r, task_group(t)) ||
	    task_computes_ns(r, t) < slice_of(r, t))
		return task_resume(t, PTRACE_CONT, 0);
	ret = ptrace_get_regs(t->tid, &regs);
	return ret < 0 ? ret : switch_untimed(r, t, &regs, err);
}

static int
preempted(struct recorder *r, struct task *t, int how, struct err *err)
{
	int ret = how == PREEMPT_DONE ? preempt_test_done(r, t, err) : 0;

	if (ret < 0)
		return ret;
	if (how == PREEMPT_DONE)
		return sched_at_point(r, t, err);
	return how == PREEMPT_IMPOSSIBLE ? at_no_point(r, t, err) : how;
}

int
sched_interrupted(struct recorder *r, struct task *t, struct err *err)
{
	bool ours = t->interrupted, waited, overdue;
	struct regs regs;
	int ret;

	t->interrupted = false;
	if (agent_interrupted(t)) {
		preempt_cancel(r, t);
		return task_resume(t, PTRACE_CONT, 0);
	}
	if (t->taking_now)
		return preempted(r, t, preempt_stop(r, t, err), err);
	if (!ours || t->state != TASK_RUNNING || t->call.active)
		return task_resume(t, PTRACE_CONT, 0);
	/* A signal is the next thing, where it stands: not a step further. */
	if (t->stash.sent)
		return task_resume_in_place(t);
	waited = is_waited_for(r, task_group(t));
	ret = ptrace_get_regs(t->tid, &regs);
	if (ret < 0)
		return ret;
	overdue = stash_is_overdue(r, t) || preempt_test_due(r, t);
	if (!overdue && !spin_has_run(t)) {
		t->look_ns = task_computes_ns(r, t) + AGAIN_NS;
		return task_resume(t, PTRACE_CONT, 0);
	}
	if (task_is_at_event(t,
			     &regs)) /* it has not begun: as good as an event */
		return sched_at_point(r, t, err);
	if (!overdue) {
		ret = waited ? turn_is_over(r, t, &regs, err) : 0;
		if (ret <= 0)
			return ret < 0 ? ret : task_resume(t, PTRACE_CONT, 0);
		if (ret == 2) {
			t->stop.kind = STOP_NONE;
			return 0;
		}
	}
	if (!stash_is_overdue(r, t) && chaos_stops_it(r, t))
		return task_resume(t, PTRACE_CONT, 0);
	chaos_disarm(r, t);
	return preempted(r, t, preempt_begin(r, t, err), err);
}

int
sched_stashed(struct recorder *r, struct task *t, struct err *err)
{
	uint64_t computes = task_computes_ns(r, t);

	/* What has computed for long will do so for long. */
	t->stash.wait_ns = r->chaos != NULL	 ? LATE_NS
			   : computes < STASH_NS ? STASH_NS
						 : 0;
	if (t->stash.wait_ns != 0 || preempt_is_impossible(t))
		return task_resume(t, PTRACE_CONT, 0);
	return preempted(r, t, preempt_begin(r, t, err), err);
}
