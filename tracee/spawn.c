/*
 * The handshake, over a SEQPACKET pair:
 *
 *   tracer                          child
 *                                   prepares, waits for MSG_TRACER
 *   MSG_TRACER pid  ------------->  PR_SET_PTRACER (Yama 1)
 *   PTRACE_SEIZE    <-------------  MSG_READY
 *   MSG_GO          ------------->  filter, execve
 *
 * A pipe and no SIGSTOP: a stop would be seen by the shell, and SEIZE does not
 * need one. A filter before SEIZE would answer ENOSYS to everything.
 */
#include "tracee/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/vec.h"
#include "tracee/filter.h"
#include "tracee/ptrace.h"

#ifndef PR_SET_PTRACER
#define PR_SET_PTRACER 0x59616d61
#endif

/* Out of the way of what the command inherits; it is CLOEXEC besides. */
#define FD_MIN 100

enum msg_kind { MSG_TRACER = 1, MSG_READY, MSG_GO };

struct msg {
	int kind;
	int pid;
};

enum fail_stage { FAIL_EXEC = 1, FAIL_SETUP, FAIL_FILTER };

struct failure {
	int stage;
	int code;
};

/* All that the child needs, made before the fork. */
struct plan {
	char *const *argv;
	char *const *envp;
	char **paths; /* candidates, NULL-terminated */
	char **shell; /* argv for a script without an interpreter line */
	struct spawn_inherit inherit;
	const struct spawn_opts *o;
	int ctl;
	int status;
};

void
spawn_inherit_get(struct spawn_inherit *out)
{
	struct sigaction sa;
	int i;

	out->ignored = 0;
	sigprocmask(SIG_SETMASK, NULL, &out->mask);
	for (i = 1; i <= 64; i++)
		if (sigaction(i, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN)
			out->ignored |= 1ull << (i - 1);
}

/* ---- the child: nothing but async-signal-safe calls */

static void
child_fail(const struct plan *p, int stage, int code)
{
	struct failure f = { .stage = stage, .code = code };

	if (write(p->status, &f, sizeof(f)) < 0)
		_exit(125); /* whoever should read it is gone */
	_exit(stage != FAIL_EXEC ? 125 : code == ENOENT ? 127 : 126);
}

static void
child_signals(const struct plan *p)
{
	struct sigaction sa;
	int i;

	for (i = 1; i <= 64; i++) {
		memset(&sa, 0, sizeof(sa));
		sa.sa_handler = (p->inherit.ignored >> (i - 1) & 1) != 0
					? SIG_IGN
					: SIG_DFL;
		/* KILL, STOP and those of libc are refused: as they are. */
		sigaction(i, &sa, NULL);
	}
	sigprocmask(SIG_SETMASK, &p->inherit.mask, NULL);
}

/* What was closed when we were started, and only holds its place, is closed for
 * the command before anybody looks at its descriptors. */
static void
child_descriptors(void)
{
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) > 0)
			close(fd);
}

static void
child_receive(const struct plan *p, int kind, struct msg *m)
{
	ssize_t n;

	do
		n = recv(p->ctl, m, sizeof(*m), 0);
	while (n < 0 && errno == EINTR);
	/* The tracer gave up: nobody wants to hear about it. */
	if (n != sizeof(*m) || m->kind != kind)
		_exit(125);
}

/* As execvpe: the errors that mean "look further" and the one that is
 * remembered; what has no format is a script. */
static int
child_exec(const struct plan *p)
{
	int denied = 0;
	int code = ENOENT;
	char **path;

	for (path = p->paths; *path != NULL; path++) {
		execve(*path, p->argv, p->envp);
		code = errno;
		if (code == ENOEXEC) {
			p->shell[1] = *path;
			execve(p->shell[0], p->shell, p->envp);
			code = errno;
		}
		if (code == EACCES)
			denied = 1;
		else if (code != ENOENT && code != ENOTDIR && code != ESTALE &&
			 code != ENODEV && code != ETIMEDOUT)
			return code;
	}
	return denied ? EACCES : code;
}

static void
child(const struct plan *p)
{
	struct msg m = { .kind = MSG_READY };

	child_signals(p);
	child_descriptors();
	if (p->o->cpu >= 0) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET((size_t)p->o->cpu, &set);
		if (sched_setaffinity(0, sizeof(set), &set) < 0)
			child_fail(p, FAIL_SETUP, errno);
	}
	child_receive(p, MSG_TRACER, &m);
	/* EINVAL without Yama. */
	prctl(PR_SET_PTRACER, (unsigned long)m.pid, 0, 0, 0);
	m.kind = MSG_READY;
	if (send(p->ctl, &m, sizeof(m), MSG_NOSIGNAL) < 0)
		_exit(125);
	child_receive(p, MSG_GO, &m);
	/* From here no RDTSC: libc's calls below have none. */
	if (p->o->trap_tsc && prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0) < 0)
		child_fail(p, FAIL_SETUP, errno);
	if (!p->o->no_filter &&
	    (p->o->filter_all ? filter_install_all
			      : filter_install)(p->o->keep_privs, NULL) < 0)
		child_fail(p, FAIL_FILTER, errno);
	child_fail(p, FAIL_EXEC, child_exec(p));
}

/* ---- the parent */

static const char *
env_path(char *const envp[])
{
	for (; *envp != NULL; envp++)
		if (strncmp(*envp, "PATH=", 5) == 0)
			return *envp + 5;
	return "/bin:/usr/bin";
}

static char **
candidates(const char *name, char *const envp[])
{
	VEC(char *) v = { 0 };
	const char *p;

	if (*name == '\0' || strchr(name, '/') != NULL) {
		vec_push(&v, mem_strdup(name));
		vec_push(&v, NULL);
		return v.v;
	}
	for (p = env_path(envp);; p++) {
		size_t n = strcspn(p, ":");

		/* An empty element is the working directory. */
		vec_push(&v, mem_printf("%.*s%s%s", (int)n, p, n > 0 ? "/" : "",
					name));
		p += n;
		if (*p == '\0')
			break;
	}
	vec_push(&v, NULL);
	return v.v;
}

static char **
shell_argv(char *const argv[])
{
	VEC(char *) v = { 0 };

	vec_push(&v, mem_strdup("/bin/sh"));
	vec_push(&v, NULL); /* the script */
	for (argv++; *argv != NULL; argv++)
		vec_push(&v, *argv);
	vec_push(&v, NULL);
	return v.v;
}

static void
plan_free(struct plan *p)
{
	char **path;

	for (path = p->paths; path != NULL && *path != NULL; path++)
		mem_free(*path);
	mem_free(p->paths);
	if (p->shell != NULL)
		mem_free(p->shell[0]);
	mem_free(p->shell);
}

static int
channels(int ctl[2], int status[2], struct err *err)
{
	int i;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ctl) < 0)
		return err_errno(err, "cannot make a socket pair");
	if (pipe2(status, O_CLOEXEC) < 0)
		return err_errno(err, "cannot make a pipe");
	for (i = 0; i < 2; i++) {
		int fd = fd_move_high(ctl[i], FD_MIN);

		if (fd >= 0)
			ctl[i] = fd;
		fd = fd_move_high(status[i], FD_MIN);
		if (fd >= 0)
			status[i] = fd;
	}
	return 0;
}

int
spawn_stopped(char *const argv[], char *const envp[],
	      const struct spawn_opts *o, struct spawned *out, struct err *err)
{
	struct plan p = { .argv = argv, .envp = envp, .o = o };
	int ctl[2] = { -1, -1 }, status[2] = { -1, -1 };
	sigset_t all, old;
	pid_t pid = -1;
	int ret;

	if (o->inherit != NULL)
		p.inherit = *o->inherit;
	else
		spawn_inherit_get(&p.inherit);
	p.paths = candidates(argv[0], envp);
	p.shell = shell_argv(argv);
	ret = channels(ctl, status, err);
	if (ret < 0)
		goto out;
	p.ctl = ctl[1];
	p.status = status[1];
	/* No handler of ours may run in the child. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0) {
		close(ctl[0]);
		close(status[0]);
		child(&p);
	}
	ret = pid < 0 ? err_errno(err, "cannot fork") : 0;
	sigprocmask(SIG_SETMASK, &old, NULL);
out:
	fd_close(&ctl[1]);
	fd_close(&status[1]);
	plan_free(&p);
	if (ret < 0) {
		fd_close(&ctl[0]);
		fd_close(&status[0]);
		return ret;
	}
	*out = (struct spawned){ .pid = pid,
				 .ctl = ctl[0],
				 .status = status[0] };
	return 0;
}

static int
tell(const struct spawned *s, int kind, int pid, struct err *err)
{
	struct msg m = { .kind = kind, .pid = pid };

	if (send(s->ctl, &m, sizeof(m), MSG_NOSIGNAL) < 0)
		return err_errno(err, "the command is gone before its start");
	return 0;
}

int
spawn_seize(struct spawned *s, struct err *err)
{
	struct msg m;
	ssize_t n;
	int ret = tell(s, MSG_TRACER, getpid(), err);

	if (ret < 0)
		return ret;
	do
		n = recv(s->ctl, &m, sizeof(m), 0);
	while (n < 0 && errno == EINTR);
	if (n != sizeof(m) || m.kind != MSG_READY) {
		ret = spawn_exec_failure(s, err);
		return ret < 0 ? ret
			       : err_set(err, E_GONE,
					 "the command ended before its start");
	}
	return ptrace_seize(s->pid, err);
}

int
spawn_go(struct spawned *s, struct err *err)
{
	int ret = tell(s, MSG_GO, 0, err);

	fd_close(&s->ctl);
	return ret;
}

int
spawn_exec_failure(struct spawned *s, struct err *err)
{
	struct pollfd p = { .fd = s->status, .events = POLLIN };
	struct failure f;

	if (s->status < 0 || poll(&p, 1, 0) <= 0 || (p.revents & POLLIN) == 0 ||
	    fd_read_full(s->status, &f, sizeof(f)) != (ssize_t)sizeof(f))
		return 0; /* nothing, or closed by execve */
	errno = f.code;
	if (f.stage == FAIL_FILTER)
		return err_errno(err, "cannot install a seccomp filter");
	if (f.stage == FAIL_SETUP)
		return err_errno(err, "cannot prepare the command");
	return err_set(err, f.code, "%s", strerror(f.code));
}

void
spawn_disown(struct spawned *s)
{
	fd_close(&s->ctl);
}

void
spawn_release(struct spawned *s)
{
	fd_close(&s->ctl);
	fd_close(&s->status);
}
