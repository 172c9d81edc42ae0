/*
 * Ambushes: a task is stopped at an instruction of the program's own code
 * that touches memory, and waits there while others run.
 *
 *   it goes on after an event: some places are chosen, debug registers watch
 *   them --it comes by--> SIGTRAP --others could use it--> a point, exactly
 *   here (preempt.c), a chaos event, a hold
 *
 * Debug registers change no memory, so that nothing sees them, and neither
 * threads nor children inherit them. Places are chosen near where the task has
 * been (what its stack returns to, where its thread begins) and anywhere in
 * the code of the program and its libraries but the system's.
 */
#include "recorder/chaos_named.h"

#include <errno.h>
#include <signal.h>

#define LOG_DOMAIN "recorder"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "recorder/engine.h"
#include "recorder/nondet.h"
#include "recorder/preempt.h"
#include "recorder/sched.h"
#include "recorder/task.h"

#define FLAG_RF 0x10000ull
#define WATCH_SLOT 3u
#define COMPARES_PERCENT 85u
#define NEAR_PERCENT 85u
#define ARM_PERCENT 85u
#define DELAY_PERCENT 95u
#define STOP_NS (25 * US) /* what a stop costs besides what we do there */
#define STALK_MAX 1500u	  /* places without a spring */
#define DUE_NS (5 * MS)	  /* no place for so long: it is stopped otherwise */
#define STALK_PATIENCE 12u
#define PATIENCE_MAX 6u	 /* events before other places are chosen */
#define USELESS_MAX 32u	 /* visits while nobody else could run */
#define TRAP_VISITS 200u /* so many stops may cost each replay */
#define SPENT_FREE_NS (600 * MS)
#define SPENT_PERCENT 10u
#define POINT_NS (2 * MS)  /* what a point costs each replay */
#define ABROAD_PERCENT 10u /* springs for the sake of other groups */
#define ALONE_PERCENT 25u  /* ... at a named place, whoever may come */

/* Take one out of p. */
static struct place
pick(struct chaos *c, struct places *p)
{
	uint64_t at = chaos_below(c, p->weight);
	struct place found;
	size_t i = 0;

	while (at >= p->v[i].weight)
		at -= p->v[i++].weight;
	found = p->v[i];
	p->weight -= found.weight;
	p->v[i] = p->v[--p->len];
	return found;
}

static bool
is_wanted(void *ctx, uint64_t addr)
{
	return code_is_own(ctx, addr);
}

/* --- laying ------------------------------------------------------------------
 */

static bool
may_spend(const struct recorder *r)
{
	return r->chaos->ambush_ns <
	       SPENT_FREE_NS + r->now_ns / 100 * SPENT_PERCENT;
}

/* At which visit. What is in no loop comes by once, mostly: then more than one
 * means that it is let through. */
static unsigned
visits(struct chaos *c, bool loop)
{
	if (chaos_chance(c, loop ? 40 : 60))
		return 1;
	return (unsigned)chaos_between(c, 2, loop ? 30 : 6);
}

static void
disarm(const struct task *t, struct chaos_task *ct)
{
	ct->due = false;
	if (ct->armed > 0 || ct->watching != 0)
		ptrace_set_breaks(t->tid, NULL, 0);
	ct->armed = ct->watching = 0;
	ct->version = 0;
}

/* Into the debug registers: the places, and what is to be watched in t. */
static void
arm(struct recorder *r, const struct task *t, struct chaos_task *ct,
    const uint64_t *pc, unsigned n)
{
	const struct watch *w = n == 0 ? race_watched(r, t) : NULL;
	int ret;

	ct->armed = ct->watching = 0;
	ret = ptrace_set_breaks(t->tid, pc, n);
	if (ret < 0 && ret != -E_GONE && r->chaos->names != NULL)
		named_refused(r);
	if (ret < 0)
		return;
	ct->armed = n;
	if (w != NULL && ptrace_set_debug(t->tid, WATCH_SLOT,
					  w->stores ? PTRACE_DEBUG_WRITE
						    : PTRACE_DEBUG_ACCESS,
					  w->addr, w->len) == 0)
		ct->watching = w->id;
}

/* What comes next on the ways from f, with rsp there. */
static unsigned
next_places(struct recorder *r, const struct task *t, struct places_from f,
	    uint64_t rsp, uint64_t *out, unsigned max)
{
	struct texts *x = code_of(r, t);
	const struct places_ops ops = { .wanted = is_wanted, .ctx = x };
	uint64_t ret[RETURNS_MAX];

	f.ret = ret;
	f.n_ret = code_returns(t, x, rsp, ret);
	return places_next(&task_space(t)->mem, &f, &ops, out, max);
}

/* Watch these. */
static bool
stalk(struct recorder *r, const struct task *t, struct chaos_task *ct,
      struct places_from f, uint64_t rsp)
{
	uint64_t next[AMBUSHES];
	unsigned n = next_places(r, t, f, rsp, next, AMBUSHES);

	for (unsigned i = 0; i < n; i++)
		ct->ambush[i] = (struct ambush){ .pc = next[i], .left = 1 };
	log_debug("task %u: stalked from %lx: %u next, first %lx", t->number,
		  f.pc, n, n > 0 ? next[0] : 0);
	if (n > 0)
		arm(r, t, ct, next, n);
	return n > 0 && ct->armed > 0;
}

static bool
lay_stalk(struct recorder *r, struct task *t, struct chaos_task *ct)
{
	struct places_from f = { .pc = 0 };

	f.pc = code_next(t, code_of(r, t), &f.here);
	if (f.pc == 0 || !stalk(r, t, ct, f, t->last.rsp))
		return false;
	ct->stalked = true;
	ct->useless = 0;
	ct->patience = STALK_PATIENCE;
	return true;
}

static void
lay_around(struct recorder *r, struct task *t, struct chaos_task *ct)
{
	struct places near = { .len = 0 }, far = { .len = 0 };
	struct texts *x = code_of(r, t);
	struct chaos *c = r->chaos;
	uint64_t pc[AMBUSHES];
	unsigned n = 0;

	if (x->bytes == 0)
		return;
	code_near(t, x, &near);
	code_far(c, t, x, &far);
	places_without(&far, &near);
	while (n < AMBUSHES && near.len + far.len > 0) {
		bool is_near = far.len == 0 ||
			       (near.len > 0 && chaos_chance(c, NEAR_PERCENT));
		struct place p = pick(c, is_near ? &near : &far);

		if (p.pc == t->last.rip)
			continue; /* it stands there already */

		ct->ambush[n] = (struct ambush){ .pc = p.pc,
						 .left = visits(c, p.loop) };
		pc[n++] = p.pc;
		log_debug("task %u: ambush at %lx, visit %u, of %zu near, %zu "
			  "far",
			  t->number, p.pc, ct->ambush[n - 1].left, near.len,
			  far.len);
	}
	if (n > 0)
		arm(r, t, ct, pc, n);
	ct->stalked = false;
	ct->useless = 0;
	ct->patience = (unsigned)chaos_below(c, PATIENCE_MAX) + 1;
}

/*
 * Watch the named places. The one where t stands would stop it at once, again
 * and again: until it has gone on to whatever comes next that is left out.
 */
static void
lay_named(struct recorder *r, const struct task *t, struct chaos_task *ct,
	  uint64_t here, uint64_t rsp)
{
	const struct places_from f = { .pc = here };
	uint64_t pc[AMBUSHES];
	bool at, all;
	unsigned n = named_choose(r, t, here, ct->ambush, AMBUSHES, &at, &all);

	for (unsigned i = 0; i < n; i++)
		pc[i] = ct->ambush[i].pc;
	if (at) {
		unsigned named = n;

		n += next_places(r, t, f, rsp, pc + n, AMBUSHES - n);
		for (unsigned i = named; i < n; i++)
			ct->ambush[i] = (struct ambush){ .pc = pc[i],
							 .left = 1,
							 .way = true };
	}
	if (n > 0 || ct->armed > 0)
		arm(r, t, ct, pc, n);
	ct->stalked = false;
	/* Of more than there are registers for, others each time. */
	ct->version =
		at || !all || t->stash.signo != 0 ? 0 : named_version(r, t);
}

static void
lay(struct recorder *r, struct task *t, struct chaos_task *ct)
{
	/* From an ambush on it stays stalked: without events of its own it
	 * would get away. */
	bool stays = ct->stalked && code_is_own(code_of(r, t), t->last.rip);

	if (!(stays || chaos_chance(r->chaos, r->chaos->mood.stalk)) ||
	    !lay_stalk(r, t, ct))
		lay_around(r, t, ct);
}

static void
resume_named(struct recorder *r, struct task *t, struct chaos_task *ct)
{
	/* To look into files for the first time is not what ambushes cost. */
	uint64_t version = named_version(r, t), start = clock_now_ns();

	if (ct->version == version)
		return;
	ct->useless = 0;
	if (may_spend(r))
		lay_named(r, t, ct, t->last.rip, t->last.rsp);
	else
		disarm(t, ct);
	r->chaos->ambush_ns += clock_now_ns() - start;
}

void
chaos_resume(struct recorder *r, struct task *t)
{
	struct chaos_task *ct;
	const struct watch *w;
	unsigned wanted;
	uint64_t start;

	if (r->chaos == NULL)
		return;
	ct = chaos_task(r, t);
	if (ct->space != task_space(t)->number)
		ct->armed = ct->watching = 0; /* a new image has none */
	ct->space = task_space(t)->number;
	if (r->chaos->names != NULL) {
		resume_named(r, t, ct);
		return;
	}
	if (!chaos_has(r, KNOB_ambush) || r->tasks.len < 2)
		return;
	w = race_watched(r, t);
	wanted = w != NULL ? w->id : 0;
	if (ct->watching == wanted &&
	    (wanted != 0 || (ct->armed > 0 && ct->patience-- > 0)))
		return;
	start = clock_now_ns();
	disarm(t, ct);
	/* Who is watched runs freely until it touches that, or waits. */
	if (wanted != 0)
		arm(r, t, ct, NULL, 0);
	else if (may_spend(r) &&
		 (ct->stalked || chaos_chance(r->chaos, ARM_PERCENT)))
		lay(r, t, ct);
	r->chaos->ambush_ns += clock_now_ns() - start;
}

int
chaos_delays(struct recorder *r, struct task *t, int signo, struct err *err)
{
	int ret;

	if (!chaos_has(r, KNOB_signals) ||
	    !chaos_chance(r->chaos, DELAY_PERCENT))
		return 0;
	ret = chaos_event(r, t, CHAOS_SIGNAL, (uint64_t)signo, 0, err);
	return ret < 0 ? ret : 1;
}

void
chaos_stashed(struct recorder *r, struct task *t)
{
	struct chaos_task *ct;

	if (!chaos_has(r, KNOB_signals) || !may_spend(r))
		return;
	ct = chaos_task(r, t);
	disarm(t, ct);
	if (r->chaos->names != NULL)
		lay_named(r, t, ct, 0, 0);
	else
		lay(r, t, ct);
}

bool
chaos_stops_it(struct recorder *r, struct task *t)
{
	struct chaos_task *ct;

	if (r->chaos == NULL)
		return false;
	ct = chaos_task(r, t);
	ct->due =
		ct->armed > 0 && ct->stalked && r->now_ns - ct->hit_ns < DUE_NS;
	return ct->due;
}

void
chaos_disarm(struct recorder *r, struct task *t)
{
	if (r->chaos != NULL)
		disarm(t, chaos_task(r, t));
}

/* --- springing ---------------------------------------------------------------
 */

/* Somebody could make use of it. */
static bool
is_worth_it(const struct recorder *r, const struct task *t)
{
	const struct group *g = task_group(t);

	if ((t->stash.signo != 0 && !t->stash.sent) || chaos_could_wait(r, g))
		return true;
	if (r->chaos->names != NULL)
		return r->tasks.len > 1 &&
		       chaos_chance(r->chaos, ALONE_PERCENT);
	return r->tasks.len > g->live && chaos_chance(r->chaos, ABROAD_PERCENT);
}

static struct ambush *
ambush_at(struct chaos_task *ct, uint64_t pc)
{
	for (unsigned i = 0; i < ct->armed; i++)
		if (ct->ambush[i].pc == pc)
			return &ct->ambush[i];
	return NULL;
}

/* Is this the place? What was laid around was counted before. Where it is
 * stalked to the worst one for a signal is before a store to a global, which
 * was loaded before. */
static bool
springs(struct recorder *r, const struct task *t, const struct access *a)
{
	struct mood *m = &r->chaos->mood;

	if (r->chaos->names != NULL)
		return named_springs(r, t);
	if (!chaos_task(r, t)->stalked)
		return true;
	if (chaos_task(r, t)->due)
		return true;
	if (t->stash.signo != 0 && !t->stash.sent)
		return chaos_chance(r->chaos,
				    a->weight >= PLACE_STORE_GLOBAL ? 65 : 4);
	if (m->plan == PLAN_STEP)
		return chaos_chance(r->chaos, m->spring);
	if (m->springs == 0 || !chaos_chance(r->chaos, race_percent(r, t, a)))
		return false;
	if (!a->compares)
		m->springs--;
	return true;
}

/* t stands at its new last event: others run. */
static int
spring(struct recorder *r, struct task *t, const struct ambush *a,
       const struct access *what, struct err *err)
{
	struct chaos_task *ct = chaos_task(r, t);
	struct chaos *c = r->chaos;
	struct chaos_task *parent = map_get(&c->tasks, t->parent);
	int ret = chaos_event(r, t, CHAOS_AMBUSH, a->pc, a->visits, err);

	if (ret < 0)
		return ret;
	if (t->stash.signo != 0 && !t->stash.sent)
		return signal_now(r, t, err);
	if (chaos_has(r, KNOB_starve) && chaos_may_hold(r) &&
	    chaos_chance(c, c->mood.hold)) {
		ret = chaos_hold(r, t, c->mood.firm, err);
		if (ret < 0)
			return ret;
		ct->held_pc = a->pc;
		if (what->weight != 0 && c->names == NULL &&
		    chaos_chance(c, what->compares ? COMPARES_PERCENT
						   : c->mood.watch))
			race_watch(r, t, what);
	}
	if (parent != NULL)
		parent->hold_next = false; /* it was to wait for this */
	ct->at_place = race_did(what);
	ct->out = true;
	ct->priority = chaos_priority(c);
	chaos_let_other_go(r, t);
	sched_release(t);
	sched_ready(t, NEXT_RESUME);
	return 0;
}

/* A point where t stands. Returns enum preempt. */
static int
stand_here(struct recorder *r, struct task *t, struct regs *regs, bool may_trap,
	   struct err *err)
{
	int ret;

	regs->eflags &= ~FLAG_RF;
	ret = ptrace_set_regs(t->tid, regs);
	if (ret < 0)
		return ret;
	return task_is_at(t, regs) ? PREEMPT_DONE
				   : preempt_here(r, t, may_trap, err);
}

/* On to the next places from regs. Returns 1. */
static int
go_on(struct recorder *r, struct task *t, const struct regs *regs,
      uint64_t target)
{
	struct chaos_task *ct = chaos_task(r, t);

	if (ct->useless++ >= STALK_MAX || !may_spend(r) ||
	    !stalk(r, t, ct,
		   (struct places_from){ .pc = regs->rip, .target = target },
		   regs->rsp))
		disarm(t, ct);
	return 1;
}

/* t has come back to where it has spun before: if it does so again, its turn
 * ends here, without another look. 1: it goes on. */
static int
at_spin(struct recorder *r, struct task *t, struct regs *regs, struct err *err)
{
	int ret;

	regs->eflags &= ~FLAG_RF;
	ret = ptrace_set_regs(t->tid, regs);
	if (ret == 0)
		ret = spin_try(r, t, err);
	if (ret < 0)
		return ret;
	if (ret == SPIN_STOP) {
		t->stop.kind = STOP_NONE;
		return 0;
	}
	if (ret == SPIN_FOUND) {
		r->chaos->ambush_ns += POINT_NS;
		ret = stand_here(r, t, regs, true, err);
		if (ret < 0 || ret == PREEMPT_DONE)
			return ret < 0 ? ret : sched_at_point(r, t, err);
	}
	ret = ptrace_get_regs(t->tid, regs);
	return ret < 0 ? ret : go_on(r, t, regs, 0);
}

/* t has come by a. */
static int
at_place(struct recorder *r, struct task *t, struct ambush *a, struct err *err)
{
	struct chaos_task *ct = chaos_task(r, t);
	struct access what;
	struct regs regs;
	int ret = ptrace_get_regs(t->tid, &regs);

	if (ret < 0)
		return ret;
	if (a->way) {
		if (may_spend(r))
			lay_named(r, t, ct, regs.rip, regs.rsp);
		else
			disarm(t, ct);
		return 1;
	}
	if (r->chaos->names != NULL)
		named_reached(r, t, a->pc);
	a->visits++;
	if (a->left > 1) {
		a->left--;
		return 1;
	}
	if (ct->stalked && spin_is_there_again(t, &regs) &&
	    chaos_could_wait(r, task_group(t)))
		return at_spin(r, t, &regs, err);
	places_access(&task_space(t)->mem, &regs, &what);
	if (is_worth_it(r, t) && springs(r, t, &what)) {
		struct ambush copy = *a;

		disarm(t, ct);
		r->chaos->ambush_ns += POINT_NS;
		ret = stand_here(r, t, &regs, copy.visits <= TRAP_VISITS, err);
		if (ret < 0 || ret == PREEMPT_IMPOSSIBLE)
			return ret < 0 ? ret : 1;
		return spring(r, t, &copy, &what, err);
	}
	race_touch(r, t, &what);
	if (!ct->stalked) {
		if (ct->useless++ >= USELESS_MAX)
			disarm(t, ct);
		return 1;
	}
	return go_on(r, t, &regs, what.target);
}

/* t has touched what another one, which is held, is about to touch. 1: it goes
 * on all the same. */
static int
met(struct recorder *r, struct task *t, struct err *err)
{
	struct chaos_task *ct = chaos_task(r, t);
	struct chaos *c = r->chaos;
	struct regs regs;
	int ret;

	if (!race_meets(r, t))
		return 1;
	disarm(t, ct);
	c->ambush_ns += POINT_NS;
	ret = ptrace_get_regs(t->tid, &regs);
	if (ret == 0)
		ret = stand_here(r, t, &regs, true, err);
	if (ret < 0 || ret == PREEMPT_IMPOSSIBLE)
		return ret < 0 ? ret : 1;
	ret = chaos_event(r, t, CHAOS_MEET, c->watch.addr, c->watch.holder,
			  err);
	if (ret == 0 && chaos_has(r, KNOB_starve) && chaos_may_hold(r))
		ret = chaos_hold(r, t, 0, err);
	if (ret < 0)
		return ret;
	ct->out = true;
	chaos_let_go(r, c->watch.holder);
	sched_release(t);
	sched_ready(t, NEXT_RESUME);
	return 0;
}

/* What the debug registers have stopped t for. */
static int
dispatch_trap(struct recorder *r, struct task *t, uint64_t pc, struct err *err)
{
	struct chaos_task *ct = chaos_task(r, t);
	struct ambush *a = ambush_at(ct, pc);
	int hits = ct->watching != 0 ? ptrace_debug_hits(t->tid) : 0;

	if (hits < 0)
		return hits;
	if (hits & 1 << WATCH_SLOT) {
		int ret = met(r, t, err);

		if (ret != 1)
			return ret;
		if (race_watched(r, t) == NULL)
			disarm(t, ct);
		return 1;
	}
	return a != NULL ? at_place(r, t, a, err) : 1;
}

int
chaos_trap(struct recorder *r, struct task *t, const siginfo_t *si,
	   struct err *err)
{
	uint64_t start;
	int ret;

	if (r->chaos == NULL || si->si_signo != SIGTRAP ||
	    si->si_code != TRAP_HWBKPT)
		return 0;
	ret = nondet_repair(t, SIGTRAP, err);
	if (ret < 0)
		return ret;
	start = clock_now_ns() - STOP_NS;
	chaos_task(r, t)->hit_ns = r->now_ns;
	ret = dispatch_trap(r, t, (uint64_t)(uintptr_t)si->si_addr, err);
	r->chaos->ambush_ns += clock_now_ns() - start;
	if (ret == 1)
		ret = task_resume(t, PTRACE_CONT, 0);
	return ret < 0 ? ret : 1;
}
