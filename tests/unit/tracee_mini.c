#include "tests/unit/tracee_mini.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "tracee/inject.h"
#include "tracee/mem.h"
#include "tracee/ptrace.h"
#include "tracee/stop.h"

void
mini_start(struct mini *m, const char *const argv[])
{
	struct spawn_opts o = { .cpu = -1,
				.trap_tsc = m->trap_tsc,
				.inherit = m->inherit };
	struct err err;
	int fds[2], saved;

	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	saved = fcntl(1, F_DUPFD_CLOEXEC, 200);
	dup2(fds[1], 1);
	cr_assert_eq(spawn_stopped((char *const *)(uintptr_t)argv, environ, &o,
				   &m->child, &err),
		     0, "%s", err.text);
	dup2(saved, 1);
	close(saved);
	close(fds[1]);
	m->out = fds[0];
	m->root = m->child.pid;
	cr_assert_eq(spawn_seize(&m->child, &err), 0, "%s", err.text);
	cr_assert_eq(spawn_go(&m->child, &err), 0, "%s", err.text);
}

/* Run on to the exit stop of the call. */
static void
to_exit(pid_t tid)
{
	struct stop st;

	ptrace_resume(tid, PTRACE_SYSCALL, 0);
	cr_assert_eq(stop_wait(tid, true, &st), 0);
	cr_assert_eq(st.kind, STOP_SYSCALL, "%s", stop_name(st.kind));
}

static void
exec_stop(struct mini *m, pid_t tid)
{
	struct mem mem;
	struct err err;

	to_exit(tid);
	m->execs++;
	cr_assert_eq(mem_open(&mem, tid, &err), 0, "%s", err.text);
	cr_assert_eq(inject_agent(tid, &mem, &err), 0, "%s", err.text);
	mem_close(&mem);
	m->agents++;
	if (m->on_exec != NULL)
		m->on_exec(m, tid);
}

static void
one_stop(struct mini *m, const struct stop *st)
{
	int signo = 0;

	switch (st->kind) {
	case STOP_EXITED:
	case STOP_KILLED:
		if (st->tid == m->root)
			m->status = st->status;
		return;
	case STOP_EXEC:
		exec_stop(m, st->tid);
		break;
	case STOP_SECCOMP:
		m->calls++;
		break;
	case STOP_SIGNAL:
		signo = st->signo;
		if (m->on_signal != NULL)
			signo = m->on_signal(m, st->tid, signo);
		break;
	case STOP_GROUP:
		ptrace_resume(st->tid, PTRACE_LISTEN, 0);
		return;
	case STOP_NONE:
	case STOP_SYSCALL:
	case STOP_EVENT_STOP:
	case STOP_FORK:
	case STOP_VFORK:
	case STOP_CLONE:
	case STOP_EXIT:
		break;
	}
	ptrace_resume(st->tid, PTRACE_CONT, signo);
}

void
mini_run(struct mini *m)
{
	struct stop st;
	int ret;

	while ((ret = stop_wait(-1, true, &st)) == 0)
		one_stop(m, &st);
	cr_assert_eq(ret, -ECHILD);
	spawn_release(&m->child);
}

void
mini_output(struct mini *m, struct buf *out)
{
	cr_assert_eq(fd_read_all(m->out, out), 0);
	fd_close(&m->out);
}
