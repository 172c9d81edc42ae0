/*
 * From the wish to stop a task to the event that says where it stands:
 *
 *   interrupt --begin: watch its writes--> runs POINT_HOT_NS --interrupt-->
 *   stop: a few single steps, state taken --> sched event
 *
 * Any other stop in between is an event of the task itself, which does as well.
 */
#define LOG_DOMAIN "preempt"

#include "recorder/preempt.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "recorder/agent.h"
#include "recorder/engine.h"
#include "recorder/task.h"
#include "tracee/deadline.h"
#include "tracee/point_here.h"

#define KIND_POINT 2 /* args[0] of a sched event */

struct hot {
	struct deadline timer; /* ends the time in which writes are watched */
	struct task *watched;  /* whose; NULL = it is not armed */
};

int
preempt_init(struct recorder *r, struct err *err)
{
	r->hot = mem_zalloc(sizeof(*r->hot));
	return deadline_open(&r->hot->timer, err);
}

void
preempt_release(struct recorder *r)
{
	if (r->hot == NULL)
		return;
	deadline_close(&r->hot->timer);
	mem_free(r->hot);
	r->hot = NULL;
}

/* Was t interrupted at the end of that time? */
static bool
hot_disarm(struct recorder *r, const struct task *t)
{
	struct hot *h = r->hot;

	if (h->watched != t)
		return t->interrupted;
	deadline_disarm(&h->timer);
	h->watched = NULL;
	return h->timer.fired;
}

bool
preempt_is_impossible(const struct task *t)
{
	return task_space(t)->pointless;
}

uint64_t
preempt_cost(const struct task *t)
{
	return task_space(t)->point_ns;
}

void
preempt_cancel(struct recorder *r, struct task *t)
{
	if (!t->taking_now)
		return;
	point_cancel(&t->taking);
	t->taking_now = false;
	t->interrupted = hot_disarm(r, t);
}

/* ---- the time of an interval */

static uint64_t
begin_ns(const struct task *t)
{
	return t->event_ns > t->turn_ns ? t->event_ns : t->turn_ns;
}

static void
set_mark(const struct recorder *r, struct task *t)
{
	t->taking.mark_ns = r->now_ns;
	t->taking.last_cpu_ns = t->taking.mark_cpu_ns;
	t->taking.mark_cpu_ns = cputime_ns(t->tid);
}

void
preempt_tick(const struct recorder *r, struct task *t)
{
	/* The first of an interval says most: until then the task may have
	 * waited for the CPU, later its clock tells. After a point it does from
	 * the begin. */
	if (t->taking.mark_ns < t->event_ns)
		set_mark(r, t);
}

/* CPU time since its last event, or little more: what came before the mark took
 * no longer than by the clock, and no more than since the mark before. */
static uint64_t
interval_ns(const struct recorder *r, const struct task *t)
{
	const struct point_taking *c = &t->taking;
	uint64_t wall = task_computes_ns(r, t), begin = begin_ns(t), cpu;

	cpu = cputime_ns(t->tid) - c->mark_cpu_ns;
	if (c->mark_ns > begin) {
		uint64_t by_clock = c->mark_ns - begin;
		uint64_t by_cpu = c->mark_cpu_ns - c->last_cpu_ns;

		cpu += by_cpu < by_clock ? by_cpu : by_clock;
	}
	return cpu < wall ? cpu : wall;
}

/* ---- the test */

#define TEST_TICK_MIN_NS 500000u
#define TEST_TICK_MAX_NS 5000000u

static void
new_slice(struct preempt_test *p)
{
	double part = 1;

	if (p->seed != 0)
		part = 2.0 * rand_r(&p->seed) / RAND_MAX;
	p->now_ns = (uint64_t)(part * (double)p->slice_ns);
}

int
preempt_test_env(struct preempt_test *p, struct err *err)
{
	const char *s = getenv("PASTIME_PREEMPT");
	char *end;
	double ms;

	if (s == NULL)
		return 0;
	ms = strtod(s, &end);
	while (*end == ',') {
		if (strncmp(end, ",seed=", 6) == 0)
			p->seed = (unsigned)strtoul(end + 6, &end, 10);
		else if (strncmp(end, ",sums", 5) == 0) {
			p->sums = true;
			end += 5;
		} else {
			break;
		}
	}
	if (*end != '\0' || !(ms > 0 && ms < 1e6))
		return err_set(err, E_USAGE, "PASTIME_PREEMPT=%s: not a slice",
			       s);
	p->slice_ns = (uint64_t)(ms * 1e6);
	new_slice(p);
	return 0;
}

bool
preempt_test_due(const struct recorder *r, const struct task *t)
{
	const struct preempt_test *p = &r->opts.preempt;

	return p->slice_ns != 0 && !preempt_is_impossible(t) &&
	       task_computes_ns(r, t) >= p->now_ns &&
	       interval_ns(r, t) >= p->now_ns;
}

/* Its slice is CPU time, of which it may get less than all. In an interval that
 * is not marked yet the next tick is soon, which marks it (preempt_tick). */
uint64_t
preempt_test_tick(const struct recorder *r, const struct task *t)
{
	const struct preempt_test *p = &r->opts.preempt;
	uint64_t least = p->slice_ns / 4, done = task_computes_ns(r, t);
	bool marked = t->taking.mark_ns >= t->event_ns;

	if (p->slice_ns == 0)
		return 0;
	least = least < TEST_TICK_MIN_NS   ? TEST_TICK_MIN_NS
		: least > TEST_TICK_MAX_NS ? TEST_TICK_MAX_NS
					   : least;
	return marked && p->now_ns > done + least ? p->now_ns - done : least;
}

int
preempt_test_done(struct recorder *r, struct task *t, struct err *err)
{
	struct preempt_test *p = &r->opts.preempt;

	if (p->slice_ns == 0)
		return 0;
	new_slice(p);
	return p->sums ? sum_event(r, t, err) : 0;
}

/* ---- taking */

/* Let it run for as long as its writes are watched, then stop it. Two of them
 * at a time are rare: then everything waits for the second. */
static int
run_hot(struct recorder *r, struct task *t)
{
	struct timespec ts = { .tv_nsec = POINT_HOT_NS };
	struct hot *h = r->hot;
	int ret = task_resume(t, PTRACE_CONT, 0);

	if (ret < 0)
		return ret;
	if (h->watched == NULL) {
		t->interrupted = true;
		h->watched = t;
		deadline_arm(&h->timer, t->tid, POINT_HOT_NS);
		return PREEMPT_ON_ITS_WAY;
	}
	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
		continue;
	t->interrupted = ptrace_interrupt(t->tid) == 0;
	return PREEMPT_ON_ITS_WAY;
}

/* Its memory cannot be watched; the program is none the worse for it. */
static int
impossible(struct recorder *r, struct task *t, const struct err *why)
{
	log_info("task %u: no points: %s", t->number, why->text);
	preempt_cancel(r, t);
	task_space(t)->pointless = true;
	return PREEMPT_IMPOSSIBLE;
}

/* What maps memory is an event. */
static bool
maps_are_known(const struct recorder *r, const struct space *s)
{
	return s->point_seq != 0 && s->point_seq == r->seq;
}

int
preempt_begin(struct recorder *r, struct task *t, struct err *err)
{
	struct space *s = task_space(t);
	uint64_t start = clock_now_ns();
	struct err why = { 0 };
	int ret = 0;

	if (s->pointless)
		return PREEMPT_IMPOSSIBLE;
	if (agent_interrupted(t)) {
		ret = task_go(t, PTRACE_CONT, 0);
		return ret < 0 ? ret : PREEMPT_ON_ITS_WAY;
	}
	if (s->dirty == NULL)
		ret = dirty_open(&s->dirty, t->tid, &s->mem, !dirty_probe(),
				 &why);
	t->taking.same_maps = maps_are_known(r, s);
	if (ret == 0) {
		ret = point_hot(&t->taking, t->tid, &s->mem, s->dirty, &why);
		t->taking_now = ret == 0 || ret == POINT_READY;
	}
	if (ret == -E_GONE)
		return ret;
	if (ret < 0)
		return impossible(r, t, &why);
	if (ret == POINT_EVENT) {
		ret = task_go(t, PTRACE_CONT, 0);
		return ret < 0 ? ret : PREEMPT_ON_ITS_WAY;
	}
	s->point_ns = clock_now_ns() - start;
	/* At a signal's stop a step would not be one. */
	if (ret == POINT_READY && t->stop.kind == STOP_EVENT_STOP)
		return preempt_stop(r, t, err);
	return run_hot(r, t);
}

static int
put_point(struct recorder *r, struct task *t, const struct point *p,
	  struct err *err)
{
	struct buf stored = { 0 };
	struct regs regs;
	struct event ev;
	int ret = ptrace_get_regs(t->tid, &regs);

	if (ret < 0)
		return ret;
	event_begin(r, t, EV_sched, &ev);
	ev.flags = EVF_RUNS;
	ev.args[0] = KIND_POINT;
	ev.args[1] = !p->complete;
	ev.pc = regs.rip;
	ev.sp = regs.rsp;
	ev.reghash = regs_hash(&regs);
	point_encode(p, &stored);
	item_put_bytes(&r->items, ITEM_POINT, 0, buf_span(&stored));
	buf_free(&stored);
	t->last = regs;
	set_mark(r, t);
	ret = event_put(r, &ev, err);
	task_space(t)->point_seq = r->seq;
	return ret;
}

int
preempt_stop(struct recorder *r, struct task *t, struct err *err)
{
	uint64_t start = clock_now_ns();
	struct point p = { 0 };
	struct err why = { 0 };
	bool ignored = signal_is_ignored(t, SIGTRAP);
	int ret;

	hot_disarm(r, t);
	ret = point_take(&t->taking, interval_ns(r, t), &p, &why);
	if (ret == POINT_AGAIN)
		return run_hot(r, t);
	t->taking_now = false;
	if (ret == POINT_STOP) {
		t->stop.kind = STOP_NONE;
		return PREEMPT_ON_ITS_WAY;
	}
	if (ret < 0)
		return ret == -E_GONE ? ret : impossible(r, t, &why);
	/* The kernel makes it SIG_DFL at a step's trap. */
	if (ignored && t->taking.steps > 0 &&
	    signal_ignore(t, SIGTRAP, err) < 0)
		ret = -E_GONE;
	if (ret == POINT_EVENT) {
		ret = task_go(t, PTRACE_CONT, 0);
		return ret < 0 ? ret : PREEMPT_ON_ITS_WAY;
	}
	if (ret == POINT_TAKEN)
		ret = put_point(r, t, &p, err);
	point_free(&p);
	task_space(t)->point_ns += clock_now_ns() - start;
	return ret < 0 ? ret : PREEMPT_DONE;
}

int
preempt_here(struct recorder *r, struct task *t, bool may_trap, struct err *err)
{
	struct space *s = task_space(t);
	uint64_t start = clock_now_ns();
	struct point p = { 0 };
	struct err why = { 0 };
	int ret = 0;

	if (s->pointless)
		return PREEMPT_IMPOSSIBLE;
	if (s->dirty == NULL)
		ret = dirty_open(&s->dirty, t->tid, &s->mem, !dirty_probe(),
				 &why);
	t->taking.same_maps = maps_are_known(r, s);
	if (ret == 0)
		ret = point_here(&t->taking, t->tid, &s->mem, s->dirty,
				 interval_ns(r, t), may_trap, &p, &why);
	if (ret < 0)
		return ret == -E_GONE ? ret : impossible(r, t, &why);
	if (ret == POINT_EVENT)
		return PREEMPT_IMPOSSIBLE;
	ret = put_point(r, t, &p, err);
	point_free(&p);
	s->point_ns = clock_now_ns() - start;
	return ret < 0 ? ret : PREEMPT_DONE;
}
