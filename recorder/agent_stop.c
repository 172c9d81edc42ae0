/*
 * Stops in the midst of the agent. It is no place of the program's, so the task
 * has to get out of there before anything can be made of the stop:
 *
 *   in a call that waits, for a signal:  the call becomes one that trapped, as
 *                                        the kernel has left it; it may restart
 *   ... for another task of its group:   it says EINTR, and traps to be made
 * again elsewhere:                           it goes on; the next call traps at
 * a fault of the agent's own:       the call that it was to make traps
 */
#include "recorder/agent_priv.h"

#include <errno.h>
#include <signal.h>

#include "recorder/nondet.h"
#include "recorder/task.h"

/* Results that stay between kernel and tracer (include/linux/errno.h). */
#define K_RESTART_FIRST 512
#define K_RESTART_LAST 516
#define STUB_CALL_LEN 2u /* its syscall instruction */

/* As enter.S pushes them. */
struct frame {
	uint64_t rcx, rax, rdi, rsi, rdx, r10, r8, r9;
	uint64_t rbx, rbp, r12, r13, r14, r15, eflags;
};

_Static_assert(sizeof(struct frame) == AGENT_FRAME, "agent/enter.S");

static bool
in_code(uint64_t rip)
{
	return rip - AGENT_CODE < AGENT_CODE_LEN ||
	       rip - AGENT_VDSO < AGENT_VDSO_MAX ||
	       rip - (AGENT_BASE + AGENT_CALL) <=
		       3; /* 3: a test stops it there */
}

bool
agent_is_inside(const struct task *t)
{
	struct regs regs;

	return ptrace_get_regs(t->tid, &regs) == 0 && in_code(regs.rip) &&
	       regs.rip != AGENT_GATE_AFTER;
}

static bool
is_on(const struct task *t)
{
	return t->proc != NULL && task_space(t)->agent != NULL &&
	       task_space(t)->agent->on;
}

static bool
waits(const struct task *t)
{
	uint64_t inside = 0;

	return mem_read_all(&task_space(t)->mem,
			    AGENT_DATA + offsetof(struct agent_data, inside),
			    &inside, sizeof(inside)) == 0 &&
	       inside != 0;
}

/* At a call's end that is not its end. */
static bool
is_broken_off(const struct regs *regs)
{
	int64_t ret = (int64_t)regs->rax;

	return regs->rip == AGENT_CALL_AFTER && (int64_t)regs->orig_rax >= 0 &&
	       (ret == -EINTR ||
		(ret <= -K_RESTART_FIRST && ret >= -K_RESTART_LAST));
}

/* The call that it is about to wait in is not made, but made again. */
static void
break_off(struct task *t, struct regs *regs)
{
	if (regs->rip - AGENT_WAIT < AGENT_WAIT_DONE - AGENT_WAIT)
		regs->rip = AGENT_WAIT_OUT;
	else if (regs->rip == AGENT_BASE + AGENT_CALL)
		regs->rip = AGENT_CALL_AFTER;
	else if (!is_broken_off(regs))
		return; /* it has returned */
	regs->rax = (uint64_t)-EINTR;
	regs->orig_rax = UINT64_MAX;
	/* A task that is gone says so at the next opportunity. */
	(void)ptrace_set_regs(t->tid, regs);
}

/* It was about to say that it gives the baton up: it looks once more. */
static void
look_again(struct task *t, struct regs *regs)
{
	regs->rip = AGENT_BLOCK;
	(void)ptrace_set_regs(t->tid, regs);
}

bool
agent_interrupted(struct task *t)
{
	struct regs regs;

	if (!is_on(t))
		return false;
	if (t->inside && task_group(t)->runner != t) {
		agent_summon(t);
		return true;
	}
	if (task_group(t)->ready.len > 0)
		agent_hold(task_space(t));
	if (ptrace_get_regs(t->tid, &regs) < 0 || !in_code(regs.rip))
		return false;
	agent_hold(task_space(t));
	if (waits(t))
		break_off(t, &regs);
	else if (regs.rip - AGENT_BLOCK < AGENT_BLOCK_TOLD - AGENT_BLOCK)
		look_again(t, &regs);
	return true;
}

bool
agent_program_regs(const struct task *t, struct regs *regs)
{
	const struct mem *m = &task_space(t)->mem;
	struct frame f;
	uint64_t rsp;

	if (t->seat == 0 ||
	    mem_read_all(m, AGENT_LEAVE_RSP(t->seat - 1), &f, sizeof(f)) < 0 ||
	    mem_read_all(m,
			 t->inside ? AGENT_SLOT(t->seat - 1) +
					     offsetof(struct agent_slot, rsp)
				   : AGENT_DATA + AGENT_DATA_RSP,
			 &rsp, sizeof(rsp)) < 0 ||
	    f.rcx - AGENT_SITES >= AGENT_SITES_LEN)
		return false;
	regs->rip = regs->rcx = f.rcx + STUB_CALL_LEN;
	regs->r11 = R11_CANONICAL;
	regs->rsp = rsp;
	regs->eflags = f.eflags;
	regs->rdi = f.rdi;
	regs->rsi = f.rsi;
	regs->rdx = f.rdx;
	regs->r10 = f.r10;
	regs->r8 = f.r8;
	regs->r9 = f.r9;
	regs->rbx = f.rbx;
	regs->rbp = f.rbp;
	regs->r12 = f.r12;
	regs->r13 = f.r13;
	regs->r14 = f.r14;
	regs->r15 = f.r15;
	return true;
}

/* The call has returned with its result, which is not written down yet: its
 * event is made here, and t stands behind it. */
static int
complete(struct recorder *r, struct task *t, struct regs *regs, struct err *err)
{
	struct event ev;
	int ret = syscall_adopt(r, t, regs, err);

	if (ret < 0)
		return ret;
	t->call.restarting = false;
	t->call.sc.ret = (int64_t)regs->rax;
	regs->rip = regs->rcx = t->call.pc;
	regs->orig_rax = UINT64_MAX;
	ret = ptrace_set_regs(t->tid, regs);
	if (ret < 0)
		return ret;
	t->last = *regs;
	if (t->call.desc->flags & SYSF_FD)
		agent_forget_fds(task_space(t));
	ret = syscall_collect(r, t, &ev, err);
	return ret < 0 ? ret : syscall_emit(r, t, &ev, err);
}

void
agent_faulted(struct task *t)
{
	const struct agent_space *a = task_space(t)->agent;
	struct regs regs;
	uint64_t i, at;

	if (a == NULL || ptrace_get_regs(t->tid, &regs) < 0)
		return;
	i = (regs.rip - AGENT_SITES) / AGENT_SITE_SIZE - 1;
	at = regs.rip % AGENT_SITE_SIZE - SITE_MOVED;
	if (i >= a->sites.len || at >= a->sites.v[i].pre)
		return;
	regs.rip = a->sites.v[i].after - STUB_CALL_LEN - a->sites.v[i].pre + at;
	/* A task that is gone says so at the next opportunity. */
	(void)ptrace_set_regs(t->tid, &regs);
}

int
agent_come_out(struct recorder *r, struct task *t, bool matters,
	       struct err *err)
{
	static const uint64_t none;
	struct regs regs;
	bool broken;
	int ret;

	if (!is_on(t) || t->call.active)
		return 0;
	if (t->inside)
		return agent_come_back(r, t, matters, err);
	ret = ptrace_get_regs(t->tid, &regs);
	if (ret < 0 || regs.rip != AGENT_CALL_AFTER ||
	    (int64_t)regs.orig_rax < 0 || !waits(t))
		return ret;
	/* Nothing but a handler makes EINTR an end. */
	broken = is_broken_off(&regs);
	if (!matters && (!broken || (int64_t)regs.rax == -EINTR))
		return 0;
	if (!agent_program_regs(t, &regs) ||
	    mem_write_all(&task_space(t)->mem,
			  AGENT_DATA + offsetof(struct agent_data, inside),
			  &none, sizeof(none)) < 0)
		return 0;
	if (!broken)
		return complete(r, t, &regs, err);
	ret = ptrace_set_regs(t->tid, &regs);
	return ret < 0 ? ret : syscall_adopt(r, t, &regs, err);
}

/* Out of the agent, to the call in the stub, with nothing done. */
static bool
give_up(struct task *t, struct regs *regs)
{
	regs->rip = AGENT_LEAVE;
	regs->rsp = AGENT_LEAVE_RSP(t->seat - 1);
	regs->orig_rax = UINT64_MAX;
	agent_hold(task_space(t));
	return ptrace_set_regs(t->tid, regs) == 0;
}

/* The memory that the output of its call was for has gone meanwhile. */
static bool
copies(struct task *t, int signo, struct regs *regs)
{
	if ((signo != SIGSEGV && signo != SIGBUS) || regs->rip != AGENT_COPY ||
	    nondet_repair(t, signo, NULL) < 0)
		return false;
	regs->rip = AGENT_COPY_DONE;
	return ptrace_set_regs(t->tid, regs) == 0;
}

bool
agent_own_signal(struct task *t, int signo, bool fault)
{
	struct regs regs;
	int64_t ret;

	if (!is_on(t) || ptrace_get_regs(t->tid, &regs) < 0 ||
	    !in_code(regs.rip))
		return false;
	if (fault && t->inside)
		return copies(t, signo, &regs);
	if (fault)
		return (signo == SIGSEGV || signo == SIGBUS) && t->seat != 0 &&
		       nondet_repair(t, signo, NULL) == 0 && give_up(t, &regs);
	ret = (int64_t)regs.rax;
	return regs.rip == AGENT_CALL_AFTER &&
	       ((signo == SIGPIPE && ret == -EPIPE) ||
		(signo == SIGXFSZ && ret == -EFBIG));
}
