#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/abi.h"
#include "agent/blob.h"
#include "tests/unit/tracee_mini.h"
#include "tracee/batch.h"
#include "tracee/filter.h"
#include "tracee/inject.h"
#include "tracee/mem.h"
#include "tracee/ptrace.h"
#include "tracee/remote.h"
#include "tracee/stop.h"

static const uint64_t none[6];

/*
 * A child that behaves as a recorded one: traced, filtered, with the agent page
 * (mapped by itself), stopped at the seccomp stop of body's first call.
 */
static pid_t
start(void (*body)(void))
{
	static const uint8_t gadget[] = { 0x0f, 0x05, 0xcc };
	struct stop st;
	int go[2];
	pid_t pid;

	cr_assert_eq(pipe(go), 0);
	pid = fork();
	if (pid == 0) {
		char c;
		uint8_t *p = mmap(
			(void *)AGENT_BASE, AGENT_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

		memcpy(p, gadget, sizeof(gadget));
		mprotect(p, AGENT_SIZE, PROT_READ | PROT_EXEC);
		close(go[1]);
		if (read(go[0], &c, 1) != 0)
			_exit(99);
		filter_install(1, NULL);
		body();
		_exit(0);
	}
	cr_assert_eq(ptrace_seize(pid, NULL), 0);
	close(go[0]);
	close(go[1]);
	cr_assert_eq(stop_wait(pid, true, &st), 0);
	cr_assert_eq(st.kind, STOP_SECCOMP, "%s", stop_name(st.kind));
	return pid;
}

/* The next stop of pid after resuming it. */
static struct stop
next(pid_t pid, int request, int signo)
{
	struct stop st;

	cr_assert_eq(ptrace_resume(pid, request, signo), 0);
	cr_assert_eq(stop_wait(pid, true, &st), 0);
	return st;
}

static int
finish(pid_t pid, int signo)
{
	struct stop st;

	do {
		/* Refused when it was killed in its stop. */
		ptrace_resume(pid, PTRACE_CONT, signo);
		cr_assert_eq(stop_wait(pid, true, &st), 0);
		signo = st.kind == STOP_SIGNAL ? st.signo : 0;
	} while (st.kind != STOP_EXITED && st.kind != STOP_KILLED);
	return st.status;
}

static void
calls_getppid(void)
{
	long parent = syscall(SYS_getppid);

	_exit(parent == getppid() && parent > 1 ? 17 : 18);
}

Test(tracee_remote, an_exit_stop_keeps_its_registers)
{
	pid_t pid = start(calls_getppid);
	struct regs before, after;
	int64_t ret = 0;

	cr_assert_eq(next(pid, PTRACE_SYSCALL, 0).kind, STOP_SYSCALL);
	cr_assert_eq(ptrace_get_regs(pid, &before), 0);
	cr_assert_eq((pid_t)before.rax, getpid());
	cr_assert_eq(remote_syscall(pid, SYS_getpid, none, &ret, NULL), 0);
	cr_assert_eq(ret, pid);
	cr_assert_eq(remote_syscall(pid, SYS_close, (uint64_t[6]){ 12345 },
				    &ret, NULL),
		     0);
	cr_assert_eq(ret, -EBADF);
	cr_assert_eq(ptrace_get_regs(pid, &after), 0);
	cr_assert_eq(memcmp(&before, &after, sizeof(before)), 0);
	cr_assert_eq(WEXITSTATUS(finish(pid, 0)), 17);
}

Test(tracee_remote, at_an_entry_the_call_is_issued_anew)
{
	pid_t pid = start(calls_getppid);
	struct regs before, after;
	int64_t ret = 0;

	cr_assert_eq(ptrace_get_regs(pid, &before), 0);
	cr_assert_eq(remote_at_entry(pid, SYS_getpid, none, &ret, NULL), 0);
	cr_assert_eq(ret, pid);
	cr_assert_eq(ptrace_get_regs(pid, &after), 0);
	cr_assert_eq(after.rip, before.rip - 2);
	cr_assert_eq(after.rax, (uint64_t)SYS_getppid);
	/* Where it stands now further calls may be injected. */
	cr_assert_eq(remote_syscall(pid, SYS_getpid, none, &ret, NULL), 0);
	cr_assert_eq(ret, pid);
	cr_assert_eq(next(pid, PTRACE_CONT, 0).kind, STOP_SECCOMP);
	cr_assert_eq(ptrace_get_regs(pid, &after), 0);
	cr_assert_eq(after.orig_rax, (uint64_t)SYS_getppid);
	cr_assert_eq(after.rip, before.rip);
	cr_assert_eq(after.rsp, before.rsp);
	cr_assert_eq(WEXITSTATUS(finish(pid, 0)), 17);
}

static void
blocks_sigtrap(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTRAP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGTRAP, SIG_IGN);
	syscall(SYS_getppid);
	sigprocmask(SIG_SETMASK, NULL, &set);
	_exit(sigismember(&set, SIGTRAP) && signal(SIGTRAP, SIG_DFL) == SIG_IGN
		      ? 20
		      : 21);
}

Test(tracee_remote, a_blocked_and_ignored_sigtrap_stays_so)
{
	pid_t pid = start(blocks_sigtrap);
	int64_t ret = 0;
	unsigned i;

	for (i = 0; i < 3; i++) {
		cr_assert_eq(next(pid, PTRACE_SYSCALL, 0).kind, STOP_SYSCALL);
		cr_assert_eq(remote_syscall(pid, SYS_getpid, none, &ret, NULL),
			     0);
		cr_assert_eq(ret, pid);
		cr_assert_eq(next(pid, PTRACE_CONT, 0).kind, STOP_SECCOMP);
	}
	cr_assert_eq(WEXITSTATUS(finish(pid, 0)), 20);
}

static volatile sig_atomic_t usr1;

static void
on_usr1(int signo)
{
	usr1++;
}

static void
counts_usr1(void)
{
	syscall(SYS_getppid);
	_exit(usr1);
}

static void
counts_usr1_setup(void)
{
	signal(SIGUSR1, on_usr1);
	counts_usr1();
}

Test(tracee_remote, a_signal_waits_until_the_call_is_over)
{
	pid_t pid = start(counts_usr1_setup);
	int64_t ret = 0;

	/* rt_sigaction; then getppid */
	cr_assert_eq(next(pid, PTRACE_CONT, 0).kind, STOP_SECCOMP);
	cr_assert_eq(next(pid, PTRACE_SYSCALL, 0).kind, STOP_SYSCALL);
	kill(pid, SIGUSR1);
	cr_assert_eq(remote_syscall(pid, SYS_getpid, none, &ret, NULL), 0);
	cr_assert_eq(ret, pid);
	cr_assert_eq(WEXITSTATUS(finish(pid, 0)), 1);
}

/* A signal that already stands at its delivery is the caller's to keep; a
 * call that is injected there still works. */
Test(tracee_remote, at_a_signal_stop_too)
{
	pid_t pid = start(counts_usr1_setup);
	struct regs before, after;
	int64_t ret = 0;
	struct stop st;

	cr_assert_eq(next(pid, PTRACE_CONT, 0).kind, STOP_SECCOMP);
	kill(pid, SIGUSR1);
	st = next(pid, PTRACE_CONT, 0);
	cr_assert_eq(st.kind, STOP_SIGNAL);
	cr_assert_eq(ptrace_get_regs(pid, &before), 0);
	cr_assert_eq(remote_syscall(pid, SYS_getpid, none, &ret, NULL), 0);
	cr_assert_eq(ret, pid);
	cr_assert_eq(ptrace_get_regs(pid, &after), 0);
	cr_assert_eq(memcmp(&before, &after, sizeof(before)), 0);
	cr_assert_eq(WEXITSTATUS(finish(pid, 0)), 0);
}

/* SIGSTOP cannot be blocked: it comes in the middle of the injected call and
 * must stop the program afterwards. */
Test(tracee_remote, a_sigstop_is_not_lost)
{
	pid_t pid = start(calls_getppid);
	int64_t ret = 0;
	struct stop st;

	cr_assert_eq(next(pid, PTRACE_SYSCALL, 0).kind, STOP_SYSCALL);
	kill(pid, SIGSTOP);
	cr_assert_eq(remote_syscall(pid, SYS_getpid, none, &ret, NULL), 0);
	cr_assert_eq(ret, pid);
	st = next(pid, PTRACE_CONT, 0);
	cr_assert_eq(st.kind, STOP_SIGNAL);
	cr_assert_eq(st.signo, SIGSTOP);
	st = next(pid, PTRACE_CONT, SIGSTOP);
	cr_assert_eq(st.kind, STOP_GROUP);
	cr_assert_eq(WEXITSTATUS(finish(pid, 0)), 17);
}

Test(tracee_remote, an_interrupt_on_the_way_is_asked_for_again)
{
	pid_t pid = start(calls_getppid);
	int64_t ret = 0;

	cr_assert_eq(next(pid, PTRACE_SYSCALL, 0).kind, STOP_SYSCALL);
	cr_assert_eq(ptrace_interrupt(pid), 0);
	cr_assert_eq(remote_syscall(pid, SYS_getpid, none, &ret, NULL), 0);
	cr_assert_eq(ret, pid);
	cr_assert_eq(next(pid, PTRACE_CONT, 0).kind, STOP_EVENT_STOP);
	cr_assert_eq(WEXITSTATUS(finish(pid, 0)), 17);
}

Test(tracee_remote, a_death_is_left_to_be_waited_for)
{
	pid_t pid = start(calls_getppid);
	int64_t ret = 0;
	struct stop st;

	cr_assert_eq(next(pid, PTRACE_SYSCALL, 0).kind, STOP_SYSCALL);
	cr_assert_eq(remote_syscall(pid, SYS_exit_group, (uint64_t[6]){ 33 },
				    &ret, NULL),
		     -E_GONE);
	cr_assert_eq(stop_wait(pid, true, &st), 0);
	cr_assert_eq(st.kind, STOP_EXIT);
	cr_assert_eq(WEXITSTATUS(finish(pid, 0)), 33);
}

Test(tracee_remote, a_killed_task_is_gone)
{
	pid_t pid = start(calls_getppid);
	int64_t ret = 0;
	int r;

	kill(pid, SIGKILL);
	/* Its stop may still be there for a moment. */
	do
		r = remote_at_entry(pid, SYS_getpid, none, &ret, NULL);
	while (r == 0);
	cr_assert_eq(r, -E_GONE);
	cr_assert_eq(WTERMSIG(finish(pid, 0)), SIGKILL);
}

Test(tracee_remote, without_the_page_it_says_so)
{
	pid_t pid = start(calls_getppid);
	int64_t ret = 0;
	struct err err = { 0 };

	cr_assert_eq(next(pid, PTRACE_SYSCALL, 0).kind, STOP_SYSCALL);
	cr_assert_eq(remote_syscall(pid, SYS_munmap,
				    (uint64_t[6]){ AGENT_BASE, AGENT_SIZE },
				    &ret, NULL),
		     0);
	cr_assert_eq(ret, 0);
	cr_assert_eq(remote_syscall(pid, SYS_getpid, none, &ret, &err),
		     -E_UNSUPPORTED);
	cr_assert_not_null(strstr(err.text, "signal 11"), "%s", err.text);
	kill(pid, SIGKILL);
	finish(pid, 0);
}

Test(tracee_remote, through_a_poked_instruction)
{
	pid_t pid = start(calls_getppid);
	struct regs before, after;
	uint8_t code[2], again[2];
	struct mem m;
	int64_t ret = 0;

	cr_assert_eq(next(pid, PTRACE_SYSCALL, 0).kind, STOP_SYSCALL);
	cr_assert_eq(mem_open(&m, pid, NULL), 0);
	cr_assert_eq(ptrace_get_regs(pid, &before), 0);
	cr_assert_eq(mem_read_all(&m, before.rip, code, 2), 0);
	cr_assert_eq(remote_syscall_poke(pid, &m, SYS_getpid, none, &ret, NULL),
		     0);
	cr_assert_eq(ret, pid);
	cr_assert_eq(mem_read_all(&m, before.rip, again, 2), 0);
	cr_assert_eq(memcmp(code, again, 2), 0);
	cr_assert_eq(ptrace_get_regs(pid, &after), 0);
	cr_assert_eq(memcmp(&before, &after, sizeof(before)), 0);
	mem_close(&m);
	cr_assert_eq(WEXITSTATUS(finish(pid, 0)), 17);
}

Test(tracee_remote, an_occupied_base_is_told)
{
	pid_t pid = start(calls_getppid);
	struct mem m;

	cr_assert_eq(next(pid, PTRACE_SYSCALL, 0).kind, STOP_SYSCALL);
	cr_assert_eq(mem_open(&m, pid, NULL), 0);
	cr_assert_eq(inject_agent(pid, &m, NULL), -EEXIST);
	mem_close(&m);
	kill(pid, SIGKILL);
	finish(pid, 0);
}

Test(tracee_remote, an_argument_travels_in_the_page)
{
	static const char name[] = "from outside";
	pid_t pid = start(calls_getppid);
	char comm[64] = "", path[64], page[16];
	int64_t ret = -1;
	struct mem m;
	FILE *f;

	cr_assert_eq(next(pid, PTRACE_SYSCALL, 0).kind, STOP_SYSCALL);
	cr_assert_eq(mem_open(&m, pid, NULL), 0);
	cr_assert_eq(remote_syscall_with(
			     pid, &m, SYS_prctl, (uint64_t[6]){ PR_SET_NAME },
			     1, span_of(name, sizeof(name)), &ret, NULL),
		     0);
	cr_assert_eq(ret, 0);
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "r");
	cr_assert_not_null(fgets(comm, sizeof(comm), f));
	fclose(f);
	cr_assert_str_eq(comm, "from outside\n");
	cr_assert_eq(mem_read_all(&m, AGENT_ARG, page, sizeof(page)), 0);
	cr_assert_eq(page[0], 0);
	mem_close(&m);
	cr_assert_eq(WEXITSTATUS(finish(pid, 0)), 17);
}

/* A clone from outside: the new task belongs to the tracer, its number is the
 * result. */
/* Up to the first that says something else than it should. */
Test(tracee_remote, a_list_of_calls_has_one_stop)
{
	static const char name[] = "by a list";
	pid_t pid = start(calls_getppid);
	struct batch_done done = { 0 };
	struct regs before, after;
	char page[64], path[64], comm[64] = "";
	struct batch b;
	struct mem m;
	FILE *f;

	cr_assert_eq(next(pid, PTRACE_SYSCALL, 0).kind, STOP_SYSCALL);
	cr_assert_eq(mem_open(&m, pid, NULL), 0);
	cr_assert_eq(mem_write_all(&m, AGENT_BASE, agent_blob, agent_blob_len),
		     0);
	cr_assert_eq(ptrace_get_regs(pid, &before), 0);
	batch_init(&b, BATCH_AT);
	batch_add(&b, SYS_getpid, (uint64_t)pid, 0, 0, 0, 0, 0, 0);
	batch_add(&b, SYS_close, BATCH_ANY, 1000, 0, 0, 0, 0, 0);
	batch_add(&b, SYS_prctl, 0, PR_SET_NAME,
		  batch_put(&b, name, sizeof(name)), 0, 0, 0, 0);
	cr_assert_eq(batch_run(pid, &m, &b, &done, NULL), 0);
	cr_assert_eq(done.n, 3u);
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "r");
	cr_assert_not_null(fgets(comm, sizeof(comm), f));
	fclose(f);
	cr_assert_str_eq(comm, "by a list\n");
	batch_init(&b, BATCH_AT);
	batch_add(&b, SYS_getpid, BATCH_ANY, 0, 0, 0, 0, 0, 0);
	batch_add(&b, SYS_close, 0, 1000, 0, 0, 0, 0, 0);
	batch_add(&b, SYS_kill, 0, (uint64_t)pid, SIGKILL, 0, 0, 0, 0);
	cr_assert_eq(batch_run(pid, &m, &b, &done, NULL), 0);
	cr_assert_eq(done.n, 1u);
	cr_assert_eq(done.last, -EBADF);
	cr_assert_eq(ptrace_get_regs(pid, &after), 0);
	cr_assert_eq(memcmp(&before, &after, sizeof(before)), 0);
	cr_assert_eq(mem_read_all(&m, BATCH_AT, page, sizeof(page)), 0);
	cr_assert_eq(page[0], 0);
	mem_close(&m);
	cr_assert_eq(WEXITSTATUS(finish(pid, 0)), 17);
}

Test(tracee_remote, a_clone_gives_its_child)
{
	pid_t pid = start(calls_getppid);
	int64_t child = 0;
	struct stop st;

	cr_assert_eq(next(pid, PTRACE_SYSCALL, 0).kind, STOP_SYSCALL);
	cr_assert_eq(remote_syscall(pid, SYS_clone, (uint64_t[6]){ SIGCHLD },
				    &child, NULL),
		     0);
	cr_assert_gt(child, 0);
	cr_assert_eq(stop_wait((pid_t)child, true, &st), 0);
	cr_assert_eq(st.kind, STOP_EVENT_STOP);
	kill((pid_t)child, SIGKILL);
	cr_assert_eq(WTERMSIG(finish((pid_t)child, 0)), SIGKILL);
	cr_assert_eq(WEXITSTATUS(finish(pid, 0)), 17);
}
