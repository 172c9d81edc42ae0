#include "replayer/agent_relay.h"

#include <errno.h>
#include <stddef.h>
#include <sys/auxv.h>

#include "agent/abi.h"
#include "replayer/agent.h"
#include "replayer/puppet.h"
#include "tracee/ptrace.h"

#define HWCAP2_FSGSBASE 2u
#define CALL_LEN 2u

/* As agent/enter.S pushes them. */
struct frame {
	uint64_t rcx, rax, rdi, rsi, rdx, r10, r8, r9;
	uint64_t rbx, rbp, r12, r13, r14, r15, eflags;
};

_Static_assert(sizeof(struct frame) == AGENT_FRAME, "agent/enter.S");

bool
relay_is_possible(void)
{
	return (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE) != 0;
}

void
relay_start(struct relay *y, struct puppet *p)
{
	y->v[0] = p;
	y->n = 1;
}

void
relay_free(struct relay *y)
{
	buf_free(&y->xstate);
}

unsigned
relay_slot(const struct relay *y, const struct puppet *p)
{
	unsigned i = 0;

	while (i + 1 < y->n && y->v[i] != p)
		i++;
	return i;
}

bool
relay_joins(struct relay *y, struct puppet *p, const struct event *ev)
{
	if (p == NULL)
		return false;
	if (y->v[relay_slot(y, p)] == p)
		return true;
	if (y->n == RELAY_MAX || !p->pid || p->space != y->v[0]->space ||
	    !p->in_call || p->halted || p->call != ev->call ||
	    p->out.len != 0 || p->call_pc - AGENT_SITES >= AGENT_SITES_LEN)
		return false;
	y->v[y->n++] = p;
	return true;
}

static int
lost(struct err *err)
{
	return err_set(err, EFAULT, "pastime's pages are gone");
}

/* ---- into the slots */

static struct frame
frame_of(const struct puppet *p)
{
	const struct regs *r = &p->regs;

	return (struct frame){
		.rcx = p->call_pc - CALL_LEN,
		.rax = (uint64_t)p->call,
		.rdi = r->rdi,
		.rsi = r->rsi,
		.rdx = r->rdx,
		.r10 = r->r10,
		.r8 = r->r8,
		.r9 = r->r9,
		.rbx = r->rbx,
		.rbp = r->rbp,
		.r12 = r->r12,
		.r13 = r->r13,
		.r14 = r->r14,
		.r15 = r->r15,
		.eflags = r->eflags,
	};
}

/* It waits there, as if it had come into the agent. */
static int
put(struct relay *y, unsigned slot, struct err *err)
{
	const struct puppet *p = y->v[slot];
	const struct mem *m = &p->space->mem;
	const struct frame f = frame_of(p);
	const struct agent_slot s = {
		.phase = AGENT_WAITING,
		.rsp = p->regs.rsp,
		.fs = p->regs.fs_base,
		.gs = p->regs.gs_base,
	};
	int ret = ptrace_get_xstate(p->pid, &y->xstate);

	if (ret < 0)
		return err_set(err, -ret, "cannot read registers of task %u",
			       p->task);
	if (y->xstate.len > AGENT_SLOT_SIZE - AGENT_XSTATE ||
	    mem_write_all(m, AGENT_SLOT(slot), &s, sizeof(s)) < 0 ||
	    mem_write_all(m, AGENT_LEAVE_RSP(slot), &f, sizeof(f)) < 0 ||
	    mem_write_all(m, AGENT_SLOT(slot) + AGENT_XSTATE, y->xstate.p,
			  y->xstate.len) < 0)
		return lost(err);
	return 0;
}

int
relay_begin(struct relay *y, struct err *err)
{
	int ret = 0;

	for (unsigned i = 1; i < y->n && ret == 0; i++)
		ret = put(y, i, err);
	return ret;
}

/* ---- out of them */

static int
set_xstate(struct relay *y, struct puppet *p, struct err *err)
{
	int ret = ptrace_set_xstate(p->pid, buf_span(&y->xstate));

	return ret < 0 ? err_set(err, -ret, "cannot set registers of task %u",
				 p->task)
		       : 0;
}

/* The registers with which a task that waits came to its call. */
static void
set_regs(struct puppet *p, const struct frame *f, const struct agent_slot *s)
{
	struct regs r = p->regs;

	r.rip = r.rcx = f->rcx + CALL_LEN;
	r.rax = (uint64_t)-ENOSYS;
	r.r11 = f->eflags;
	r.rsp = s->rsp;
	r.fs_base = s->fs;
	r.gs_base = s->gs;
	r.eflags = f->eflags;
	r.rdi = f->rdi;
	r.rsi = f->rsi;
	r.rdx = f->rdx;
	r.r10 = f->r10;
	r.r8 = f->r8;
	r.r9 = f->r9;
	r.rbx = f->rbx;
	r.rbp = f->rbp;
	r.r12 = f->r12;
	r.r13 = f->r13;
	r.r14 = f->r14;
	r.r15 = f->r15;
	puppet_set_regs(p, &r);
	agent_halt(p);
	p->in_call = true;
	p->call = (int16_t)f->rax;
	memcpy(p->args, &f->rdi, sizeof(p->args));
}

static int
take(struct relay *y, unsigned slot, struct err *err)
{
	static const uint64_t none = AGENT_NO_PHASE;
	struct puppet *p = y->v[slot];
	const struct mem *m = &p->space->mem;
	struct agent_slot s;
	struct frame f;
	int ret = ptrace_get_xstate(p->pid, &y->xstate); /* how long it is */

	if (ret < 0)
		return err_set(err, -ret, "cannot read registers of task %u",
			       p->task);
	if (mem_read_all(m, AGENT_SLOT(slot), &s, sizeof(s)) < 0 ||
	    mem_read_all(m, AGENT_LEAVE_RSP(slot), &f, sizeof(f)) < 0 ||
	    mem_read_all(m, AGENT_SLOT(slot) + AGENT_XSTATE, y->xstate.p,
			 y->xstate.len) < 0 ||
	    mem_write_all(m, AGENT_SLOT(slot) + AGENT_SLOT_PHASE, &none,
			  sizeof(none)) < 0)
		return lost(err);
	set_regs(p, &f, &s);
	return set_xstate(y, p, err);
}

/* The first one's process has been task p in the end. */
static int
pass_on(struct relay *y, struct puppet *p, struct err *err)
{
	const struct puppet *from = y->v[0];
	int ret = ptrace_get_xstate(from->pid, &y->xstate);

	if (ret < 0)
		return err_set(err, -ret, "cannot read registers of task %u",
			       from->task);
	puppet_set_regs(p, &from->regs);
	p->call_pc = from->call_pc;
	p->halt = from->halt;
	p->in_call = false;
	return set_xstate(y, p, err);
}

/* It has halted amid the agent. */
static bool
is_waiting(const struct mem *m, unsigned slot)
{
	uint64_t phase = AGENT_NO_PHASE;

	return mem_read_all(m, AGENT_SLOT(slot) + AGENT_SLOT_PHASE, &phase,
			    sizeof(phase)) < 0 ||
	       phase == AGENT_WAITING;
}

int
relay_end(struct relay *y, struct puppet **out, struct err *err)
{
	const struct mem *m = &y->v[0]->space->mem;
	uint64_t stack;
	unsigned slot;
	int ret = 0;

	if (mem_read_all(m, AGENT_DATA + AGENT_DATA_STACK, &stack,
			 sizeof(stack)) < 0)
		return lost(err);
	slot = (unsigned)((stack - AGENT_STACK - AGENT_SLOTS) >>
			  AGENT_SLOT_SHIFT);
	if (slot >= y->n)
		return lost(err);
	*out = y->v[slot];
	if (is_waiting(m, slot))
		return lost(err);
	if (slot != 0)
		ret = pass_on(y, *out, err);
	for (unsigned i = 0; i < y->n && ret == 0; i++)
		if (i != slot)
			ret = take(y, i, err);
	return ret;
}
