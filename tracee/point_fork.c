/* Copies of a process for searching, and getting rid of them. */
#include "tracee/point.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

#include "tracee/ptrace.h"
#include "tracee/remote.h"
#include "tracee/stop.h"

/* The copy stands in the injected call: put it where the original stands. */
static int
settle(const struct point_run *from, struct point_run *out, struct err *err)
{
	struct regs regs;
	uint64_t mask;

	if (ptrace_get_regs(from->tid, &regs) < 0 ||
	    ptrace_get_sigmask(from->tid, &mask) < 0)
		return err_set(err, E_GONE, "task %d is gone", from->tid);
	regs.orig_rax = UINT64_MAX;
	if (ptrace_set_regs(out->tid, &regs) < 0 ||
	    ptrace_set_sigmask(out->tid, mask) < 0)
		return err_set(err, E_GONE, "a copy of task %d is gone",
			       from->tid);
	return mem_open(&out->mem, out->tid, err);
}

int
point_fork(const struct point_run *from, struct point_run *out, struct err *err)
{
	/* The tracer's child, so that its end leaves nothing behind; traced
	 * without an event for the original. */
	const uint64_t args[6] = { CLONE_PARENT | CLONE_PTRACE |
				   CLONE_UNTRACED | CLONE_FILES | SIGCHLD };
	struct point_run copy = { .mem = { .fd = -1 }, .ctx = from->ctx };
	struct stop st;
	int64_t res = 0;
	int ret;

	ret = remote_syscall(from->tid, SYS_clone, args, &res, err);
	if (ret < 0)
		return ret;
	if (res < 0) {
		errno = (int)-res;
		return err_errno(err, "cannot copy task %d", from->tid);
	}
	copy.tid = (pid_t)res;
	if (stop_wait_for(copy.tid, &st) < 0 || st.kind != STOP_EVENT_STOP)
		ret = err_set(err, E_GONE, "a copy of task %d did not start",
			      from->tid);
	if (ret == 0)
		ret = settle(from, &copy, err);
	if (ret < 0) {
		point_kill(&copy);
		return ret;
	}
	*out = copy;
	return 0;
}

void
point_kill(struct point_run *run)
{
	struct stop st;

	mem_close(&run->mem);
	if (run->tid <= 0)
		return;
	kill(run->tid, SIGKILL);
	while (stop_wait_for(run->tid, &st) == 0 && st.kind != STOP_EXITED &&
	       st.kind != STOP_KILLED)
		ptrace_cont(run->tid); /* its exit stop */
	run->tid = 0;
}
