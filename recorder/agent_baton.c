/*
 * The baton, seen from the tracer (agent/baton.c has the other half).
 *
 *	open:   it changes hands in the agent. group.runner is who had it when
 *	        the ring was read last, and nobody of the group is READY.
 *	closed: group.runner is right. Who comes back from a call finds the
 *	        flag gone and goes to the gate.
 *
 * Every stop of a task of the space closes; when all stops are dealt with and
 * nobody waits for a turn, it is open again. To close: the flag is taken away,
 * then the word is read. A task that took it later sees that the flag is gone;
 * one that had it drops it later, sees so, too, and says so at the gate. So
 * whoever the word names is the runner, or will be heard of.
 *
 * The word is written only while the runner is stopped, or nobody is: then
 * it is AGENT_BATON_KEPT, which nobody takes, until the flag is back.
 */
#include "recorder/agent_priv.h"

#include <errno.h>

#include "recorder/sched.h"
#include "recorder/task.h"

/* Of agent_space.held: the agent may have changed it. */
#define HELD_UNKNOWN UINT64_MAX
/* No handler, no result: the call is made again by the kernel. */
#define K_ERESTARTNOINTR 513
#define K_RESTART_FIRST 512
#define K_RESTART_LAST 516

struct task *
agent_seated(const struct agent_space *a, uint64_t slot)
{
	return slot < a->seats.len ? a->seats.v[slot].t : NULL;
}

struct task *
agent_anybody(const struct agent_space *a)
{
	for (size_t i = 0; i < a->seats.len; i++)
		if (a->seats.v[i].t != NULL && !a->seats.v[i].t->dead)
			return a->seats.v[i].t;
	return NULL;
}

bool
agent_seat(struct task *t)
{
	static const struct agent_slot empty;
	struct space *s = task_space(t);
	struct agent_space *a = s->agent;
	size_t i = 0;

	if (t->seat != 0)
		return true;
	while (i < a->seats.len && a->seats.v[i].t != NULL)
		i++;
	if (i == AGENT_SLOTS_MAX ||
	    mem_write_all(&s->mem, AGENT_SLOT(i), &empty, sizeof(empty)) < 0)
		return false;
	if (i == a->seats.len)
		vec_push(&a->seats, (struct agent_seat){ 0 });
	a->seats.v[i] = (struct agent_seat){ .t = t };
	t->seat = (unsigned)i + 1;
	return true;
}

void
agent_leave(struct task *t)
{
	struct agent_space *a = task_space(t)->agent;

	if (t->seat != 0 && a != NULL) {
		agent_test_left(a->r, t);
		a->seats.v[t->seat - 1].t = NULL;
	}
	t->seat = 0;
	t->inside = false;
}

/* ---- the word */

static void
hold(struct space *s, uint64_t baton)
{
	struct agent_space *a = s->agent;

	if (a->held == baton)
		return;
	a->held = mem_write_all(&s->mem, AGENT_DATA + AGENT_DATA_BATON, &baton,
				sizeof(baton)) == 0
			  ? baton
			  : HELD_UNKNOWN;
}

void
agent_give(struct task *t)
{
	const struct agent_space *a = task_space(t)->agent;
	uint64_t stack;

	if (t->seat == 0) {
		hold(task_space(t), AGENT_BATON_KEPT);
	} else if (a->held != t->seat) {
		stack = AGENT_SLOT(t->seat - 1) + AGENT_STACK;
		/* One that is gone says so. */
		(void)mem_write_all(&task_space(t)->mem,
				    AGENT_DATA + AGENT_DATA_STACK, &stack,
				    sizeof(stack));
		hold(task_space(t), t->seat);
	}
}

/* ---- open and closed */

/* A task that must not make a call without the tracer. */
static bool
is_watched(const struct task *t)
{
	return t->filters != NULL;
}

static bool
is_alike(const struct space *s)
{
	const struct agent_space *a = s->agent;

	for (size_t i = 0; i < a->seats.len; i++)
		if (a->seats.v[i].t != NULL && is_watched(a->seats.v[i].t))
			return false;
	return true;
}

bool
agent_may_block(const struct space *s, const struct task *t)
{
	const struct agent_space *a = s->agent;
	const struct group *g = s->group;

	if (g->live <= 1 || g->refs != 1 || s->refs != 1 || g->wanted.len > 0 ||
	    a->hold || a->refused || !a->r->agent->hands_over || !is_alike(s))
		return false;
	return t == NULL ||
	       (t->state == TASK_RUNNING && t->seat != 0 && !t->call.active &&
		!t->taking_now && t->stash.signo == 0 && !t->proc->stopped &&
		!t->proc->exiting);
}

static struct space *
space_of(const struct recorder *r, const struct group *g)
{
	for (size_t i = 0; i < r->spaces.len; i++)
		if (r->spaces.v[i]->group == g)
			return r->spaces.v[i];
	return NULL;
}

void
agent_open(struct recorder *r, struct group *g)
{
	struct task *t = g->runner;
	struct agent_space *a;
	struct space *s;

	if (r->agent == NULL || g->live <= 1 || g->refs != 1 ||
	    g->ready.len > 0)
		return;
	s = space_of(r, g);
	a = s != NULL ? s->agent : NULL;
	if (a == NULL || !a->on || (a->flags & AGENT_BATON) != 0 ||
	    !agent_may_block(s, t))
		return;
	if (t != NULL) {
		if (t->stop.kind == STOP_NONE && a->enter == AGENT_CODE) {
			a->undrained = true;
			agent_set_flags(s,
					a->flags | AGENT_BATON | AGENT_BLOCKS);
		}
		return;
	}
	hold(s, AGENT_BATON_KEPT);
	agent_let_in(s);
	a->undrained = true;
	agent_set_flags(s, agent_permitted(s) | AGENT_BATON | AGENT_BLOCKS);
	hold(s, AGENT_BATON_FREE);
}

void
agent_close(struct space *s)
{
	struct agent_space *a = s->agent;

	if (a == NULL || (a->flags & AGENT_BATON) == 0)
		return;
	agent_set_flags(s, a->flags & ~(uint64_t)AGENT_BATON);
	a->held = HELD_UNKNOWN;
	a->holder = 0;
	a->settle = mem_read_all(&s->mem, AGENT_DATA + AGENT_DATA_BATON,
				 &a->holder, sizeof(a->holder)) == 0;
}

void
agent_settle(struct space *s)
{
	struct agent_space *a = s->agent;
	struct group *g = s->group;
	struct task *t;

	if (a == NULL || !a->settle)
		return;
	a->settle = false;
	t = agent_seated(a, a->holder - 1);
	if (t != NULL && t->dead)
		t = NULL;
	if (g->runner != NULL && g->runner != t && g->runner->inside)
		g->runner->state = TASK_BLOCKED;
	if (t != NULL && g->runner != t)
		t->turn_ns = a->r->now_ns;
	g->runner = t;
	if (t != NULL)
		t->state = TASK_RUNNING;
}

void
agent_close_group(struct recorder *r, struct group *g)
{
	struct space *s = r->agent != NULL ? space_of(r, g) : NULL;

	if (s == NULL)
		return;
	agent_close(s);
	agent_settle(s);
}

/* ---- what the records say */

void
agent_went(struct task *t, const struct event *ev)
{
	t->inside = true;
	t->inside_seq = ev->seq;
	t->inside_pc = ev->pc;
	t->state = TASK_BLOCKED;
	/* It drops it, or has. */
	task_space(t)->agent->held = HELD_UNKNOWN;
	sched_release(t);
}

void
agent_came(struct task *t, uint64_t now_ns)
{
	t->inside = false;
	t->state = TASK_RUNNING;
	t->turn_ns = now_ns;
	task_group(t)->runner = t;
}

/* ---- stops of those who wait without it */

int
agent_gate(struct recorder *r, struct task *t, struct err *err)
{
	struct regs regs;
	int ret;

	(void)r;
	(void)err;
	if (!t->inside)
		return 0;
	ret = ptrace_get_regs(t->tid, &regs);
	if (ret < 0)
		return ret;
	if (regs.rip != AGENT_GATE_AFTER)
		return 0;
	task_space(t)->agent->held = HELD_UNKNOWN;
	if (regs.rdi == AGENT_DROPPED) {
		sched_release(t);
		t->state = TASK_BLOCKED;
	} else if (task_group(t)->runner != t) {
		sched_ready(t, NEXT_AGENT);
		return 1;
	}
	ret = task_resume(t, PTRACE_CONT, 0);
	return ret < 0 ? ret : 1;
}

void
agent_summon(const struct task *t)
{
	const uint64_t yes = 1;

	/* One that is gone says so. */
	(void)mem_write_all(&task_space(t)->mem,
			    AGENT_SLOT(t->seat - 1) +
				    offsetof(struct agent_slot, called),
			    &yes, sizeof(yes));
}

enum place {
	PLACE_BEFORE, /* the kernel has not had its call */
	PLACE_CALL,   /* at the call's return, with what the kernel says */
	PLACE_AFTER,  /* it has seen what it returned */
};

static enum place
place_of(const struct task *t, const struct regs *regs)
{
	uint64_t phase = 0;

	if (mem_read_all(&task_space(t)->mem,
			 AGENT_SLOT(t->seat - 1) + AGENT_SLOT_PHASE, &phase,
			 sizeof(phase)) < 0 ||
	    phase != AGENT_WAITING)
		return PLACE_AFTER;
	if (regs->rip == AGENT_CALL_AFTER)
		return (int64_t)regs->orig_rax >= 0 ? PLACE_CALL : PLACE_AFTER;
	if (regs->rip - AGENT_BLOCK < AGENT_BLOCK_DONE - AGENT_BLOCK ||
	    regs->rip == AGENT_BASE + AGENT_CALL || regs->rip - AGENT_GATE <= 2)
		return PLACE_BEFORE;
	return PLACE_AFTER;
}

static bool
is_restarted(int64_t ret)
{
	return ret <= -K_RESTART_FIRST && ret >= -K_RESTART_LAST;
}

/* It is inside a call that trapped, as the kernel has left it. */
static int
adopt(struct recorder *r, struct task *t, struct regs *regs, struct err *err)
{
	static const uint64_t none = AGENT_NO_PHASE;
	struct agent_slot slot;
	int ret;

	if (mem_read_all(&task_space(t)->mem, AGENT_SLOT(t->seat - 1), &slot,
			 sizeof(slot)) < 0 ||
	    !agent_program_regs(t, regs) ||
	    mem_write_all(&task_space(t)->mem,
			  AGENT_SLOT(t->seat - 1) + AGENT_SLOT_PHASE, &none,
			  sizeof(none)) < 0)
		return -E_GONE;
	ret = syscall_adopt(r, t, regs, err);
	if (ret == 0)
		ret = scratch_adopt(t, slot.args, slot.len, regs);
	if (ret < 0)
		return ret;
	t->inside = false;
	t->call.logged = true;
	t->call.enter_seq = t->inside_seq;
	sched_release(t);
	t->state = TASK_BLOCKED;
	return 0;
}

int
agent_come_back(struct recorder *r, struct task *t, bool matters,
		struct err *err)
{
	struct regs regs;
	int ret = ptrace_get_regs(t->tid, &regs);

	if (ret < 0 || !matters)
		return ret;
	switch (place_of(t, &regs)) {
	case PLACE_BEFORE:
		ret = mem_read_all(&task_space(t)->mem,
				   AGENT_LEAVE_RSP(t->seat - 1) + 8,
				   &regs.orig_rax, sizeof(regs.orig_rax));
		regs.rax = (uint64_t)-K_ERESTARTNOINTR;
		return ret < 0 ? -E_GONE : adopt(r, t, &regs, err);
	case PLACE_CALL:
		if (is_restarted((int64_t)regs.rax) ||
		    (int64_t)regs.rax == -EINTR)
			return adopt(r, t, &regs, err);
		break;
	case PLACE_AFTER:
		break;
	}
	agent_summon(t);
	return 0;
}

bool
agent_stay(struct task *t)
{
	struct regs regs;

	if (task_group(t)->runner != t)
		return true;
	if (ptrace_get_regs(t->tid, &regs) < 0 ||
	    place_of(t, &regs) == PLACE_AFTER)
		return false;
	/* The baton is taken from it: it must not drop it later. */
	if (regs.rip - AGENT_BLOCK_TOLD <
	    AGENT_BLOCK_DROPPED - AGENT_BLOCK_TOLD) {
		regs.rip = AGENT_BLOCK_DROPPED;
		return ptrace_set_regs(t->tid, &regs) == 0;
	}
	return true;
}
