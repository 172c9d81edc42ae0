/*
 * Seccomp filters that the program installs for itself. The kernel never sees
 * them, because an action other than TRACE would hide the call from us: they are
 * interpreted here at each call (tracee/bpf.h).
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "recorder/special.h"
#include "recorder/task.h"
#include "tracee/bpf.h"

#define KNOWN_FLAGS                                                       \
	(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG |            \
	 SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_TSYNC_ESRCH)

struct fprog { /* struct sock_fprog */
	uint16_t len;
	uint8_t pad[6];
	uint64_t insns;
};

int
sandbox_refuse(struct recorder *r, struct task *t)
{
	warn(r, t, WARN_REFUSED, t->call.sc.nr,
	     "a seccomp mode or flag is not supported: answered EINVAL");
	syscall_answer(t, -EINVAL, true);
	return SPECIAL_RUN;
}

static void
set_filters(struct task *t, struct bpf_chain *c)
{
	bpf_chain_unref(t->filters);
	t->filters = c;
}

static int
install(struct task *t, uint64_t flags, uint64_t addr)
{
	const struct mem *m = &task_space(t)->mem;
	struct bpf_chain *chain;
	struct fprog prog;
	struct sock_filter *insns;
	size_t len;
	int ret;

	if (mem_read_all(m, addr, &prog, sizeof(prog)) < 0)
		return -EFAULT;
	if (prog.len == 0 || prog.len > BPF_MAXINSNS)
		return -EINVAL;
	len = prog.len * sizeof(*insns);
	insns = mem_alloc(len);
	ret = mem_read_all(m, prog.insns, insns, len);
	if (ret == 0)
		ret = bpf_chain_push(t->filters, span_of(insns, len), &chain,
				     NULL);
	mem_free(insns);
	if (ret < 0)
		return ret;
	set_filters(t, chain);
	if (flags & SECCOMP_FILTER_FLAG_TSYNC)
		for (size_t i = 0; i < t->proc->tasks.len; i++)
			if (t->proc->tasks.v[i] != t)
				set_filters(t->proc->tasks.v[i],
					    bpf_chain_ref(chain));
	return 0;
}

int
sandbox_install(struct recorder *r, struct task *t, uint64_t flags,
		uint64_t fprog, struct err *err)
{
	if (flags & ~(uint64_t)KNOWN_FLAGS)
		return sandbox_refuse(r, t);
	syscall_answer(t, install(t, flags, fprog), false);
	return SPECIAL_RUN;
}

/* SECCOMP_GET_ACTION_AVAIL: what sandbox_check can do. */
static int
action_avail(struct task *t, uint64_t addr)
{
	uint32_t action;

	if (mem_read_all(&task_space(t)->mem, addr, &action, sizeof(action)) <
	    0)
		return -EFAULT;
	switch (action) {
	case SECCOMP_RET_KILL_PROCESS:
	case SECCOMP_RET_KILL_THREAD:
	case SECCOMP_RET_TRAP:
	case SECCOMP_RET_ERRNO:
	case SECCOMP_RET_TRACE:
	case SECCOMP_RET_LOG:
	case SECCOMP_RET_ALLOW:
		return 0;
	}
	return -EOPNOTSUPP;
}

int
sandbox_enter(struct recorder *r, struct task *t, struct err *err)
{
	const uint64_t *a = t->call.sc.args;

	switch ((unsigned)a[0]) {
	case SECCOMP_SET_MODE_FILTER:
		return sandbox_install(r, t, a[1], a[2], err);
	case SECCOMP_GET_ACTION_AVAIL:
		syscall_answer(t, action_avail(t, a[2]), false);
		return SPECIAL_RUN;
	case SECCOMP_GET_NOTIF_SIZES:
		return SPECIAL_RUN;
	}
	return sandbox_refuse(r, t);
}

/* RET_TRAP: the call does not run, its number stays in rax, SIGSYS comes. */
static int
trap(struct recorder *r, struct task *t, uint16_t data, struct err *err)
{
	const struct call *c = &t->call;
	siginfo_t si;

	memset(&si, 0, sizeof(si));
	si.si_signo = SIGSYS;
	si.si_errno = data;
	si.si_code = 1; /* SYS_SECCOMP */
	si.si_call_addr = (void *)(uintptr_t)c->pc;
	si.si_syscall = c->sc.nr;
	si.si_arch = 0xc000003e; /* AUDIT_ARCH_X86_64 */
	syscall_answer(t, c->sc.nr, true);
	return signal_force(r, t, &si, err);
}

static bool
is_alone(const struct task *t)
{
	for (size_t i = 0; i < t->proc->tasks.len; i++)
		if (t->proc->tasks.v[i] != t && !t->proc->tasks.v[i]->dead)
			return false;
	return true;
}

/* RET_KILL_THREAD: of several threads only this one dies, without a signal.
 * Leaving by exit does to it what the kernel would. */
static int
kill_thread(struct recorder *r, struct task *t, struct err *err)
{
	struct regs regs = t->call.regs;
	int ret;

	if (is_alone(t))
		return signal_kill(r, t, err);
	ret = syscall_log_enter(r, t, err);
	if (ret < 0)
		return ret;
	t->call.killed = true;
	regs.orig_rax = SYS_exit;
	regs.rdi = SIGSYS;
	ret = ptrace_set_regs(t->tid, &regs);
	if (ret == 0)
		ret = task_resume(t, PTRACE_CONT, 0);
	return ret < 0 ? ret : SPECIAL_DONE;
}

int
sandbox_check(struct recorder *r, struct task *t, struct err *err)
{
	struct bpf_call call = { .nr = t->call.sc.nr, .ip = t->call.pc };
	uint16_t data = 0;

	if (t->filters == NULL)
		return SPECIAL_RUN;
	memcpy(call.args, t->call.sc.args, sizeof(call.args));
	switch (bpf_chain_run(t->filters, &call, &data)) {
	case BPF_ALLOW:
		break;
	case BPF_ERRNO:
		syscall_answer(t, -(int64_t)data, true);
		break;
	case BPF_NO_TRACER:
		syscall_answer(t, -ENOSYS, true);
		break;
	case BPF_TRAP:
		return trap(r, t, data, err);
	case BPF_KILL_THREAD:
		return kill_thread(r, t, err);
	case BPF_KILL_PROCESS:
		return signal_kill(r, t, err);
	}
	return SPECIAL_RUN;
}
