#include "tracee/step.h"

#include <errno.h>
#include <signal.h>

#include "agent/abi.h"
#include "event/regs.h"
#include "tracee/ptrace.h"
#include "tracee/stop.h"

#define SIG_BIT(n) (1ull << ((n)-1))
#define FAULT_SIGNALS                                                          \
	(SIG_BIT(SIGSEGV) | SIG_BIT(SIGBUS) | SIG_BIT(SIGILL) |                \
	 SIG_BIT(SIGFPE) | SIG_BIT(SIGSYS))

static int
gone(pid_t tid, struct err *err)
{
	return err_set(err, E_GONE, "task %d is gone", tid);
}

bool
step_is_agent(uint64_t pc)
{
	return pc - AGENT_BASE < AGENT_SIZE ||
	       pc - AGENT_VDSO < AGENT_VDSO_MAX ||
	       pc - AGENT_CODE < AGENT_CODE_LEN;
}

int
step_event_due(pid_t tid, struct err *err)
{
	struct regs regs;
	int ret = ptrace_get_regs(tid, &regs);

	if (ret == 0)
		ret = ptrace_fault_pending(tid);
	if (ret == -E_GONE)
		return gone(tid, err);
	if (ret < 0) {
		errno = -ret;
		return err_errno(err, "cannot look at task %d", tid);
	}
	return ret == 1 || (int64_t)regs.orig_rax >= 0 ||
	       step_is_agent(regs.rip);
}

int
step_quiet(pid_t tid, uint64_t *out_mask, struct err *err)
{
	uint64_t mask, busy;

	if (ptrace_get_sigmask(tid, &mask) < 0)
		return gone(tid, err);
	busy = (~(uint64_t)0 & ~FAULT_SIGNALS & ~SIG_BIT(SIGTRAP)) |
	       (mask & FAULT_SIGNALS);
	if (ptrace_set_sigmask(tid, busy) < 0)
		return gone(tid, err);
	*out_mask = mask;
	return 0;
}

void
step_loud(pid_t tid, uint64_t mask)
{
	ptrace_set_sigmask(tid, mask);
}

/* The next stop of a step. STEP_DONE: it is the step's own; -EAGAIN: it has to
 * be resumed once more. */
static int
step_stop(pid_t tid, struct err *err)
{
	struct stop st;
	int ret;

	do
		ret = stop_peek(tid, true, &st);
	while (ret == -EINTR);
	if (ret < 0)
		return gone(tid, err);
	switch (st.kind) {
	case STOP_EVENT_STOP: /* a late interrupt; the step may be done or not
			       */
		return stop_wait(tid, true, &st) < 0 ? gone(tid, err) : -EAGAIN;
	case STOP_SIGNAL:
		if (st.signo != SIGTRAP)
			return STEP_OTHER;
		return stop_wait(tid, true, &st) < 0 ? gone(tid, err)
						     : STEP_DONE;
	case STOP_NONE:
	case STOP_EXITED:
	case STOP_KILLED:
	case STOP_SECCOMP:
	case STOP_SYSCALL:
	case STOP_GROUP:
	case STOP_FORK:
	case STOP_VFORK:
	case STOP_CLONE:
	case STOP_EXEC:
	case STOP_EXIT:
		break;
	}
	return STEP_OTHER;
}

int
step_resume(pid_t tid, int request, struct err *err)
{
	int ret;

	do {
		ret = ptrace_resume(tid, request, 0);
		if (ret < 0)
			return gone(tid, err);
		ret = step_stop(tid, err);
	} while (ret == -EAGAIN);
	return ret;
}
