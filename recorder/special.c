/*
 * Calls that are not just a row of the table. Each says why.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "recorder/agent.h"
#include "recorder/engine.h"
#include "recorder/exec.h"
#include "recorder/nondet.h"
#include "recorder/sched.h"
#include "recorder/special.h"
#include "recorder/task.h"
#include "tracee/bpf.h"

#define CPUS_MAX 64u

/* --- tasks ------------------------------------------------------------------ */

/* The status is decided by who calls exit_group first, not by which thread dies
 * last. */
void
special_exits(struct task *t, uint64_t code)
{
	if (t->proc->exiting)
		return;
	t->proc->exiting = true;
	t->proc->status = (int)(code & 0xff) << 8;
}

/* It never returns: its event must be out before. */
static int
enter_exit(struct recorder *r, struct task *t, struct err *err)
{
	int ret = syscall_log_enter(r, t, err);

	if (ret == 0 && t->call.sc.nr == SYS_exit_group)
		ret = agent_left(r, t, err);
	if (ret < 0)
		return ret;
	if (t->call.sc.nr == SYS_exit_group)
		special_exits(t, t->call.sc.args[0]);
	ret = task_resume(t, PTRACE_CONT, 0);
	return ret < 0 ? ret : SPECIAL_DONE;
}

/* The child's birth stands between enter and exit. CLONE_UNTRACED would let
 * the child escape. */
static int
enter_clone(struct recorder *r, struct task *t, struct err *err)
{
	struct regs regs = t->call.regs;
	int ret = syscall_log_enter(r, t, err);

	if (ret < 0)
		return ret;
	if (t->call.sc.nr == SYS_clone &&
	    (regs.rdi & (CLONE_NEWNS | CLONE_NEWUSER)) != 0)
		r->elsewhere = true;
	if (t->call.sc.nr == SYS_clone && (regs.rdi & CLONE_UNTRACED)) {
		regs.rdi &= ~(uint64_t)CLONE_UNTRACED;
		ret = ptrace_set_regs(t->tid, &regs);
		if (ret < 0)
			return ret;
	}
	ret = task_resume(t, PTRACE_SYSCALL, 0);
	return ret < 0 ? ret : SPECIAL_DONE;
}

/* An image that cannot be recorded is one that this machine does not run. */
static bool
answer_exec(struct recorder *r, struct task *t)
{
	const uint64_t *a = t->call.sc.args;
	bool at = t->call.sc.nr == SYS_execveat;
	struct buf path = { 0 };
	const char *why = NULL;
	int code = ENOEXEC;

	if (mem_read_str(&task_space(t)->mem, a[at ? 1 : 0], PATH_MAX, &path) ==
	    0)
		why = exec_refusal(r, t, at ? (int)a[0] : AT_FDCWD,
				   buf_cstr(&path), &code);
	if (why != NULL) {
		warn(r, t, WARN_REFUSED, t->call.sc.nr,
		     "%s is %s, which cannot be recorded: answered %s",
		     buf_cstr(&path), why,
		     code == EACCES ? "EACCES" : "ENOEXEC");
		syscall_answer(t, -code, true);
	}
	buf_free(&path);
	return why != NULL;
}

/* From now on a path may mean another file to it than to us. */
static int
enter_elsewhere(struct recorder *r, struct task *t, struct err *err)
{
	r->elsewhere = true;
	return SPECIAL_RUN;
}

/* Its arguments are gone when it has succeeded. */
static int
enter_exec(struct recorder *r, struct task *t, struct err *err)
{
	int ret;

	if (answer_exec(r, t))
		return SPECIAL_RUN;
	ret = syscall_log_enter(r, t, err);
	if (ret == 0)
		ret = task_resume(t, PTRACE_SYSCALL, 0);
	return ret < 0 ? ret : SPECIAL_DONE;
}

/* The address of the word that the kernel clears when the thread ends. */
static int
leave_set_tid_address(struct recorder *r, struct task *t, struct err *err)
{
	t->cleartid = t->call.sc.args[0];
	return 0;
}

static int
leave_yield(struct recorder *r, struct task *t, struct err *err)
{
	sched_yield_turn(t);
	return 0;
}

/* All registers come out of the frame. */
static int
leave_sigreturn(struct recorder *r, struct task *t, struct err *err)
{
	struct buf x = { 0 };
	int ret = ptrace_get_xstate(t->tid, &x);

	if (ret == 0)
		ret = agent_sigreturn(t, &t->last);
	nondet_sigmask(t);
	item_put_bytes(&r->items, ITEM_REGS, 0,
		       span_of(&t->last, sizeof(t->last)));
	if (ret == 0)
		item_put_bytes(&r->items, ITEM_XSTATE, 0, buf_span(&x));
	buf_free(&x);
	t->call.sc.ret = (int64_t)t->last.rax;
	t->returned_ns = r->now_ns;
	return ret;
}

/* Writes another task's memory. */
static int
leave_vm_writev(struct recorder *r, struct task *t, struct err *err)
{
	const uint64_t *a = t->call.sc.args;
	const struct task *to = task_get(r, (pid_t)a[0]);
	uint64_t left = t->call.sc.ret > 0 ? (uint64_t)t->call.sc.ret : 0;

	if (to == NULL || to->proc == NULL)
		return 0;
	for (uint64_t i = 0; i < a[4] && left > 0; i++) {
		uint64_t iov[2], n;
		uint8_t *p;

		if (mem_read_all(&task_space(t)->mem, a[3] + i * 16, iov,
				 sizeof(iov)) < 0)
			break;
		n = iov[1] < left ? iov[1] : left;
		p = arena_alloc(&r->arena, n + 1);
		if (mem_read_all(&task_space(to)->mem, iov[0], p, n) == 0)
			item_put_mem_task(&r->items, to->number, iov[0],
					  span_of(p, n));
		left -= n;
	}
	return 0;
}

/* --- CPUs: programs see opts.cpus of them, from 0, and run on number 0 --------- */

static int
leave_getaffinity(struct recorder *r, struct task *t, struct err *err)
{
	uint64_t n = r->opts.cpus < CPUS_MAX ? r->opts.cpus : CPUS_MAX;
	uint64_t mask = n == CPUS_MAX ? UINT64_MAX : (1ull << n) - 1;
	int64_t len = t->call.sc.ret;
	uint8_t *p;

	if (len <= 0)
		return 0;
	p = arena_alloc(&r->arena, (size_t)len);
	memcpy(p, &mask, (size_t)len < sizeof(mask) ? (size_t)len :
						      sizeof(mask));
	mem_write(&task_space(t)->mem, t->call.sc.args[2], p, (size_t)len);
	return 0;
}

/* Turns are our business: nobody is pinned. */
static int
enter_setaffinity(struct recorder *r, struct task *t, struct err *err)
{
	syscall_answer(t, 0, false);
	return SPECIAL_RUN;
}

static int
leave_getcpu(struct recorder *r, struct task *t, struct err *err)
{
	static const uint32_t zero;

	for (int i = 0; i < 2; i++)
		if (t->call.sc.ret == 0 && t->call.sc.args[i] != 0)
			mem_write(&task_space(t)->mem, t->call.sc.args[i],
				  &zero, sizeof(zero));
	return 0;
}

/* --- prctl: what would show or break the tracing --------------------------------- */

static int
enter_prctl(struct recorder *r, struct task *t, struct err *err)
{
	const uint64_t *a = t->call.sc.args;
	struct process *p = t->proc;

	switch ((int)a[0]) {
	case PR_SET_DUMPABLE: /* 0 would close /proc/PID/mem */
		if (a[1] > 1) {
			syscall_answer(t, -EINVAL, false);
			break;
		}
		p->dumpable = (int)a[1];
		syscall_answer(t, 0, false);
		break;
	case PR_GET_DUMPABLE:
		syscall_answer(t, p->dumpable, false);
		break;
	case PR_GET_NO_NEW_PRIVS: /* the filter may have needed it */
		syscall_answer(t, t->proc->no_new_privs, false);
		break;
	case PR_GET_SECCOMP:
		syscall_answer(t, t->filters != NULL ? SECCOMP_MODE_FILTER : 0,
			       false);
		break;
	case PR_SET_SECCOMP:
		if (a[1] == SECCOMP_MODE_FILTER)
			return sandbox_install(r, t, 0, a[2], err);
		return sandbox_refuse(r, t);
	case PR_SET_TSC: /* ours */
		syscall_answer(t, 0, false);
		break;
	}
	return SPECIAL_RUN;
}

static int
leave_prctl(struct recorder *r, struct task *t, struct err *err)
{
	static const uint32_t tsc = PR_TSC_ENABLE;
	const uint64_t *a = t->call.sc.args;

	if (t->call.sc.ret != 0)
		return 0;
	if ((int)a[0] == PR_SET_NAME)
		t->proc->comm[0] = '\0';
	if ((int)a[0] == PR_SET_NO_NEW_PRIVS)
		t->proc->no_new_privs = 1;
	if ((int)a[0] == PR_GET_TSC)
		mem_write(&task_space(t)->mem, a[1], &tsc, sizeof(tsc));
	return 0;
}

/* CPUID faulting is ours. */
static int
enter_arch_prctl(struct recorder *r, struct task *t, struct err *err)
{
	if ((int)t->call.sc.args[0] == ARCH_GET_CPUID)
		syscall_answer(t, 1, false);
	if ((int)t->call.sc.args[0] == ARCH_SET_CPUID)
		syscall_answer(t, -ENODEV, false);
	return SPECIAL_RUN;
}

/* --- signals: what repairing after a trap needs to know (nondet.h) ------------------- */

static int
leave_sigaction(struct recorder *r, struct task *t, struct err *err)
{
	const uint64_t *a = t->call.sc.args;
	uint8_t act[32];

	if (t->call.sc.ret == 0 && a[1] != 0 &&
	    mem_read_all(&task_space(t)->mem, a[1], act, sizeof(act)) == 0)
		nondet_sigaction(t, (int)a[0], act);
	return 0;
}

static int
leave_mask(struct recorder *r, struct task *t, struct err *err)
{
	t->masked_ns = r->now_ns;
	nondet_sigmask(t);
	return 0;
}

/* --- the table ---------------------------------------------------------------------- */

static const struct special_ops none;

/* clang-format off */
static const struct special_ops table[SYS_MAX] = {
	[SYS_read] = { .leave = procfs_read },
	[SYS_pread64] = { .leave = procfs_read },
	[SYS_exit] = { .enter = enter_exit },
	[SYS_exit_group] = { .enter = enter_exit },
	[SYS_clone] = { .enter = enter_clone },
	[SYS_fork] = { .enter = enter_clone },
	[SYS_vfork] = { .enter = enter_clone },
	[SYS_chroot] = { .enter = enter_elsewhere },
	[SYS_pivot_root] = { .enter = enter_elsewhere },
	[SYS_unshare] = { .enter = enter_elsewhere },
	[SYS_setns] = { .enter = enter_elsewhere },
	[SYS_execve] = { .enter = enter_exec },
	[SYS_execveat] = { .enter = enter_exec },
	[SYS_set_tid_address] = { .leave = leave_set_tid_address },
	[SYS_sched_yield] = { .leave = leave_yield },
	[SYS_rt_sigaction] = { .leave = leave_sigaction },
	[SYS_rt_sigprocmask] = { .leave = leave_mask },
	[SYS_rt_sigsuspend] = { .leave = leave_mask },
	[SYS_ppoll] = { .leave = leave_mask },
	[SYS_pselect6] = { .leave = leave_mask },
	[SYS_epoll_pwait] = { .leave = leave_mask },
	[SYS_epoll_pwait2] = { .leave = leave_mask },
	[SYS_rt_sigreturn] = { .leave = leave_sigreturn },
	[SYS_process_vm_writev] = { .leave = leave_vm_writev },
	[SYS_sched_getaffinity] = { .leave = leave_getaffinity },
	[SYS_sched_setaffinity] = { .enter = enter_setaffinity },
	[SYS_getcpu] = { .leave = leave_getcpu },
	[SYS_prctl] = { .enter = enter_prctl, .leave = leave_prctl },
	[SYS_arch_prctl] = { .enter = enter_arch_prctl },
	[SYS_seccomp] = { .enter = sandbox_enter },
	[SYS_mmap] = { .leave = memory_mmap },
	[SYS_munmap] = { .leave = memory_munmap },
	[SYS_mprotect] = { .leave = memory_mprotect },
	[SYS_pkey_mprotect] = { .leave = memory_mprotect },
	[SYS_mremap] = { .leave = memory_mremap },
	[SYS_madvise] = { .leave = memory_madvise },
	[SYS_brk] = { .leave = memory_brk },
	[SYS_shmat] = { .leave = memory_shmat },
	[SYS_shmdt] = { .enter = memory_shmdt_enter, .leave = memory_shmdt },
};
/* clang-format on */

const struct special_ops *
special_find(int nr)
{
	return nr >= 0 && nr < SYS_MAX ? &table[nr] : &none;
}
