/* Stop replies: what happened, to whom, and where it stands. */
#include "gdb/program.h"
#include "gdb/thread.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "event/event.h"

#define GDB_SIGTRAP 5

int
signal_to_gdb(int signo)
{
	/* clang-format off */
	static const uint8_t map[] = {
		[SIGHUP] = 1, [SIGINT] = 2, [SIGQUIT] = 3, [SIGILL] = 4,
		[SIGTRAP] = 5, [SIGABRT] = 6, [SIGFPE] = 8, [SIGKILL] = 9,
		[SIGBUS] = 10, [SIGSEGV] = 11, [SIGSYS] = 12, [SIGPIPE] = 13,
		[SIGALRM] = 14, [SIGTERM] = 15, [SIGURG] = 16, [SIGSTOP] = 17,
		[SIGTSTP] = 18, [SIGCONT] = 19, [SIGCHLD] = 20, [SIGTTIN] = 21,
		[SIGTTOU] = 22, [SIGIO] = 23, [SIGXCPU] = 24, [SIGXFSZ] = 25,
		[SIGVTALRM] = 26, [SIGPROF] = 27, [SIGWINCH] = 28,
		[SIGUSR1] = 30, [SIGUSR2] = 31, [SIGPWR] = 32,
		[SIGSTKFLT] = 143,
	};
	/* clang-format on */

	if (signo == 32)
		return 77;
	if (signo == 64)
		return 78;
	if (signo > 32 && signo < 64)
		return signo - 33 + 45;
	return signo > 0 && (size_t)signo < sizeof(map) ? map[signo] : 0;
}

static void
put_exit(struct gdb_server *s)
{
	int status = s->stop.status;

	if (WIFSIGNALED(status))
		buf_printf(&s->reply, "X%02x",
			   (unsigned)signal_to_gdb(WTERMSIG(status)));
	else
		buf_printf(&s->reply, "W%02x", (unsigned)WEXITSTATUS(status));
	if (s->multiprocess)
		buf_printf(&s->reply, ";process:%x", (unsigned)s->stop.pid);
}

static void
put_why(struct gdb_server *s)
{
	const struct target_task *t;
	struct target_map m;
	const char *name;

	switch (s->stop.why) {
	case WHY_SIGNAL:
	case WHY_EXITED:
		break;
	case WHY_SWBREAK:
		if (s->swbreak)
			buf_str(&s->reply, "swbreak:;");
		break;
	case WHY_HWBREAK:
		if (s->hwbreak)
			buf_str(&s->reply, "hwbreak:;");
		break;
	case WHY_WATCH:
		buf_printf(&s->reply, "watch:%lx;", s->stop.addr);
		break;
	case WHY_RWATCH:
		buf_printf(&s->reply, "rwatch:%lx;", s->stop.addr);
		break;
	case WHY_AWATCH:
		buf_printf(&s->reply, "awatch:%lx;", s->stop.addr);
		break;
	case WHY_BEGIN:
		buf_str(&s->reply, "replaylog:begin;");
		break;
	case WHY_END:
		buf_str(&s->reply, "replaylog:end;");
		break;
	case WHY_FORK:
		t = thread_find(s, s->stop.child);
		if (t) {
			process_tell(s, t);
			buf_str(&s->reply, "fork:");
			thread_put(s, &s->reply, t);
			buf_str(&s->reply, ";");
		}
		break;
	case WHY_CALL:
		buf_printf(&s->reply, "syscall_entry:%x;",
			   (unsigned)s->stop.call);
		break;
	case WHY_RETURN:
		buf_printf(&s->reply, "syscall_return:%x;",
			   (unsigned)s->stop.call);
		break;
	case WHY_EXEC:
		if (executable_map(s, s->task, &m)) {
			buf_str(&s->reply, "exec:");
			name = path_shown(s, &m);
			hex_put(&s->reply, name, strlen(name));
			buf_str(&s->reply, ";");
		}
		break;
	}
}

/*
 * What happened meanwhile to processes that the client knows, and no stop has
 * told: an end, an exec. That is told first; the stop itself when the client
 * goes on.
 */
static void
tell_missed(struct gdb_server *s)
{
	for (size_t i = 0; i < s->told.len; i++) {
		const struct told *told = &s->told.v[i];
		const struct target_task *t = process_find(s, told->pid);
		struct stop_reason stop = { .pid = told->pid };
		uint32_t gone = 0;

		if (t && t->process == told->process) {
			if (t->space == told->space ||
			    !process_is_shown(s, t->process) || !s->exec_events)
				continue;
			stop.why = WHY_EXEC;
			stop.task = t->task;
		} else if (process_others_live(s, told->process) &&
			   (s->stop.why != WHY_EXITED ||
			    s->stop.pid != told->pid)) {
			stop.why = WHY_EXITED;
			gone = told->process;
		} else {
			continue;
		}
		if (s->stop.why != WHY_EXEC || stop.why != WHY_EXEC) {
			s->moved = s->has_next = true;
			s->next = s->stop;
		}
		s->stop = stop;
		if (gone)
			process_hide(s, gone);
		return;
	}
}

/* The client knows now. */
static void
mark_told(struct gdb_server *s, const struct target_task *t)
{
	struct told *told = process_told(s, t->process);

	process_tell(s, t);
	if (told)
		told->space = t->space;
}

void
stop_reply(struct gdb_server *s)
{
	static const uint8_t expedited[] = { REGISTER_RBP, REGISTER_RSP,
					     REGISTER_RIP };
	const struct target_task *t;
	int signo;

	buf_clear(&s->reply);
	tell_missed(s);
	if (s->stop.why == WHY_EXITED) {
		put_exit(s);
		return;
	}
	if (s->stop.task && thread_find(s, s->stop.task))
		s->task = s->stop.task;
	thread_settle(s);
	s->g_task = s->task;
	t = thread_find(s, s->task);
	if (!t) {
		buf_str(&s->reply, "W00");
		return;
	}
	mark_told(s, t);
	signo = s->stop.why == WHY_SIGNAL ? signal_to_gdb(s->stop.signo)
					  : GDB_SIGTRAP;
	buf_printf(&s->reply, "T%02x", (unsigned)signo);
	for (size_t i = 0; i < ARRAY_LEN(expedited); i++) {
		buf_printf(&s->reply, "%02x:", expedited[i]);
		register_put(s, s->task, expedited[i], &s->reply);
		buf_str(&s->reply, ";");
	}
	buf_str(&s->reply, "thread:");
	thread_put(s, &s->reply, t);
	buf_str(&s->reply, ";");
	put_why(s);
}

void
stop_of_event(struct gdb_server *s)
{
	struct event ev = { 0 };
	struct pos at = { 0 };

	s->stop = (struct stop_reason){ .why = WHY_SIGNAL };
	s->t->ops->where(s->t, &at);
	if (at.pc == 0 && at.seq > 0 &&
	    s->t->ops->event(s->t, at.seq, &ev, NULL) == 0 &&
	    ev.kind == EV_signal) {
		s->stop.signo = (int)ev.args[0];
		s->stop.task = ev.task;
	}
}
