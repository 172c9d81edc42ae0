/*
 * Running a task towards a point: armed, where each visit of the point's
 * instruction is counted and compared, or natively.
 *
 * An armed task is stopped for a look now and then, at ever longer distances:
 * to compare first what tells most visits apart, and to see whether the stub
 * slows down a tight loop. For a change it must be out of the stub; when it
 * is not, the stub's entry is made to trap.
 */
#define LOG_DOMAIN "point"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "tracee/point_seek.h"
#include "tracee/ptrace.h"
#include "tracee/remote.h"
#include "tracee/stop.h"

#define MS 1000000u
#define LOOK_MIN_NS                                                            \
	(MS / 5) /* the first look; then at twice, four times, ... */
#define LOOK_MAX_NS MS
#define SAMPLE_NS (MS / 10) /* between samples for the clock */
#define NEAR_NS 15000u	    /* native runs end so close to their goal */
/* What a visit may cost beside the loop's own turn, in ns: counted, and not
 * (AMD Zen 4; elsewhere less). A turn takes a cycle at least. */
#define DEAD_COUNT 2.0
#define DEAD_BARE 0.9
#define LIVE_COUNT 3.4
#define LIVE_BARE 2.4
#define LOOP_COUNT 0.3 /* in a loop that is moved as a whole, flags dead */
#define LOOP_BARE 0.6
#define TURN_MIN 0.27
#define COUNT_FROM_NS 4.0 /* shorter turns are worth not to be counted */
#define BARE_TURN_NS 50u  /* turns that are not counted, roughly */
#define ALARM_BIT (1ull << (SIGALRM - 1))
#define TRAP_SLOW 1000.0 /* a stop for each visit of a loop */
#define GUARD_NS                                                               \
	30.0	     /* turns that are guarded although nothing was written    \
		      */
#define SLOW_MIN 1.6 /* then it is worth while to run ahead */
#define BUDGETS 3u   /* twice, 4, 8 times as much, if it is on the way */

int
seek_gone(const struct point_run *run, struct err *err)
{
	return err_set(err, E_GONE, "task %d is gone", run->tid);
}

static bool
is_fault(const struct point_run *run, const struct stop *st)
{
	uint8_t si[128];
	int32_t code;

	if (ptrace_get_siginfo(run->tid, si) < 0)
		return false;
	memcpy(&code, si + 8, sizeof(code));
	return stop_is_fault(st->signo, code);
}

/* What a stop means for whoever runs a task without following its events. */
enum halt {
	HALT_GO_ON, /* nothing: resume it */
	HALT_LOOK,  /* an interrupt */
	HALT_ALARM, /* its own timer */
	HALT_FAULT, /* a trap or fault */
	HALT_EVENT,
	HALT_DEAD,
};

static enum halt
halt_of(const struct seek *k, const struct point_run *run,
	const struct stop *st)
{
	switch (st->kind) {
	case STOP_EVENT_STOP:
		return HALT_LOOK;
	case STOP_SIGNAL:
		if (k->alarm && st->signo == SIGALRM)
			return HALT_ALARM;
		return is_fault(run, st) ? HALT_FAULT : HALT_GO_ON;
	case STOP_GROUP:
	case STOP_NONE:
		return HALT_GO_ON;
	case STOP_SECCOMP:
	case STOP_SYSCALL:
	case STOP_FORK:
	case STOP_VFORK:
	case STOP_CLONE:
	case STOP_EXEC:
		return HALT_EVENT;
	case STOP_EXITED:
	case STOP_KILLED:
	case STOP_EXIT:
		break;
	}
	return HALT_DEAD;
}

/* Resume and wait until there is something to decide. */
static int
go_on(struct seek *k, struct point_run *run, int request, enum halt *out,
      struct err *err)
{
	struct stop st;
	int ret;

	do {
		if (ptrace_resume(run->tid, request, 0) < 0)
			return seek_gone(run, err);
		ret = stop_wait_for(run->tid, &st);
		if (ret < 0)
			return seek_gone(run, err);
		k->out->stops++;
		*out = halt_of(k, run, &st);
	} while (*out == HALT_GO_ON);
	return *out == HALT_DEAD ? seek_gone(run, err) : 0;
}

/* ---- the trap at the point: breakpoint or stub */

static int
arm(struct seek *k, struct point_run *run, struct err *err)
{
	const uint8_t int3 = 0xcc;

	k->away = k->guarded = false;
	if (k->jump) {
		guard_set(k, run);
		return stub_arm(&k->stub, run, err);
	}
	if (!k->int3 && ptrace_set_break(run->tid, k->pc) == 0)
		return 0;
	k->int3 = true;
	if (mem_read_all(&run->mem, k->pc, &k->orig, 1) < 0 ||
	    mem_write_all(&run->mem, k->pc, &int3, 1) < 0)
		return err_set(err, EFAULT, "cannot write code at %#llx",
			       (unsigned long long)k->pc);
	return 0;
}

void
seek_disarm(struct seek *k, struct point_run *run)
{
	guard_clear(k, run);
	if (k->jump)
		stub_disarm(&k->stub, run);
	else if (k->int3)
		mem_write_all(&run->mem, k->pc, &k->orig, 1);
	else
		ptrace_set_break(run->tid, 0);
}

/* Over the instruction at the point, after a breakpoint's mismatch. */
static int
pass(struct seek *k, struct point_run *run, struct err *err)
{
	enum halt h;
	int ret;

	if (!k->int3) /* the kernel has set RF */
		return 0;
	seek_disarm(k, run);
	do
		ret = go_on(k, run, PTRACE_SINGLESTEP, &h, err);
	while (ret == 0 && h == HALT_LOOK);
	if (ret == 0 && h == HALT_EVENT)
		return END_EVENT;
	return ret < 0 ? ret : arm(k, run, err);
}

uint64_t
seek_visits(const struct seek *k, const struct point_run *run)
{
	uint64_t n = 0;

	if (!k->jump)
		return k->traps;
	if (k->p == NULL)
		return k->visit;
	mem_read_all(&run->mem,
		     stub_field(&k->stub, offsetof(struct stub_data, visits)),
		     &n, sizeof(n));
	return n;
}

static struct patch
patch_of(const struct seek *k)
{
	struct patch p = { .addr = k->pc };

	if (k->jump) {
		p.len = WINDOW_JUMP;
		memcpy(p.orig, k->stub.orig, sizeof(p.orig));
	} else if (k->int3) {
		p.len = 1;
		p.orig[0] = k->orig;
	}
	return p;
}

static bool
state_agrees(struct seek *k, const struct point_run *run, struct regs *regs)
{
	const struct patch patch = patch_of(k);
	ptrdiff_t sum;

	/* The stub has changed what the program will not look at. */
	if (k->jump && k->stub.flags_dead)
		regs->eflags = (regs->eflags & ~(uint64_t)POINT_ARITHMETIC) |
			       (k->p->regs.eflags & POINT_ARITHMETIC);

	if (point_regs_differ(regs, k->p) != NULL ||
	    !point_xstate_agrees(run->tid, k->p))
		return false;
	if (!k->jump && !point_ranges_agree(&run->mem, k->p, &patch))
		return false;
	sum = point_sum_differs(&run->mem, k->p, k->sum, &patch);
	if (sum < 0)
		return true;
	k->sum = (size_t)sum;
	if (k->jump)
		stub_teach(&k->stub, run, &k->p->sums.v[sum]);
	return false;
}

static int
install(struct seek *k, const struct point_run *run, struct err *err)
{
	return stub_install(&k->stub, run) < 0
		       ? err_set(err, EFAULT, "cannot write a stub")
		       : 0;
}

/* What stands at the breakpoint is code that a jump may replace now. */
static bool
try_jump_now(const struct seek *k, const struct point_run *run)
{
	const struct patch patch = patch_of(k);

	return k->jump_at != 0 && k->traps >= k->jump_at &&
	       point_code_agrees(&run->mem, k->p, &patch);
}

/* Leave it at the point's instruction, nothing armed. */
static int
stand(struct seek *k, struct point_run *run, struct regs *regs, enum end end,
      struct err *err)
{
	seek_disarm(k, run);
	regs->orig_rax = UINT64_MAX;
	return ptrace_set_regs(run->tid, regs) < 0 ? seek_gone(run, err)
						   : (int)end;
}

/* A stop for each visit of a loop: look for a clock, then run ahead. */
static bool
is_time_to_leave(struct seek *k, const struct point_run *run,
		 const struct regs *regs)
{
	if (k->ahead_at == 0)
		return false;
	if ((k->ahead_at - k->traps) % 64 == 0)
		clock_sample(k, run, regs, k->traps);
	if (k->traps < k->ahead_at)
		return false;
	k->ahead_at = k->jump_at = 0;
	k->slow = TRAP_SLOW;
	return true;
}

/* This thread's CPU time: a busy machine does not shorten a search. */
uint64_t
seek_own_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* It ran ahead: where is it, as far as anything tells? */
static enum place
where(const struct seek *k, const struct point_run *run)
{
	struct regs regs;

	if (!k->out->ran_ahead ||
	    (k->progress == NULL && k->clock.n_hands == 0) ||
	    ptrace_get_regs(run->tid, &regs) < 0)
		return PLACE_UNKNOWN;
	/* The stub has registers that are not the program's. */
	if (k->jump && stub_holds(&k->stub, regs.rip))
		return k->progress != NULL
			       ? progress_place(k->progress, run, true)
			       : PLACE_UNKNOWN;
	if (k->progress != NULL)
		return progress_place(k->progress, run, false);
	return clock_left(&k->clock, run, INFINITY) < 0 ? PLACE_BEYOND
							: PLACE_BEFORE;
}

/* With a breakpoint: too late, or beyond the point. */
static bool
is_in_vain(const struct seek *k, const struct point_run *run)
{
	if (k->give_up_ns != 0 && seek_own_ns() > k->give_up_ns)
		return true;
	return k->traps % 64 == 0 && where(k, run) == PLACE_BEYOND;
}

/* The task reached the point's instruction. */
static int
at_point(struct seek *k, struct point_run *run, struct regs *regs,
	 struct err *err)
{
	regs->rip = k->pc;
	if (!k->jump)
		k->visits = ++k->traps;
	if (k->jump && k->risky && !stub_is_armed(&k->stub, run))
		return END_SEEN;
	if (k->p != NULL ? state_agrees(k, run, regs)
			 : k->jump || k->visits == k->visit)
		return stand(k, run, regs, END_FOUND, err);
	k->out->mismatches++;
	if (!k->jump && try_jump_now(k, run))
		return stand(k, run, regs, END_JUMP, err);
	if (!k->jump && is_time_to_leave(k, run, regs))
		return stand(k, run, regs, END_TIGHT, err);
	if (!k->jump && is_in_vain(k, run))
		return END_LIMIT;
	if (k->jump) {
		regs->rip = stub_code(&k->stub, k->stub.moved_at);
	} else if (!k->int3) {
		return 0;
	}
	regs->orig_rax = UINT64_MAX;
	if (ptrace_set_regs(run->tid, regs) < 0)
		return seek_gone(run, err);
	return k->jump ? 0 : pass(k, run, err);
}

/* At the stub's entry, which is as before the point's instruction. */
static int
paused(struct seek *k, const struct point_run *run, struct regs *regs,
       struct err *err)
{
	enum pause why = k->pause;
	int ret = install(k, run, err);

	k->pause = PAUSE_NOT;
	regs->rip = k->pc;
	regs->orig_rax = UINT64_MAX;
	if (ret == 0 && ptrace_set_regs(run->tid, regs) < 0)
		ret = seek_gone(run, err);
	if (ret < 0 || why == PAUSE_TUNE)
		return ret;
	clock_sample(k, run, regs, seek_visits(k, run));
	return k->clock.n == CLOCK_SAMPLES ? END_TIGHT : 0;
}

/* A trap or fault: at the point, in the stub, or the program's own. */
static int
on_fault(struct seek *k, struct point_run *run, struct err *err)
{
	struct regs regs;
	uint64_t to, hit = k->pc;

	int hits = k->jump && k->guarded ? ptrace_debug_hits(run->tid) : 0;

	if (ptrace_get_regs(run->tid, &regs) < 0)
		return seek_gone(run, err);
	if (hits > 0)
		return guard_hit(k, run, regs.rip, (unsigned)hits, err);
	if (k->jump)
		hit = stub_code(&k->stub, stub_head()->hit) + 1;
	else if (k->int3)
		hit++;
	if (regs.rip == hit)
		return at_point(k, run, &regs, err);
	if (!k->jump)
		return END_EVENT;
	if (k->pause != PAUSE_NOT &&
	    regs.rip == stub_code(&k->stub, stub_head()->entry) + 1)
		return paused(k, run, &regs, err);
	/* int3 is reported behind itself, the others are not. */
	to = stub_redirect(&k->stub, run, regs.rip);
	if (to == 0)
		to = stub_redirect(&k->stub, run, regs.rip - 1);
	if (to == 0)
		return END_EVENT;
	regs.rip = to;
	regs.orig_rax = UINT64_MAX;
	return ptrace_set_regs(run->tid, &regs) < 0 ? seek_gone(run, err) : 0;
}

/* ---- looking at how it goes */

/* A small part of the interval: until then it may run slowly. */
static uint64_t
first_look(const struct seek *k)
{
	uint64_t ns = k->p != NULL ? k->p->cpu_ns / 16 : 0;

	return ns > LOOK_MAX_NS || ns == 0 ? LOOK_MAX_NS
	       : ns < LOOK_MIN_NS	   ? LOOK_MIN_NS
					   : ns;
}

/*
 * Would it be too slow even without counting, when a visit takes each ns? That
 * is the loop's turn and what the stub adds, all of which may be hidden behind
 * the turn; so what a turn takes at least decides, and k->slow is the worst
 * case.
 */
static bool
is_tight(struct seek *k, double each)
{
	bool dead = k->stub.flags_dead, loop = dead && k->stub.loop.count > 0;
	double count = loop ? LOOP_COUNT : dead ? DEAD_COUNT : LIVE_COUNT;
	double bare = loop ? LOOP_BARE : dead ? DEAD_BARE : LIVE_BARE;
	double turn = each - count;

	if (turn < TURN_MIN)
		turn = TURN_MIN;
	k->slow = 1 + bare / turn;
	log_debug("visit %.2f ns, flags %s, worst %.1f, first %d", each,
		  dead ? "dead" : "live", k->slow, k->stub.first.how);
	return k->slow >= SLOW_MIN ||
	       (stub_is_cheap(&k->stub) && each < COUNT_FROM_NS);
}

void
seek_choose_counting(struct seek *k)
{
	if (k->p == NULL || k->s->count || k->out->ran_ahead)
		return;
	k->stub.count = !stub_is_cheap(&k->stub);
	k->bare |= !k->stub.count;
}

/* Have it out of the stub, which cannot be changed under it. */
static int
pause_for(struct seek *k, const struct point_run *run, enum pause why,
	  struct err *err)
{
	struct regs regs;

	if (ptrace_get_regs(run->tid, &regs) < 0)
		return seek_gone(run, err);
	if (why == PAUSE_TUNE && !stub_holds(&k->stub, regs.rip))
		return install(k, run, err);
	k->pause = why;
	stub_pause(&k->stub, run);
	return 0;
}

/* It was stopped for a look, used_ns after it began. */
static int
look(struct seek *k, const struct point_run *run, uint64_t used_ns, bool ahead,
     struct err *err)
{
	uint64_t visits = seek_visits(k, run);
	double each = (double)(used_ns - k->cpu_ns) /
		      (double)(visits - k->visits + 1);

	if (k->risky && !k->away && !stub_is_armed(&k->stub, run))
		return END_SEEN;
	/* Calls that take so long have string instructions, too. */
	if (k->guarded && !k->risky && k->stub.count && each > GUARD_NS)
		guard_clear(k, run);
	k->visits = visits;
	k->cpu_ns = used_ns;
	if (k->p == NULL || k->pause != PAUSE_NOT)
		return 0;
	if (!k->tight && stub_tune(&k->stub, run, k->p,
				   (used_ns - k->tuned_ns) / BARE_TURN_NS)) {
		k->tuned_ns = used_ns;
		if (k->bare)
			seek_choose_counting(k);
		return pause_for(k, run, PAUSE_TUNE, err);
	}
	if (where(k, run) == PLACE_BEYOND)
		return END_LIMIT;
	if (k->tight || !k->stub.count || !is_tight(k, each))
		return k->tight ? pause_for(k, run, PAUSE_TIGHT, err) : 0;
	k->tight = ahead && used_ns < k->p->cpu_ns / 2;
	if (k->tight)
		return pause_for(k, run, PAUSE_TIGHT, err);
	seek_choose_counting(k);
	return k->stub.count ? 0 : pause_for(k, run, PAUSE_TUNE, err);
}

/*
 * The task's own timer: it stops within microseconds. The tracer's would come
 * late by a time slice, some 3 ms, when both share a busy CPU.
 */
static int
set_alarm(const struct point_run *run, uint64_t ns, struct err *err)
{
	const uint64_t args[6] = { ITIMER_REAL };
	const struct itimerval it = {
		.it_value = { .tv_sec = (time_t)(ns / 1000000000u),
			      .tv_usec = (suseconds_t)(ns / 1000 % MS) },
	};
	int64_t res;
	int ret = remote_syscall_with(run->tid, &run->mem, SYS_setitimer, args,
				      1, span_of(&it, sizeof(it)), &res, err);

	if (ret == 0 && res < 0)
		ret = err_set(err, (int)-res, "no timer for task %d", run->tid);
	return ret;
}

/* Stop it after ns for a look: by its own timer where it matters that this is
 * not late. */
static int
look_after(struct seek *k, const struct point_run *run, uint64_t ns,
	   bool precise, struct err *err)
{
	uint64_t mask;

	if (!precise) {
		deadline_arm(&k->timer, run->tid, ns);
		return 0;
	}
	if (ptrace_get_sigmask(run->tid, &mask) < 0 ||
	    ptrace_set_sigmask(run->tid, mask & ~ALARM_BIT) < 0)
		return seek_gone(run, err);
	if (!k->alarm_used)
		k->mask = mask;
	k->alarm = k->alarm_used = true;
	return set_alarm(run, ns, err);
}

/* It goes on with the search, or with the replay: without that timer. */
static int
end_looks(struct seek *k, const struct point_run *run, enum end end,
	  struct err *err)
{
	bool on = k->alarm;

	deadline_disarm(&k->timer);
	if (!k->alarm_used)
		return (int)end;
	k->alarm = k->alarm_used = false;
	if (end == END_EVENT || end == END_LIMIT) /* it is dropped */
		return (int)end;
	if (on && set_alarm(run, 0, err) < 0)
		return -E_GONE;
	return ptrace_set_sigmask(run->tid, k->mask) < 0 ? seek_gone(run, err)
							 : (int)end;
}

/* When to stop it next, in CPU time since it was armed; 0 = never. */
static uint64_t
next_stop(const struct seek *k, uint64_t next, uint64_t budget_ns)
{
	if (!k->jump || k->pause != PAUSE_NOT) /* the stub stops it */
		return budget_ns;
	return budget_ns != 0 && budget_ns < next ? budget_ns : next;
}

static int
run_looking(struct seek *k, struct point_run *run, uint64_t budget_ns,
	    bool ahead, struct err *err)
{
	uint64_t begin = cputime_ns(run->tid), used = 0, next = first_look(k);
	unsigned precise =
		k->jump && k->p != NULL && k->p->cpu_ns >= MS ? 2 : 0;
	uint64_t set = 0; /* the timer is, for this */
	unsigned more = BUDGETS;
	enum halt h;
	int ret = 0;

	while (ret == 0) {
		uint64_t stop = next_stop(k, next, budget_ns);

		/* What is left of a look is not worth another stop. */
		if (stop != 0 && stop != set)
			ret = look_after(k, run,
					 stop > used + LOOK_MIN_NS / 2
						 ? stop - used
						 : LOOK_MIN_NS / 2,
					 precise > 0 || k->tight, err);
		set = stop;
		if (ret == 0)
			ret = go_on(k, run, PTRACE_CONT, &h, err);
		if (ret < 0)
			break;
		if (h == HALT_EVENT)
			ret = END_EVENT;
		else if (h == HALT_FAULT)
			ret = on_fault(k, run, err);
		if (h == HALT_FAULT && k->tight)
			next = cputime_ns(run->tid) - begin + SAMPLE_NS;
		k->alarm &= h != HALT_ALARM;
		if ((h != HALT_LOOK && h != HALT_ALARM) || stop == 0)
			continue;
		set = 0;
		used = cputime_ns(run->tid) - begin;
		if (budget_ns != 0 && used >= budget_ns) {
			if (more == 0 || where(k, run) != PLACE_BEFORE)
				ret = END_LIMIT;
			budget_ns *= 2;
			more--;
		} else if (k->jump && used >= next - next / 4) {
			ret = look(k, run, used, ahead, err);
			next *= 2;
			precise -= precise > 0;
		}
	}
	return ret < 0 ? ret : end_looks(k, run, (enum end)ret, err);
}

static int
run_armed(struct seek *k, struct point_run *run, uint64_t budget_ns, bool ahead,
	  struct err *err)
{
	uint64_t begin = cputime_ns(run->tid), used;
	int ret;

	k->out->runs++;
	if (k->clock.n < CLOCK_SAMPLES)
		k->clock.n = 0; /* visits may be fewer now */
	k->visits = k->jump ? seek_visits(k, run) : 0;
	k->cpu_ns = k->tuned_ns = 0;
	k->pause = PAUSE_NOT;
	k->tight = false;
	ret = run_looking(k, run, budget_ns, ahead, err);
	deadline_disarm(&k->timer);
	used = cputime_ns(run->tid) - begin;
	k->out->cpu_ns += used;
	log_debug("armed: end %d after %.2f of %.2f ms, %lu visits", ret,
		  (double)used / 1e6, (double)budget_ns / 1e6,
		  seek_visits(k, run));
	return ret;
}

int
seek_stretch(struct seek *k, struct point_run *run, uint64_t budget_ns,
	     bool ahead, struct err *err)
{
	uint64_t begin = clock_now_ns();
	int ret = k->jump ? install(k, run, err) : 0;

	if (ret == 0)
		ret = arm(k, run, err);
	k->out->arm_ns += clock_now_ns() - begin;
	return ret < 0 ? ret : run_armed(k, run, budget_ns, ahead, err);
}

int
seek_to_touch(struct seek *k, struct point_run *run, uint64_t limit_ns,
	      struct err *err)
{
	uint64_t begin = cputime_ns(run->tid), used = 0;
	enum halt h = HALT_LOOK;
	int ret = 0;

	while (ret == 0 && h == HALT_LOOK) {
		if (used >= limit_ns)
			ret = END_LIMIT;
		deadline_arm(&k->timer, run->tid, limit_ns - used + MS);
		if (ret == 0)
			ret = go_on(k, run, PTRACE_CONT, &h, err);
		deadline_disarm(&k->timer);
		used = cputime_ns(run->tid) - begin;
	}
	k->out->cpu_ns += used;
	if (ret != 0)
		return ret;
	return h == HALT_FAULT && ptrace_debug_hits(run->tid) > 0 ? 0
								  : END_EVENT;
}

static int
run_to_alarm(struct seek *k, struct point_run *run, uint64_t ns,
	     struct err *err)
{
	enum halt h;
	uint64_t begin;
	int ret = set_alarm(run, ns, err);

	/* The alarm's own time does not count. */
	begin = cputime_ns(run->tid);
	k->alarm = true;
	while (ret == 0) {
		ret = go_on(k, run, PTRACE_CONT, &h, err);
		if (ret == 0 && h == HALT_ALARM)
			break;
		/* A late interrupt means nothing. */
		if (ret == 0 && h != HALT_LOOK)
			ret = END_EVENT;
	}
	k->alarm = false;
	k->ran_ns += cputime_ns(run->tid) - begin;
	return ret;
}

int
seek_native(struct seek *k, struct point_run *run, uint64_t ns, struct err *err)
{
	uint64_t begin = cputime_ns(run->tid), mask;
	int ret = 0;

	if (ptrace_get_sigmask(run->tid, &mask) < 0 ||
	    ptrace_set_sigmask(run->tid, mask & ~ALARM_BIT) < 0)
		return seek_gone(run, err);
	k->ran_ns = 0;
	while (ret == 0 && k->ran_ns + NEAR_NS < ns)
		ret = run_to_alarm(k, run, ns - k->ran_ns, err);
	if (ret >= 0 && ptrace_set_sigmask(run->tid, mask) < 0)
		ret = seek_gone(run, err);
	k->out->cpu_ns += cputime_ns(run->tid) - begin;
	log_debug("native: end %d after %.2f of %.2f ms", ret,
		  (double)k->ran_ns / 1e6, (double)ns / 1e6);
	return ret;
}
