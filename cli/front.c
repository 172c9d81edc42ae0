/*
 * The front process of "pastime record": the command's parent.
 *
 *   terminal, shell                       front
 *   Ctrl-C, Ctrl-\, Ctrl-Z, hang-up       the command gets it itself: ignored
 *   kill -TERM FRONT and the like         passed on to the command
 *   the command stops                     stops itself by the same signal
 *   SIGCONT                               passed on unless the command has it
 *   the command ends                      waits for the recorder, ends likewise
 *
 * All signals stay blocked and are read from a signalfd.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "cli/cmd.h"
#include "cli/link.h"
#include "cli/say.h"
#include "cli/text.h"

/* Tasks that end together with the command are no daemons: wait so long. */
#define STRAGGLERS_MS 100
#define CONT_MS 100
/* From then on a terminal is told what we wait for. */
#define TELL_MS 500

struct front {
	const struct record_job *job;
	struct spawned spawned;
	pid_t recorder;
	int link; /* -1 when the recorder has closed it */
	int signals;
	bool dead; /* the command was reaped: status */
	int status;
	bool done, ended, stored, no_exec, failed, impatient;
	uint64_t dead_ns, done_ns;
	bool told;	      /* that it is being stored */
	struct link_msg last; /* newest message */
	struct arena arena;
};

static bool
is_stop_signal(int sig)
{
	return sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU ||
	       sig == SIGSTOP;
}

/* Wait a moment for the command to be continued by the SIGCONT that woke us. */
static bool
continues_by_itself(struct front *f)
{
	uint64_t until = clock_now_ns() + CONT_MS * 1000000ull;
	sigset_t chld;
	siginfo_t si;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	for (;;) {
		uint64_t now = clock_now_ns();
		struct timespec left = { 0 };

		si.si_pid = 0;
		if (waitid(P_PID, (id_t)f->spawned.pid, &si,
			   WCONTINUED | WEXITED | WNOWAIT | WNOHANG) < 0 ||
		    si.si_pid != 0)
			return true;
		if (now >= until)
			return false;
		left.tv_nsec = (long)(until - now);
		sigtimedwait(&chld, NULL, &left);
	}
}

/* The command was stopped by sig: so are we, and the shell sees it. */
static void
stop_too(struct front *f, int sig)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL }, old;
	struct timespec now = { 0 };
	sigset_t set, cont;

	sigemptyset(&set);
	sigaddset(&set, sig);
	sigemptyset(&cont);
	sigaddset(&cont, SIGCONT);
	if (sig == SIGSTOP) {
		kill(getpid(), SIGSTOP);
	} else {
		sigaction(sig, &dfl, &old);
		raise(sig);
		/* Here we stand until SIGCONT. */
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		sigprocmask(SIG_BLOCK, &set, NULL);
		sigaction(sig, &old, NULL);
	}
	while (sigtimedwait(&cont, NULL, &now) > 0)
		;
	if (!continues_by_itself(f))
		kill(f->spawned.pid, SIGCONT);
}

static void
reap(struct front *f)
{
	int status;
	pid_t pid;

	while (!f->dead && (pid = waitpid(f->spawned.pid, &status,
					  WNOHANG | WUNTRACED)) > 0) {
		if (WIFSTOPPED(status)) {
			stop_too(f, WSTOPSIG(status));
		} else {
			f->dead = true;
			f->dead_ns = clock_now_ns();
			f->status = status;
		}
	}
}

/* True when pid is recorded by our recorder. */
static bool
is_recorded(const struct front *f, pid_t pid)
{
	char path[64];
	uint64_t tracer = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	fd_read_number(path, "\nTracerPid:", 10, &tracer);
	return (pid_t)tracer == f->recorder;
}

/* A signal for us. What the terminal sends (SI_KERNEL) the command gets itself;
 * so does a group that one of the command's own processes signals. */
static void
take_signal(struct front *f, const struct signalfd_siginfo *si)
{
	int sig = (int)si->ssi_signo;
	union sigval value = { .sival_ptr = NULL };

	value.sival_int = si->ssi_int;
	if (sig == SIGCHLD) {
		reap(f);
		return;
	}
	if (f->dead) {
		f->impatient |= sig == SIGINT || sig == SIGTERM ||
				sig == SIGHUP || sig == SIGQUIT;
		return;
	}
	if (si->ssi_code > 0 || is_stop_signal(sig) ||
	    is_recorded(f, (pid_t)si->ssi_pid))
		return;
	if (si->ssi_code == SI_QUEUE)
		sigqueue(f->spawned.pid, sig, value);
	else
		kill(f->spawned.pid, sig);
}

static void
read_signals(struct front *f)
{
	struct signalfd_siginfo si;

	while (read(f->signals, &si, sizeof(si)) == (ssize_t)sizeof(si))
		take_signal(f, &si);
}

static void
read_link(struct front *f)
{
	struct link_msg m;
	ssize_t n = recv(f->link, &m, sizeof(m), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != (ssize_t)sizeof(m)) {
		fd_close(&f->link);
		return;
	}
	f->last = m;
	switch ((enum link_kind)m.kind) {
	case LINK_DONE:
		f->done = true;
		f->done_ns = clock_now_ns();
		break;
	case LINK_ENDED:
		f->ended = true;
		break;
	case LINK_STORED:
		f->stored = true;
		break;
	case LINK_NO_EXEC:
		f->no_exec = true;
		break;
	case LINK_FAILED:
		f->failed = true;
		break;
	}
}

/* How long to wait for the next thing, in ms; 0 = leave. */
static int
patience(const struct front *f)
{
	uint64_t ms;

	if (f->link < 0)
		return f->dead ? 0 : -1;
	if (!f->dead)
		return -1;
	if (f->stored || f->no_exec || f->failed || f->impatient)
		return 0;
	if (!f->done || f->ended || f->last.live == 0)
		return -1;
	ms = (clock_now_ns() - f->done_ns) / 1000000;
	return ms < STRAGGLERS_MS ? (int)(STRAGGLERS_MS - ms) : 0;
}

/* A line that is taken away again, on a terminal only. */
static void
tell_storing(struct front *f, int *ms)
{
	uint64_t since = (clock_now_ns() - f->dead_ns) / 1000000;

	if (!f->dead || f->job->quiet || f->told || !isatty(STDERR_FILENO))
		return;
	if (since >= TELL_MS) {
		fputs("\rpastime: storing the recording (Ctrl-C: go on without "
		      "waiting)",
		      stderr);
		f->told = true;
	} else if (*ms < 0 || *ms > (int)(TELL_MS - since)) {
		*ms = (int)(TELL_MS - since);
	}
}

static void
wait_for_end(struct front *f)
{
	int ms;

	reap(f);
	while ((ms = patience(f)) != 0) {
		struct pollfd p[2] = { { .fd = f->signals, .events = POLLIN },
				       { .fd = f->link, .events = POLLIN } };

		tell_storing(f, &ms);
		if (poll(p, 2, ms) < 0 && errno != EINTR)
			return;
		if (p[0].revents)
			read_signals(f);
		if (p[1].revents)
			read_link(f);
		/* A dead recorder takes all it traced with it. */
		if (f->link < 0)
			reap(f);
	}
	if (f->told)
		fputs("\r\033[K", stderr);
}

static void
say_notes(const struct link_msg *m)
{
	const char *p = m->notes;

	while (*p) {
		int len = (int)strcspn(p, "\n");

		fprintf(stderr, "  %.*s\n", len, p);
		p += len;
		p += *p == '\n';
	}
}

/* The one line at the end. */
static void
say_end(struct front *f)
{
	const struct link_msg *m = &f->last;
	struct arena *a = &f->arena;
	const char *id =
		m->recording ? text_printf(a, "#%lu ", m->recording) : "";
	const char *chaos =
		f->job->chaos.on
			? text_printf(a, ", chaos seed %lu", f->job->chaos.seed)
			: "";

	if (f->stored && m->broken) {
		say_error(&m->err);
		return;
	}
	if (f->job->quiet)
		return;
	if (f->stored && !m->problem[0])
		say("recorded %s'%s' %s, %s, %s%s  (pastime tui, pastime "
		    "replay)",
		    id, f->job->name, text_counted(a, m->events, "event"),
		    text_counted(a, m->tasks, "task"),
		    text_duration(a, m->duration_ns), chaos);
	else if (f->stored)
		say("recorded '%s' %s, %s%s; kept in the spool, as %s  (the "
		    "next "
		    "pastime command stores it)",
		    f->job->name, text_counted(a, m->events, "event"),
		    text_duration(a, m->duration_ns), chaos, m->problem);
	else if (m->live > 0)
		say("recording %s'%s' goes on: %s still %s  (pastime ls)", id,
		    f->job->name, text_counted(a, m->live, "task"),
		    m->live == 1 ? "runs" : "run");
	else
		say("recorded %s'%s', is being stored  (pastime ls)", id,
		    f->job->name);
	say_notes(m);
}

/* End as the command ended: its status, or its signal without a core. */
static int
end_likewise(int status)
{
	struct rlimit none = { 0 };
	sigset_t set;
	int sig;

	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	sig = WTERMSIG(status);
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	fflush(NULL);
	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	kill(getpid(), sig);
	return 128 + sig;
}

/* What the recorder's silence means. */
static int
recorder_lost(struct front *f, struct err *err)
{
	int status = 0, ret;

	if (waitpid(f->recorder, &status, 0) == f->recorder &&
	    WIFSIGNALED(status))
		ret = err_set(err, E_GONE,
			      "the recorder was killed by signal "
			      "%d (%s), and the command with it",
			      WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		ret = err_set(err, E_GONE,
			      "the recorder ended unexpectedly, "
			      "and the command with it");
	err_hint(err, "what was recorded up to then is kept: pastime ls");
	return ret;
}

static int
start(struct front *f, struct err *err)
{
	const struct record_job *job = f->job;
	struct spawn_opts so = { .inherit = job->inherit,
				 .keep_privs = true,
				 .cpu = -1 };
	int link[2];
	sigset_t all;
	int ret;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	signal(SIGCHLD, SIG_DFL);
	f->signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (f->signals < 0)
		return err_errno(err, "cannot make a signalfd");
	ret = spawn_stopped(job->argv, job->envp, &so, &f->spawned, err);
	if (ret < 0)
		return ret;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link) < 0)
		return err_errno(err, "cannot make a socket pair");
	fflush(NULL);
	f->recorder = fork();
	if (f->recorder < 0)
		return err_errno(err, "cannot fork");
	if (f->recorder == 0) {
		close(link[0]);
		close(f->signals);
		tracer_run(job, &f->spawned, link[1]);
	}
	close(link[1]);
	f->link = link[0];
	spawn_disown(&f->spawned);
	job_close_extra(job);
	job_forget_fd(STDIN_FILENO);
	job_forget_fd(STDOUT_FILENO);
	return 0;
}

/* The command could not be executed: 126 or 127, as env and timeout do. */
static int
exec_failed(const struct front *f)
{
	struct err e = { 0 };

	err_set(&e, E_EXEC, "cannot execute '%s': %s", f->job->argv[0],
		f->last.err.text);
	err_hint(&e, "is it a program for this machine, and is the interpreter "
		     "there that its first line names?");
	say_error(&e);
	return f->last.err.code == -ENOENT ? EXIT_NO_COMMAND : EXIT_CANNOT_EXEC;
}

int
front_run(const struct record_job *job, struct err *err)
{
	struct front f = { .job = job, .link = -1, .signals = -1 };
	int ret;

	ret = start(&f, err);
	if (ret < 0)
		goto out;
	wait_for_end(&f);
	if (f.no_exec) {
		ret = exec_failed(&f);
	} else if (f.failed) {
		*err = f.last.err;
		ret = err->code;
	} else if (!f.stored && f.link < 0) {
		ret = recorder_lost(&f, err);
	} else {
		say_end(&f);
		ret = end_likewise(f.status);
	}
out:
	spawn_release(&f.spawned);
	arena_free(&f.arena);
	return ret;
}
