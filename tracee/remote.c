/*
 * One call inside a stopped task:
 *
 *   set registers -> PTRACE_SYSCALL -> entry stop -> [seccomp stop, when poked]
 *     -> PTRACE_SYSCALL -> [fork, clone, exec events] -> exit stop
 *     -> registers back
 *
 * Two stops rather than a single-step, because a step's SIGTRAP destroys the
 * disposition of a program that blocks or ignores it, and leaves TF in r11.
 *
 * Every stop is looked at before it is taken (stop_peek), so that a death is
 * left for whoever waits for the task. Interrupts and job control are taken
 * and asked for again afterwards: PTRACE_INTERRUPT reports a group-stop that is
 * still in force, or a plain event stop.
 */
#include "tracee/remote.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/abi.h"
#include "base/mem.h"
#include "tracee/mem.h"
#include "tracee/ptrace.h"
#include "tracee/stop.h"

struct injection {
	pid_t tid;
	bool again;	/* an interrupt or group-stop was taken on the way */
	int stopped_by; /* SIGSTOP that must be sent again, or 0 */
	bool exec;	/* the call replaced the image */
	bool to_trap;	/* up to an int3, not to a call's exit */
};

static int
gone(pid_t tid, struct err *err)
{
	return err_set(err, E_GONE, "task %d died during an injected call",
		       tid);
}

static int
failed(pid_t tid, int ret, const char *what, struct err *err)
{
	if (ret == -E_GONE)
		return gone(tid, err);
	errno = -ret;
	return err_errno(err, "%s of task %d", what, tid);
}

/* Take one stop that is not the one we wait for. 1: at an exit stop. */
static int
take(struct injection *in, const struct stop *st, struct err *err)
{
	switch (st->kind) {
	case STOP_SYSCALL:
		return ptrace_syscall_op(in->tid) == PTRACE_SYSCALL_INFO_EXIT
			       ? 1
			       : 0;
	case STOP_SIGNAL:
		/* All are blocked but SIGSTOP; and faults, which mean that
		 * the gadget is not there. */
		if (st->signo == SIGSTOP) {
			in->stopped_by = st->signo;
			return 0;
		}
		if (in->to_trap && st->signo == SIGTRAP)
			return 1;
		return err_set(
			err, E_UNSUPPORTED,
			"signal %d in task %d instead of an injected call",
			st->signo, in->tid);
	case STOP_GROUP:
	case STOP_EVENT_STOP:
		in->again = true;
		return 0;
	case STOP_EXEC:
		in->exec = true;
		return 0;
	case STOP_SECCOMP:
	case STOP_FORK:
	case STOP_VFORK:
	case STOP_CLONE:
	case STOP_NONE:
		return 0;
	case STOP_EXITED:
	case STOP_KILLED:
	case STOP_EXIT:
		break;
	}
	return gone(in->tid, err);
}

/* Resume until the exit stop of a call, or the trap. */
static int
run_on(struct injection *in, struct err *err)
{
	const int op = in->to_trap ? PTRACE_CONT : PTRACE_SYSCALL;
	struct stop st;
	int ret;

	do {
		ret = ptrace_resume(in->tid, op, 0);
		if (ret < 0)
			return failed(in->tid, ret, "resuming", err);
		do
			ret = stop_peek(in->tid, true, &st);
		while (ret == -EINTR);
		if (ret < 0 || st.kind == STOP_EXITED ||
		    st.kind == STOP_KILLED || st.kind == STOP_EXIT)
			return gone(in->tid, err);
		ret = stop_wait_for(in->tid, &st);
		if (ret < 0)
			return gone(in->tid, err);
		ret = take(in, &st, err);
	} while (ret == 0);
	return ret < 0 ? ret : 0;
}

/* Ask again for what was taken on the way. */
static void
give_back(const struct injection *in)
{
	if (in->stopped_by != 0)
		syscall(SYS_tkill, in->tid, in->stopped_by);
	else if (in->again)
		ptrace_interrupt(in->tid);
}

static void
put_args(struct regs *r, long nr, const uint64_t args[6])
{
	r->rax = (uint64_t)nr;
	r->rdi = args[0];
	r->rsi = args[1];
	r->rdx = args[2];
	r->r10 = args[3];
	r->r8 = args[4];
	r->r9 = args[5];
}

/* From the call's registers to those after it, then to the registers back. */
static int
run_all(struct injection in, const struct regs *call, const struct regs *back,
	struct regs *out, struct err *err)
{
	const pid_t tid = in.tid;
	struct regs after;
	uint64_t mask = 0;
	int ret;

	ret = ptrace_get_sigmask(tid, &mask);
	if (ret == 0)
		ret = ptrace_set_sigmask(tid, ~0ull);
	if (ret == 0)
		ret = ptrace_set_regs(tid, call);
	if (ret < 0)
		return failed(tid, ret, "registers", err);
	ret = run_on(&in, err);
	if (ret == -E_GONE)
		return ret;
	if (ret == 0) {
		ret = ptrace_get_regs(tid, &after);
		if (ret < 0)
			return failed(tid, ret, "registers", err);
		*out = after;
	}
	if (!in.exec && ptrace_set_regs(tid, back) < 0)
		return gone(tid, err);
	if (ptrace_set_sigmask(tid, mask) < 0)
		return gone(tid, err);
	give_back(&in);
	return ret;
}

static int
run(pid_t tid, const struct regs *call, const struct regs *back,
    int64_t *out_ret, struct err *err)
{
	struct regs after;
	int ret = run_all((struct injection){ .tid = tid }, call, back, &after,
			  err);

	if (ret == 0)
		*out_ret = (int64_t)after.rax;
	return ret;
}

int
remote_to_trap(pid_t tid, const struct regs *from, const struct regs *back,
	       struct regs *out, struct err *err)
{
	return run_all((struct injection){ .tid = tid, .to_trap = true }, from,
		       back, out, err);
}

int
remote_syscall(pid_t tid, long nr, const uint64_t args[6], int64_t *out_ret,
	       struct err *err)
{
	struct regs back, call;
	int ret = ptrace_get_regs(tid, &back);

	if (ret < 0)
		return failed(tid, ret, "registers", err);
	call = back;
	put_args(&call, nr, args);
	call.rip = AGENT_BASE + AGENT_GADGET;
	call.orig_rax = UINT64_MAX;
	return run(tid, &call, &back, out_ret, err);
}

int
remote_syscall_poke(pid_t tid, const struct mem *m, long nr,
		    const uint64_t args[6], int64_t *out_ret, struct err *err)
{
	static const uint8_t insn[2] = { 0x0f, 0x05 };
	uint8_t saved[sizeof(insn)];
	struct regs back, call;
	int ret = ptrace_get_regs(tid, &back);

	if (ret < 0)
		return failed(tid, ret, "registers", err);
	if (mem_read_all(m, back.rip, saved, sizeof(saved)) < 0 ||
	    mem_write_all(m, back.rip, insn, sizeof(insn)) < 0)
		return err_set(err, EFAULT,
			       "no code that can be written at %#llx",
			       (unsigned long long)back.rip);
	call = back;
	put_args(&call, nr, args);
	call.orig_rax = UINT64_MAX;
	ret = run(tid, &call, &back, out_ret, err);
	/* The call may have unmapped it, or the task died: nothing to mend. */
	if (mem_write_all(m, back.rip, saved, sizeof(saved)) < 0 && ret == 0)
		ret = err_set(err, EFAULT, "cannot write code at %#llx back",
			      (unsigned long long)back.rip);
	return ret;
}

int
remote_syscall_with(pid_t tid, const struct mem *m, long nr,
		    const uint64_t args[6], unsigned which, struct span data,
		    int64_t *out_ret, struct err *err)
{
	static const uint8_t zeros[AGENT_ARG_SIZE];
	const struct mem own = mem_of_task(m, tid);
	uint64_t a[6];
	int ret;

	ASSERT(which < 6 && data.len <= AGENT_ARG_SIZE);
	memcpy(a, args, sizeof(a));
	a[which] = AGENT_ARG;
	if (mem_write_all(&own, AGENT_ARG, data.p, data.len) < 0)
		return err_set(err, EFAULT, "pastime's page is gone");
	ret = remote_syscall(tid, nr, a, out_ret, err);
	/* Of a task that died meanwhile nothing is left to be put back. */
	if (mem_write_all(&own, AGENT_ARG, zeros, data.len) < 0 && ret == 0)
		ret = err_set(err, EFAULT, "pastime's page is gone");
	return ret;
}

int
remote_at_entry(pid_t tid, long nr, const uint64_t args[6], int64_t *out_ret,
		struct err *err)
{
	struct regs back, call;
	int ret = ptrace_get_regs(tid, &back);

	if (ret < 0)
		return failed(tid, ret, "registers", err);
	/* The kernel reads number and arguments again after the stop. */
	call = back;
	put_args(&call, nr, args);
	call.rax = back.rax;
	call.orig_rax = (uint64_t)nr;
	/* Before the instruction, as if it had not been reached. */
	back.rip -= 2;
	back.rax = back.orig_rax;
	back.orig_rax = UINT64_MAX;
	return run(tid, &call, &back, out_ret, err);
}
