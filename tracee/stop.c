#include "tracee/stop.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif

static enum stop_kind
decode_event(int event, int signo)
{
	switch (event) {
	case PTRACE_EVENT_FORK:
		return STOP_FORK;
	case PTRACE_EVENT_VFORK:
		return STOP_VFORK;
	case PTRACE_EVENT_CLONE:
		return STOP_CLONE;
	case PTRACE_EVENT_EXEC:
		return STOP_EXEC;
	case PTRACE_EVENT_EXIT:
		return STOP_EXIT;
	case PTRACE_EVENT_SECCOMP:
		return STOP_SECCOMP;
	case PTRACE_EVENT_STOP:
		return signo == SIGTRAP ? STOP_EVENT_STOP : STOP_GROUP;
	}
	return STOP_EVENT_STOP; /* an event of a later kernel: just go on */
}

void
stop_decode(pid_t tid, int status, struct stop *out)
{
	int event = status >> 16;

	*out = (struct stop){ .tid = tid, .status = status };
	if (WIFEXITED(status)) {
		out->kind = STOP_EXITED;
		out->code = WEXITSTATUS(status);
		return;
	}
	if (WIFSIGNALED(status)) {
		out->kind = STOP_KILLED;
		out->signo = WTERMSIG(status);
		out->code = WCOREDUMP(status) ? 1 : 0;
		return;
	}
	out->signo = WSTOPSIG(status);
	if (event != 0)
		out->kind = decode_event(event, out->signo);
	else if (out->signo == (SIGTRAP | 0x80))
		out->kind = STOP_SYSCALL;
	else
		out->kind = STOP_SIGNAL;
}

int
stop_wait(pid_t tid, bool block, struct stop *out)
{
	int status = 0;
	pid_t got = waitpid(tid, &status, __WALL | (block ? 0 : WNOHANG));

	if (got < 0)
		return -errno;
	if (got == 0)
		*out = (struct stop){ .kind = STOP_NONE };
	else
		stop_decode(got, status, out);
	return 0;
}

int
stop_wait_for(pid_t tid, struct stop *out)
{
	int ret;

	do
		ret = stop_wait(tid, true, out);
	while (ret == -EINTR);
	return ret;
}

/* siginfo of a wait in the form of a wait status. */
static int
status_of(const siginfo_t *si)
{
	if (si->si_code == CLD_EXITED)
		return (si->si_status & 0xff) << 8;
	if (si->si_code == CLD_KILLED)
		return si->si_status & 0x7f;
	if (si->si_code == CLD_DUMPED)
		return (si->si_status & 0x7f) | 0x80;
	return (si->si_status << 8) | 0x7f;
}

int
stop_peek(pid_t tid, bool block, struct stop *out)
{
	siginfo_t si;

	memset(&si, 0, sizeof(si));
	if (waitid(P_PID, (id_t)tid, &si,
		   WEXITED | WSTOPPED | WNOWAIT | __WALL |
			   (block ? 0 : WNOHANG)) < 0)
		return -errno;
	if (si.si_pid == 0)
		*out = (struct stop){ .kind = STOP_NONE };
	else
		stop_decode(si.si_pid, status_of(&si), out);
	return 0;
}

const char *
stop_name(enum stop_kind k)
{
	/* clang-format off */
	static const char *const names[] = {
		[STOP_NONE] = "none",
		[STOP_EXITED] = "exited",
		[STOP_KILLED] = "killed",
		[STOP_SECCOMP] = "seccomp",
		[STOP_SYSCALL] = "syscall",
		[STOP_SIGNAL] = "signal",
		[STOP_GROUP] = "group-stop",
		[STOP_EVENT_STOP] = "event-stop",
		[STOP_FORK] = "fork",
		[STOP_VFORK] = "vfork",
		[STOP_CLONE] = "clone",
		[STOP_EXEC] = "exec",
		[STOP_EXIT] = "exit",
	};
	/* clang-format on */

	return (unsigned)k < sizeof(names) / sizeof(names[0]) ? names[k] : "?";
}

bool
stop_is_fault(int signo, int code)
{
	switch (signo) {
	case SIGSEGV:
	case SIGBUS:
	case SIGILL:
	case SIGFPE:
	case SIGTRAP:
	case SIGSYS:
		return code > 0;
	}
	return false;
}
