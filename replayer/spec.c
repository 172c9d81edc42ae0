/*
 * Running code between two events with breakpoints, counting stubs and
 * watchpoints in place. They are there only while it runs: who looks at memory,
 * copies a world or applies an event never meets them.
 */
#include "replayer/timeline.h"

#include "base/clock.h"
#include "tracee/memcode.h"
#include "tracee/ptrace.h"
#include <signal.h>

/* A slice of so long is made so many times longer where it got no time. */
#define PATIENT_NS 10000000u
#define PATIENCE 8u

struct going {
	struct replayer *r;
	struct puppet *p;
	struct spec *s;
	struct point_run run;
	bool stubs;
	bool longer;	 /* its slice has been made longer */
	uint64_t cpu_ns; /* of the process, when it began */
};

static int
died(const struct going *g, struct err *err)
{
	return err_set(err, E_GONE, "the process that replayed task %u is gone",
		       g->p->task);
}

static int
set_watches(const struct going *g, bool on, struct err *err)
{
	puppet_unwatch(g->p);
	for (unsigned i = 0; i < g->s->n_watch; i++) {
		const struct spec_watch *w = &g->s->watch[i];
		enum ptrace_debug what = !on	     ? PTRACE_DEBUG_OFF
					 : w->access ? PTRACE_DEBUG_ACCESS
						     : PTRACE_DEBUG_WRITE;

		if (ptrace_set_debug(g->p->pid, i, what, w->addr, w->len) < 0)
			return died(g, err);
	}
	g->p->debug_hits = 0;
	return 0;
}

/* Which watches trapped since it was asked last. */
static unsigned
take_hits(const struct going *g)
{
	unsigned hits = g->p->debug_hits;

	g->p->debug_hits = 0;
	if (g->s->n_watch == 0)
		return 0;
	hits |= (unsigned)ptrace_debug_hits(g->p->pid);
	return hits & ((1u << g->s->n_watch) - 1);
}

static int
over(struct going *g, enum spec_end end)
{
	g->s->end = end;
	return 1;
}

static int
halted(struct going *g, const struct halt *h)
{
	g->p->halted = true;
	g->p->halt = *h;
	return over(g, SPEC_HALT);
}

/* One instruction, with no site in its way: 1 = the run is over. */
static int
step_off(struct going *g, struct err *err)
{
	struct halt h;
	int ret = puppet_step(g->r, g->p, &h, err);

	if (ret < 0)
		return ret;
	if (ret == 0)
		return halted(g, &h);
	g->s->hits = take_hits(g);
	return g->s->hits ? over(g, SPEC_WATCH) : 0;
}

/* A trap of a debug register 0 to 2, somewhere in the program or a stub. */
static int
at_watch(struct going *g, unsigned hits)
{
	bool set;
	size_t which;

	g->s->hits = hits;
	if (tally_trap(&g->s->tally, &g->run, 0, &g->p->regs, &set, &which) ==
		    TALLY_NOT_OURS &&
	    set)
		g->p->dirty = true;
	return over(g, SPEC_WATCH);
}

static int
at_trap(struct going *g, const struct halt *h, struct err *err)
{
	struct tally *t = &g->s->tally;
	unsigned hits = h->signo == SIGTRAP ? take_hits(g) : 0;
	size_t which = 0;
	bool set;
	int ret;

	if (hits)
		return at_watch(g, hits);
	switch (tally_trap(t, &g->run, h->signo, &g->p->regs, &set, &which)) {
	case TALLY_NOT_OURS:
		return halted(g, h);
	case TALLY_AT_STOP:
		g->p->dirty |= set;
		g->s->which = which;
		return over(g, SPEC_SITE);
	case TALLY_GO_ON:
		g->p->dirty |= set;
		return 0;
	case TALLY_PASS:
		break;
	}
	g->p->dirty |= set;
	tally_lift(t, &g->run, which);
	ret = step_off(g, err);
	tally_put(t, &g->run, which);
	/* Stepping over a rep takes the debug register of another one. */
	for (size_t i = 0; i < t->n; i++) {
		if (t->v[i].armed == TALLY_DEBUG && i != which)
			tally_put(t, &g->run, i);
	}
	return ret;
}

/* Interrupted: out of the stub, whose instructions are not the program's. */
static int
slice_over(struct going *g, struct err *err)
{
	struct halt h;
	int ret = 0;

	while (ret == 0 && tally_holds(&g->s->tally, g->p->regs.rip)) {
		ret = puppet_step(g->r, g->p, &h, err);
		if (ret == 0)
			ret = h.what == HALT_FAULT ? at_trap(g, &h, err)
						   : halted(g, &h);
		else if (ret == 1)
			ret = 0;
		if (ret == 0 && (g->s->hits = take_hits(g)) != 0)
			ret = at_watch(g, g->s->hits);
	}
	return ret != 0 ? ret : over(g, SPEC_SLICE);
}

/*
 * Others had the processor for most of the slice that is over: once it is
 * longer, as who is stopped waits for its turn again, and would hardly come on.
 */
static bool
lengthen(struct going *g, uint64_t *end)
{
	uint64_t slice = g->s->slice_ns;

	if (g->longer || slice < PATIENT_NS ||
	    cputime_ns(g->p->pid) - g->cpu_ns > slice / 2)
		return false;
	g->longer = true;
	*end = clock_now_ns() + slice * PATIENCE;
	return true;
}

/* A slice goes on over traps: in a loop with a breakpoint it never ended. */
static int
run_armed(struct going *g, struct err *err)
{
	uint64_t limit = step_limit(g->r, &g->r->peek);
	uint64_t slice = g->s->slice_ns, end = clock_now_ns() + slice, now;
	struct halt h;
	int ret = 0;

	g->cpu_ns = slice >= PATIENT_NS ? cputime_ns(g->p->pid) : 0;
	while (ret == 0) {
		ret = puppet_run(g->r, g->p, limit, slice, &h, err);
		if (ret < 0)
			break;
		if (h.what == HALT_FAULT)
			ret = at_trap(g, &h, err);
		else if (h.what != HALT_TIMEOUT || !slice)
			ret = halted(g, &h);
		else if (!lengthen(g, &end))
			ret = slice_over(g, err);
		if (ret != 0 || slice == 0)
			continue;
		now = clock_now_ns();
		if (now >= end)
			ret = slice_over(g, err);
		else
			slice = end - now;
	}
	return ret;
}

/* Unmapping stubs runs calls in the process: it must be out of the one that it
 * stands in, and what the event needs to know of that is kept. */
static int
leave_call(struct puppet *p, struct err *err)
{
	struct regs regs = p->regs;
	int ret;

	p->dirty = true; /* skips the call */
	ret = puppet_settle(p, err);
	p->regs = regs;
	p->dirty = true;
	return ret;
}

/*
 * Did the watched access come from a repeated instruction that is not done?
 * The one at rip may also just follow it; then where its pointers are tells.
 */
static bool
within_rep(const struct going *g)
{
	const struct regs *regs = &g->p->regs;
	struct code c;

	if (!mem_code(&g->p->space->mem, regs->rip, &c) || !c.rep ||
	    regs->rcx == 0)
		return false;
	for (unsigned i = 0; i < g->s->n_watch; i++) {
		const struct spec_watch *w = &g->s->watch[i];

		if ((g->s->hits >> i & 1) &&
		    (regs->rdi + 8 - w->addr <= 16u + w->len ||
		     (w->access && regs->rsi + 8 - w->addr <= 16u + w->len)))
			return true;
	}
	return false;
}

/* Its stores are one moment, the one behind it. */
static int
finish_rep(struct going *g, struct err *err)
{
	struct halt h;
	int ret;

	if (g->s->end != SPEC_WATCH || !within_rep(g))
		return 0;
	ret = puppet_step(g->r, g->p, &h, err);
	if (ret == 0)
		halted(g, &h);
	return ret < 0 ? ret : 0;
}

static bool
is_site(const struct tally *t, uint64_t pc)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->v[i].pc == pc)
			return true;
	}
	return false;
}

/* It was stopped where it stands before the arrival there was counted. */
static bool
stands_uncounted(const struct going *g)
{
	return g->s->end == SPEC_WATCH || g->s->end == SPEC_SLICE;
}

static void
add_counts(const struct going *g)
{
	struct inside *in = &g->r->now->inside;

	for (size_t k = 0; k < in->counts.len; k++) {
		struct arrivals *a = &in->counts.v[k];

		for (size_t i = 0; i < g->s->tally.n; i++) {
			if (g->s->tally.v[i].pc == a->pc)
				a->n += g->s->tally.v[i].seen;
		}
		/* It stands there and has not been counted. */
		if (stands_uncounted(g) && a->pc == g->p->regs.rip)
			a->n++;
	}
	if (in->via.pc == 0)
		return;
	if (!is_site(&g->s->tally, in->since.pc)) {
		inside_leave_via(in); /* who ran it wants no such name */
		in->unnamed = true;
		return;
	}
	in->since.n += tally_site(&g->s->tally, in->since.pc)->seen +
		       (stands_uncounted(g) && in->since.pc == g->p->regs.rip);
}

static int
disarm(struct going *g, struct err *err)
{
	int ret = 0;

	if (g->stubs)
		ret = g->p->at_call ? leave_call(g->p, err)
				    : puppet_flush(g->p, err);
	if (ret == 0)
		ret = tally_disarm(&g->s->tally, &g->run, err);
	if (ret == 0)
		ret = set_watches(g, false, err);
	if (ret == 0)
		ret = finish_rep(g, err);
	add_counts(g);
	if (ret < 0)
		g->r->stale = true;
	return ret;
}

static int
arm(struct going *g, struct err *err)
{
	int ret = tally_arm(&g->s->tally, &g->run, err);

	for (size_t i = 0; i < g->s->tally.n; i++)
		g->stubs |= g->s->tally.v[i].armed == TALLY_STUB;
	/* Who stood in the middle of a window stands in its stub now. */
	if (ret == 0 && g->stubs)
		ret = puppet_reload(g->p, err);
	return ret < 0 ? ret : 0;
}

int
spec_go(struct replayer *r, struct puppet *p, struct spec *s, struct err *err)
{
	struct going g = { .r = r, .p = p, .s = s };
	int ret = p->at_call ? puppet_settle(p, err) : puppet_flush(p, err);

	target_forget(r);
	s->hits = 0;
	g.run = (struct point_run){
		.tid = p->pid, .mem = mem_of_task(&p->space->mem, p->pid)
	};
	if (ret == 0)
		ret = set_watches(&g, true, err);
	for (size_t i = 0; i < s->tally.n; i++)
		s->tally.v[i].seen = 0;
	if (ret == 0 && is_site(&s->tally, p->regs.rip))
		ret = step_off(&g, err);
	if (ret == 0)
		ret = puppet_flush(p, err);
	if (ret == 0)
		ret = arm(&g, err);
	if (ret == 0)
		ret = run_armed(&g, err);
	if (ret < 0) {
		r->stale = true;
		return ret;
	}
	return disarm(&g, err);
}

int
spec_step(struct replayer *r, struct puppet *p, struct spec *s, struct err *err)
{
	struct going g = { .r = r, .p = p, .s = s };
	int ret;

	s->hits = 0;
	if (s->n_watch == 0)
		return inside_step(r, p, err);
	ret = p->at_call ? puppet_settle(p, err) : 0;
	if (ret == 0)
		ret = set_watches(&g, true, err);
	if (ret == 0)
		ret = inside_step(r, p, err);
	if (ret < 0)
		return ret;
	s->hits = ret == 1 ? take_hits(&g) : 0;
	return set_watches(&g, false, err) < 0 ? -E_GONE : ret;
}
