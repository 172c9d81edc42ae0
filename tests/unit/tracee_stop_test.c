#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tracee/ptrace.h"
#include "tracee/stop.h"

static enum stop_kind
kind_of(int status)
{
	struct stop st;

	stop_decode(7, status, &st);
	cr_assert_eq(st.tid, 7);
	cr_assert_eq(st.status, status);
	return st.kind;
}

static int
event(int ev, int signo)
{
	return (signo | ev << 8) << 8 | 0x7f;
}

Test(tracee_stop, every_event_has_its_kind)
{
	cr_assert_eq(kind_of(event(PTRACE_EVENT_FORK, SIGTRAP)), STOP_FORK);
	cr_assert_eq(kind_of(event(PTRACE_EVENT_VFORK, SIGTRAP)), STOP_VFORK);
	cr_assert_eq(kind_of(event(PTRACE_EVENT_CLONE, SIGTRAP)), STOP_CLONE);
	cr_assert_eq(kind_of(event(PTRACE_EVENT_EXEC, SIGTRAP)), STOP_EXEC);
	cr_assert_eq(kind_of(event(PTRACE_EVENT_EXIT, SIGTRAP)), STOP_EXIT);
	cr_assert_eq(kind_of(event(PTRACE_EVENT_SECCOMP, SIGTRAP)),
		     STOP_SECCOMP);
	cr_assert_eq(kind_of(event(128, SIGTRAP)), STOP_EVENT_STOP);
}

Test(tracee_stop, an_event_stop_with_a_stopping_signal_is_a_group_stop)
{
	cr_assert_eq(kind_of(event(128, SIGSTOP)), STOP_GROUP);
	cr_assert_eq(kind_of(event(128, SIGTSTP)), STOP_GROUP);
	cr_assert_eq(kind_of(event(128, SIGTTIN)), STOP_GROUP);
	/* Before it is in force it is a signal like any other. */
	cr_assert_eq(kind_of(event(0, SIGSTOP)), STOP_SIGNAL);
}

Test(tracee_stop, a_sigtrap_is_not_a_syscall_stop)
{
	cr_assert_eq(kind_of(event(0, SIGTRAP)), STOP_SIGNAL);
	cr_assert_eq(kind_of(event(0, SIGTRAP | 0x80)), STOP_SYSCALL);
}

Test(tracee_stop, ends_carry_their_code)
{
	struct stop st;

	stop_decode(1, 3 << 8, &st);
	cr_assert_eq(st.kind, STOP_EXITED);
	cr_assert_eq(st.code, 3);
	stop_decode(1, SIGSEGV | 0x80, &st);
	cr_assert_eq(st.kind, STOP_KILLED);
	cr_assert_eq(st.signo, SIGSEGV);
	cr_assert_eq(st.code, 1);
}

Test(tracee_stop, what_was_peeked_at_is_still_there)
{
	struct stop a, b;
	pid_t pid = fork();

	if (pid == 0)
		_exit(5);
	cr_assert_eq(stop_peek(pid, true, &a), 0);
	cr_assert_eq(stop_peek(pid, true, &a), 0);
	cr_assert_eq(stop_wait(pid, true, &b), 0);
	cr_assert_eq(a.status, b.status);
	cr_assert_eq(b.kind, STOP_EXITED);
	cr_assert_eq(b.code, 5);
	cr_assert_eq(stop_wait(-1, true, &b), -ECHILD);
}

Test(tracee_stop, peeking_tells_stops_as_waiting_does)
{
	struct stop a, b;
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	cr_assert_eq(ptrace_seize(pid, NULL), 0);
	cr_assert_eq(stop_wait(pid, false, &a), 0);
	cr_assert_eq(a.kind, STOP_NONE);
	cr_assert_eq(ptrace_interrupt(pid), 0);
	cr_assert_eq(stop_peek(pid, true, &a), 0);
	cr_assert_eq(stop_wait(pid, true, &b), 0);
	cr_assert_eq(a.kind, STOP_EVENT_STOP);
	cr_assert_eq(a.status, b.status);
	kill(pid, SIGABRT);
	ptrace_resume(pid, PTRACE_CONT, 0);
	cr_assert_eq(stop_wait(pid, true, &b), 0);
	cr_assert_eq(b.kind, STOP_SIGNAL);
	ptrace_resume(pid, PTRACE_CONT, SIGABRT);
	cr_assert_eq(stop_peek(pid, true, &a), 0);
	cr_assert_eq(stop_wait(pid, true, &b), 0);
	cr_assert_eq(b.kind, STOP_EXIT);
	cr_assert_eq(a.status, b.status);
	ptrace_resume(pid, PTRACE_CONT, 0);
	cr_assert_eq(stop_peek(pid, true, &a), 0);
	cr_assert_eq(stop_wait(pid, true, &b), 0);
	cr_assert_eq(b.kind, STOP_KILLED);
	cr_assert_eq(b.signo, SIGABRT);
	cr_assert_eq(a.status, b.status);
}
