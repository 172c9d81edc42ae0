/*
 * The baton. A group's runner is the one task that may run user code:
 *
 *   RUNNING --blocking call--> BLOCKED --exit stop--> READY --pump--> RUNNING
 *      |                                               ^
 *      +------------- turn over, at an event ----------+
 *
 * A runner that computes, without an event, while others wait is stopped after
 * a slice, sooner when it spins on memory (two samples of its registers agree):
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
#define TURN_NS (10 * MS)     /* a turn ends at the first event after this */
#define TICK_NS (5 * MS)
#define SAMPLE_NS (10 * MS)   /* between two looks at a runner that computes */
#define SPIN_NEAR 256	      /* bytes of code that a spin may cover */
#define SLICE_NS (50 * MS)    /* for computing, when others wait */
#define COST_SHARE 10u	      /* at least so many times what a point costs */
#define UNTIMED_NS (5000 * MS)
#define STASH_NS (20 * MS) /* a signal waits so long for an event */
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
sched_continue(struct recorder *r, struct task *t)
{
	struct group *g = task_group(t);
	bool over = t->yielded || g->wanted.len > 0 ||
		    r->now_ns - t->turn_ns >= chaos_slice(r, t, TURN_NS);
	int ends = chaos_turn_ends(r, t, NULL), ret;

	if (ends < 0)
		return ends;
	ret = nondet_go_on(t, NULL);
	if (ret < 0)
		return ret;
	t->yielded = false;
	if (ends == 0 && (!over || !is_waited_for(r, g))) {
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

/* How often we must look, 0 = not at all. */
static uint64_t
tick_wanted(struct recorder *r)
{
	uint64_t chaos = chaos_tick_ns(r);

	for (size_t i = 0; i < r->groups.len; i++) {
		const struct group *g = r->groups.v[i];

		if (!is_computing(g->runner))
			continue;
		if (is_waited_for(r, g) || g->runner->stash.signo != 0)
			return chaos != 0 && chaos < TICK_NS ? chaos : TICK_NS;
		if (preempt_test_tick(r) != 0)
			return preempt_test_tick(r);
	}
	if (chaos != 0)
		return chaos;
	return r->flush_ns != 0 ? r->opts.flush_ms * MS : 0;
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
	uint64_t limit = preempt_is_impossible(t) ? UNTIMED_STASH_NS : STASH_NS;

	return t->stash.signo != 0 && !t->stash.sent &&
	       r->now_ns - t->stash.since_ns >= limit;
}

/* When to look at a runner that computes, and how often. */
static uint64_t
sample_ns(struct recorder *r, const struct task *t)
{
	uint64_t slice = chaos_slice(r, t, SAMPLE_NS);

	return slice < SAMPLE_NS ? slice : SAMPLE_NS;
}

int
sched_tick(struct recorder *r, struct err *err)
{
	set_tick(r, tick_wanted(r));
	for (size_t i = 0; i < r->groups.len; i++) {
		struct group *g = r->groups.v[i];
		struct task *t = g->runner;
		bool late;

		if (!is_computing(t) || t->interrupted)
			continue;
		late = stash_is_overdue(r, t) || preempt_test_due(r, t);
		late |= is_waited_for(r, g) &&
			task_computes_ns(r, t) >= sample_ns(r, t) &&
			r->now_ns - t->sample_ns >= sample_ns(r, t);
		if (!late)
			continue;
		t->sample_ns = r->now_ns;
		t->interrupted = ptrace_interrupt(t->tid) == 0;
	}
	if (r->flush_ns != 0 &&
	    r->now_ns - r->flush_ns >= r->opts.flush_ms * MS) {
		r->flush_ns = 0;
		if (!r->failed)
			return r->sink->ops->flush(r->sink, err);
	}
	return 0;
}

/* Do two samples differ by no more than a spin's place in its loop? */
static bool
samples_agree(const struct regs *a, const struct regs *b)
{
	struct regs x = *a, y = *b;
	uint64_t far = x.rip > y.rip ? x.rip - y.rip : y.rip - x.rip;

	x.rip = y.rip = 0;
	x.eflags = y.eflags = 0;
	return far < SPIN_NEAR && memcmp(&x, &y, sizeof(x)) == 0;
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

/* How long a runner may compute while others wait. */
static uint64_t
slice_of(struct recorder *r, const struct task *t)
{
	uint64_t slice = chaos_slice(r, t, SLICE_NS);
	uint64_t dear = preempt_cost(t) * COST_SHARE;

	if (preempt_is_impossible(t))
		return UNTIMED_NS;
	return dear > slice ? dear : slice;
}

/* t computes and others wait: is its turn over? */
static bool
turn_is_over(struct recorder *r, struct task *t, const struct regs *regs)
{
	bool spins =
		samples_agree(regs, &t->sample) && !preempt_is_impossible(t);

	t->sample = *regs;
	return spins || task_computes_ns(r, t) >= slice_of(r, t);
}

/* t stands at a point: do what it was stopped for. */
static int
at_point(struct recorder *r, struct task *t, struct err *err)
{
	int ret;

	if (stash_is_overdue(r, t))
		return signal_now(r, t, err);
	ret = chaos_cut(r, t, err);
	if (ret < 0)
		return ret;
	t->yielded = true;
	return sched_continue(r, t);
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
		return at_point(r, t, err);
	return how == PREEMPT_IMPOSSIBLE ? at_no_point(r, t, err) : how;
}

int
sched_interrupted(struct recorder *r, struct task *t, struct err *err)
{
	bool ours = t->interrupted, waited;
	struct regs regs;
	int ret;

	t->interrupted = false;
	if (agent_interrupted(t)) {
		preempt_cancel(t);
		return task_resume(t, PTRACE_CONT, 0);
	}
	if (t->taking_now)
		return preempted(r, t, preempt_stop(r, t, err), err);
	if (!ours || t->state != TASK_RUNNING || t->call.active)
		return task_resume(t, PTRACE_CONT, 0);
	waited = is_waited_for(r, task_group(t));
	ret = ptrace_get_regs(t->tid, &regs);
	if (ret < 0)
		return ret;
	if (task_is_at(t, &regs)) /* it has not begun: as good as an event */
		return at_point(r, t, err);
	if (!stash_is_overdue(r, t) && !preempt_test_due(r, t) &&
	    !(waited && turn_is_over(r, t, &regs)))
		return task_resume(t, PTRACE_CONT, 0);
	chaos_disarm(r, t);
	return preempted(r, t, preempt_begin(r, t, err), err);
}
