/*
 * Finding a point again.
 *
 *   begin --armed--> state agrees: found
 *           |
 *           | the loop is so tight that the stub slows it down
 *           v
 *   leave a copy here; natively, most of the recorded time; armed again
 *           |                             |
 *           | (another copy is left       | an event, or the budget is used up:
 *           v  shortly before)            v the point was passed
 *   armed from there <---- armed from the copy ---- at last from the first copy
 *
 * All share one stub, mapped at the begin. How often the point's instruction is
 * reached is known only when it was armed all the time.
 */
#define LOG_DOMAIN "point"

#include "tracee/point.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "tracee/deadline.h"
#include "tracee/point_priv.h"
#include "tracee/ptrace.h"
#include "tracee/stop.h"

#define MS 1000000u
#define LOOK_MIN_NS                                                            \
	(MS / 5) /* the first look; then at twice, four times, ... */
#define LOOK_MAX_NS MS
#define LONG_NS (5u * MS) /* shorter intervals are not worth running ahead */
#define NEAR_NS 15000u	  /* native runs end so close to their goal */
#define EARLY 0.12	  /* of the time left, between a copy and arming */
/* What a visit may cost beside the loop's own turn, in ns: counted, and not
 * (AMD Zen 4; elsewhere less). A turn takes a cycle at least. */
#define DEAD_COUNT 2.0
#define DEAD_BARE 0.9
#define LIVE_COUNT 3.4
#define LIVE_BARE 2.4
#define TURN_MIN 0.27
#define SLOW_MIN 1.6 /* then it is worth while to run ahead */

/* How a stretch of running ended. */
enum end {
	END_FOUND = 1,
	END_EVENT, /* an event, a fault of its own, its death */
	END_LIMIT, /* CPU time used up */
	END_TIGHT, /* the stub makes it too slow */
};

/* Why the stub traps at its entry, where the task is out of it again. */
enum pause { PAUSE_NOT, PAUSE_TUNE, PAUSE_TIGHT };

struct seek {
	const struct point *p; /* NULL: any state, at the visit-th arrival */
	uint64_t pc, visit;
	const struct point_search *s;
	struct point_found *out;
	struct deadline timer;
	struct stub stub;
	bool jump;    /* by stub, not by breakpoint */
	bool int3;    /* breakpoint by int3: no debug registers */
	uint8_t orig; /* what int3 replaced */
	enum pause pause;
	size_t sum;  /* that told the last mismatch */
	double slow; /* armed over native, as measured */
	/* since the last look */
	uint64_t visits, cpu_ns;
};

static int
gone(const struct point_run *run, struct err *err)
{
	return err_set(err, E_GONE, "task %d is gone", run->tid);
}

static bool
is_fault(const struct point_run *run, const struct stop *st)
{
	uint8_t si[128];
	int32_t code;

	switch (st->signo) {
	case SIGSEGV:
	case SIGBUS:
	case SIGFPE:
	case SIGILL:
	case SIGTRAP:
	case SIGSYS:
		if (ptrace_get_siginfo(run->tid, si) < 0)
			return false;
		memcpy(&code, si + 8, sizeof(code));
		return code > 0;
	}
	return false;
}

/* What a stop means for whoever runs a task without following its events. */
enum halt {
	HALT_GO_ON, /* nothing: resume it */
	HALT_LOOK,  /* an interrupt */
	HALT_FAULT, /* a trap or fault */
	HALT_EVENT,
	HALT_DEAD,
};

static enum halt
halt_of(const struct point_run *run, const struct stop *st)
{
	switch (st->kind) {
	case STOP_EVENT_STOP:
		return HALT_LOOK;
	case STOP_SIGNAL:
		return is_fault(run, st) ? HALT_FAULT : HALT_GO_ON;
	case STOP_GROUP:
	case STOP_NONE:
		return HALT_GO_ON;
	case STOP_SECCOMP:
	case STOP_SYSCALL:
	case STOP_FORK:
	case STOP_VFORK:
	case STOP_CLONE:
	case STOP_VFORK_DONE:
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
			return gone(run, err);
		do
			ret = stop_wait(run->tid, true, &st);
		while (ret == -EINTR);
		if (ret < 0)
			return gone(run, err);
		k->out->stops++;
		*out = halt_of(run, &st);
	} while (*out == HALT_GO_ON);
	return *out == HALT_DEAD ? gone(run, err) : 0;
}

/* ---- the trap at the point: breakpoint or stub */

static int
arm(struct seek *k, struct point_run *run, struct err *err)
{
	const uint8_t int3 = 0xcc;

	if (k->jump)
		return stub_arm(&k->stub, run, err);
	if (!k->int3 && ptrace_set_break(run->tid, k->pc) == 0)
		return 0;
	k->int3 = true;
	if (mem_read_all(&run->mem, k->pc, &k->orig, 1) < 0 ||
	    mem_write_all(&run->mem, k->pc, &int3, 1) < 0)
		return err_set(err, EFAULT, "cannot write code at %#llx",
			       (unsigned long long)k->pc);
	return 0;
}

static void
disarm(struct seek *k, struct point_run *run)
{
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
	disarm(k, run);
	do
		ret = go_on(k, run, PTRACE_SINGLESTEP, &h, err);
	while (ret == 0 && h == HALT_LOOK);
	if (ret == 0 && h == HALT_EVENT)
		return END_EVENT;
	return ret < 0 ? ret : arm(k, run, err);
}

static uint64_t
visits_of(const struct seek *k, const struct point_run *run)
{
	uint64_t n = 0;

	if (!k->jump)
		return k->visits;
	if (k->p == NULL)
		return k->visit;
	mem_read_all(&run->mem,
		     stub_field(&k->stub, offsetof(struct stub_data, visits)),
		     &n, sizeof(n));
	return n;
}

static bool
state_agrees(struct seek *k, const struct point_run *run, struct regs *regs)
{
	ptrdiff_t sum;

	/* The stub has changed what the program will not look at. */
	if (k->jump && k->stub.flags_dead)
		regs->eflags = (regs->eflags & ~(uint64_t)POINT_ARITHMETIC) |
			       (k->p->regs.eflags & POINT_ARITHMETIC);

	if (point_regs_differ(regs, k->p) != NULL ||
	    !point_xstate_agrees(run->tid, k->p))
		return false;
	if (!k->jump && !point_ranges_agree(&run->mem, k->p))
		return false;
	sum = point_sum_differs(&run->mem, k->p, k->sum);
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

/* The task reached the point's instruction. */
static int
at_point(struct seek *k, struct point_run *run, struct regs *regs,
	 struct err *err)
{
	regs->rip = k->pc;
	if (!k->jump)
		k->visits++;
	if (k->p != NULL ? state_agrees(k, run, regs)
			 : k->jump || k->visits == k->visit) {
		disarm(k, run);
		regs->orig_rax = UINT64_MAX;
		return ptrace_set_regs(run->tid, regs) < 0 ? gone(run, err)
							   : END_FOUND;
	}
	k->out->mismatches++;
	if (k->jump) {
		regs->rip = stub_code(&k->stub, k->stub.moved_at);
	} else if (!k->int3) {
		return 0;
	}
	regs->orig_rax = UINT64_MAX;
	if (ptrace_set_regs(run->tid, regs) < 0)
		return gone(run, err);
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
		ret = gone(run, err);
	return ret < 0 ? ret : why == PAUSE_TIGHT ? END_TIGHT : 0;
}

/* A trap or fault: at the point, in the stub, or the program's own. */
static int
on_fault(struct seek *k, struct point_run *run, struct err *err)
{
	struct regs regs;
	uint64_t to, hit = k->pc;

	if (ptrace_get_regs(run->tid, &regs) < 0)
		return gone(run, err);
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
	return ptrace_set_regs(run->tid, &regs) < 0 ? gone(run, err) : 0;
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
	bool dead = k->stub.flags_dead;
	double turn = each - (dead ? DEAD_COUNT : LIVE_COUNT);

	if (turn < TURN_MIN)
		turn = TURN_MIN;
	k->slow = 1 + (dead ? DEAD_BARE : LIVE_BARE) / turn;
	log_debug("visit %.2f ns, flags %s, worst %.1f, first %d", each,
		  dead ? "dead" : "live", k->slow, k->stub.first.how);
	return k->slow >= SLOW_MIN;
}

/* Have it out of the stub, which cannot be changed under it. */
static int
pause_for(struct seek *k, const struct point_run *run, enum pause why,
	  struct err *err)
{
	struct regs regs;
	int ret;

	if (ptrace_get_regs(run->tid, &regs) < 0)
		return gone(run, err);
	if (stub_holds(&k->stub, regs.rip)) {
		k->pause = why;
		stub_pause(&k->stub, run);
		return 0;
	}
	k->pause = PAUSE_NOT;
	ret = install(k, run, err);
	return ret < 0 ? ret : why == PAUSE_TIGHT ? END_TIGHT : 0;
}

/* It was stopped for a look, used_ns after it began. */
static int
look(struct seek *k, const struct point_run *run, uint64_t used_ns, bool ahead,
     struct err *err)
{
	uint64_t visits = visits_of(k, run);
	double each = (double)(used_ns - k->cpu_ns) /
		      (double)(visits - k->visits + 1);

	k->visits = visits;
	k->cpu_ns = used_ns;
	if (k->p == NULL || k->pause != PAUSE_NOT)
		return 0;
	if (stub_tune(&k->stub, run, k->p))
		return pause_for(k, run, PAUSE_TUNE, err);
	if (ahead && used_ns < k->p->cpu_ns / 2 && is_tight(k, each))
		return pause_for(k, run, PAUSE_TIGHT, err);
	return 0;
}

/*
 * Run the armed task until the point, an event, or budget_ns of CPU time (0 =
 * no limit). It is stopped now and then to see how it goes; ahead: to
 * give it up when running ahead would be better.
 */
static int
run_armed(struct seek *k, struct point_run *run, uint64_t budget_ns, bool ahead,
	  struct err *err)
{
	uint64_t begin = cputime_ns(run->tid), used = 0, next = first_look(k);
	enum halt h;
	int ret = 0;

	k->out->runs++;
	k->visits = k->cpu_ns = 0;
	k->pause = PAUSE_NOT;
	while (ret == 0) {
		uint64_t stop = k->jump ? next : budget_ns;

		if (budget_ns != 0 && budget_ns < stop)
			stop = budget_ns;
		if (stop != 0)
			deadline_arm(&k->timer, run->tid,
				     stop > used ? stop - used : 1);
		ret = go_on(k, run, PTRACE_CONT, &h, err);
		if (ret < 0)
			break;
		if (h == HALT_EVENT)
			ret = END_EVENT;
		else if (h == HALT_FAULT)
			ret = on_fault(k, run, err);
		if (h != HALT_LOOK || stop == 0)
			continue;
		used = cputime_ns(run->tid) - begin;
		if (budget_ns != 0 && used >= budget_ns) {
			ret = END_LIMIT;
		} else if (k->jump && used >= next) {
			ret = look(k, run, used, ahead, err);
			next *= 2;
		}
	}
	deadline_disarm(&k->timer);
	used = cputime_ns(run->tid) - begin;
	k->out->cpu_ns += used;
	log_debug("armed: end %d after %.2f of %.2f ms, %lu visits", ret,
		  (double)used / 1e6, (double)budget_ns / 1e6,
		  visits_of(k, run));
	return ret;
}

/* Run it unarmed for ns of CPU time. 0, or how it ended before. */
static int
run_native(struct seek *k, struct point_run *run, uint64_t ns, struct err *err)
{
	uint64_t begin = cputime_ns(run->tid), used = 0;
	enum halt h;
	int ret = 0;

	while (ret == 0 && used + NEAR_NS < ns) {
		deadline_arm(&k->timer, run->tid, ns - used);
		ret = go_on(k, run, PTRACE_CONT, &h, err);
		if (ret == 0 && h != HALT_LOOK)
			ret = END_EVENT;
		used = cputime_ns(run->tid) - begin;
	}
	deadline_disarm(&k->timer);
	k->out->cpu_ns += used;
	log_debug("native: end %d after %.2f of %.2f ms", ret,
		  (double)used / 1e6, (double)ns / 1e6);
	return ret;
}

/* ---- the search */

static int
copy(struct seek *k, const struct point_run *from, struct point_run *out,
     struct err *err)
{
	int ret = k->s->ops->copy(k->s->arg, from, out, err);

	k->out->copies += ret == 0;
	return ret;
}

static void
drop(struct seek *k, struct point_run *run)
{
	if (run->tid != 0)
		k->s->ops->drop(k->s->arg, run);
	run->tid = 0;
}

static int
arm_and_run(struct seek *k, struct point_run *run, uint64_t budget_ns,
	    bool ahead, struct err *err)
{
	uint64_t begin = clock_now_ns();
	int ret = k->jump ? install(k, run, err) : 0;

	if (ret == 0)
		ret = arm(k, run, err);
	k->out->arm_ns += clock_now_ns() - begin;
	return ret < 0 ? ret : run_armed(k, run, budget_ns, ahead, err);
}

/* run passed the point, or may have: go on with the one that fell behind. */
static void
fall_back(struct seek *k, struct point_run *run, struct point_run *behind)
{
	drop(k, run);
	*run = *behind;
	behind->tid = 0;
	k->out->fell_back++;
}

/*
 * One guess: run natively for part of what is left, which is left_ns, and
 * armed from there on. *behind: a copy from before; it stays as it is.
 */
static int
run_ahead(struct seek *k, struct point_run *run, double part, double left_ns,
	  struct err *err)
{
	double early = part > EARLY ? part - EARLY : 0;
	struct point_run behind = { 0 };
	int ret;

	ret = run_native(k, run, (uint64_t)(left_ns * early), err);
	if (ret != 0)
		return ret;
	ret = copy(k, run, &behind, err);
	if (ret == 0)
		ret = run_native(k, run, (uint64_t)(left_ns * (part - early)),
				 err);
	if (ret == 0)
		ret = arm_and_run(k, run,
				  (uint64_t)(k->slow * (1.1 - part) * left_ns) +
					  MS,
				  false, err);
	if (ret == END_EVENT || ret == END_LIMIT) {
		fall_back(k, run, &behind);
		ret = arm_and_run(k, run,
				  (uint64_t)(k->slow * 2.5 * EARLY * left_ns) +
					  MS,
				  false, err);
	}
	drop(k, &behind);
	return ret;
}

/* The stub makes it too slow: it was taken away after used ns. */
static int
search_ahead(struct seek *k, struct point_run *run, struct err *err)
{
	double left = (double)(k->p->cpu_ns - k->cpu_ns);
	double part = 1 / k->slow;
	struct point_run begin = { 0 };
	int ret = copy(k, run, &begin, err);

	if (ret < 0)
		return ret;
	k->out->ran_ahead = true;
	k->stub.count = false;
	part = 1 - (part < 0.11 ? 0.11 : part > 0.25 ? 0.25 : part);
	ret = run_ahead(k, run, part, left, err);
	if (ret == END_EVENT || ret == END_LIMIT) {
		fall_back(k, run, &begin);
		ret = copy(k, run, &begin, err);
		if (ret == 0)
			ret = run_ahead(k, run, 0.5, left, err);
	}
	if (ret == END_EVENT || ret == END_LIMIT) {
		fall_back(k, run, &begin);
		ret = arm_and_run(k, run, k->s->limit_ns, false, err);
	}
	drop(k, &begin);
	return ret;
}

static int
search_run(struct seek *k, struct point_run *run, struct err *err)
{
	bool ahead = k->jump && k->s->ops != NULL && !k->s->count &&
		     k->p != NULL && k->p->cpu_ns >= LONG_NS;
	int ret = arm_and_run(k, run, k->s->limit_ns, ahead, err);

	if (ret != END_TIGHT)
		return ret;
	disarm(k, run);
	return search_ahead(k, run, err);
}

/* A jump into code that the program itself may write would be lost, or worse.
 */
static bool
may_jump(struct seek *k, const struct point_run *run)
{
	const struct point *p = k->p;
	uint8_t code[POINT_CODE];

	if (p == NULL)
		return true;
	if (point_wrote(p, k->pc) || point_wrote(p, k->pc + WINDOW_JUMP - 1))
		return false;
	if (mem_read_all(&run->mem, k->pc, code, p->code_len) < 0 ||
	    memcmp(code, p->code, p->code_len) != 0)
		k->out->miss = POINT_MISS_CODE;
	return k->out->miss == POINT_FOUND && p->way == POINT_JUMP;
}

/* Map the stub, if there is to be one. */
static int
prepare(struct seek *k, const struct point_run *run, struct err *err)
{
	uint64_t begin = clock_now_ns();
	int ret = 0;

	k->stub.pc = k->pc;
	k->stub.countdown = k->visit;
	if (may_jump(k, run)) {
		ret = stub_map(&k->stub, run, k->p, err);
		k->jump = ret == 1;
	}
	k->out->arm_ns += clock_now_ns() - begin;
	return ret < 0 ? ret : 0;
}

static int
search(struct seek *k, struct point_run *run, struct err *err)
{
	int ret = prepare(k, run, err);

	if (ret < 0 || k->out->miss == POINT_MISS_CODE)
		return ret;
	ret = deadline_open(&k->timer, err);
	if (ret == 0)
		ret = search_run(k, run, err);
	deadline_close(&k->timer);
	if (ret == END_FOUND) {
		k->out->armed_visits = visits_of(k, run);
		if (!k->out->ran_ahead)
			k->out->visits = k->out->armed_visits;
	}
	if (ret == END_FOUND && stub_unmap(&k->stub, run, err) < 0)
		return -E_GONE;
	if (ret == END_EVENT)
		k->out->miss = POINT_MISS_EVENT;
	if (ret == END_LIMIT)
		k->out->miss = POINT_MISS_LIMIT;
	return ret < 0 ? ret : ret == END_FOUND;
}

int
point_find(struct point_run *run, const struct point *p,
	   const struct point_search *s, struct point_found *out,
	   struct err *err)
{
	struct point_found found = { 0 };
	struct seek k = { .p = p, .pc = p->regs.rip, .s = s, .out = &found };
	int ret = search(&k, run, err);

	*out = found;
	return ret;
}

int
point_goto(struct point_run *run, uint64_t pc, uint64_t visit,
	   uint64_t limit_ns, struct point_found *out, struct err *err)
{
	const struct point_search s = { .limit_ns = limit_ns };
	struct point_found found = { 0 };
	struct seek k = { .pc = pc, .visit = visit, .s = &s, .out = &found };
	int ret;

	ASSERT(visit > 0);
	ret = search(&k, run, err);
	*out = found;
	return ret;
}
