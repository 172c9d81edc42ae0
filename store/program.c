#include "store/program.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/vec.h"

extern char **environ;

#define EXIT_NO_EXEC 127
#define EXIT_NO_ACCOUNT 126

typedef VEC(char *) env_vec;

#define ARGV_MAX 63 /* words of a command line of ours */

/* What the child needs, made before the fork: between fork and exec a process
 * with threads may call async-signal-safe functions only. */
struct launch {
	const char *path;
	const char *const *argv;
	const struct account *as;
	const char *passwd; /* NULL = the system's */
	struct buf map;	    /* "uid uid 1", for passwd */
	struct buf gid_map;
	env_vec env;
	int in, out, errout;
	int keep; /* without close-on-exec in the program; -1 = none */
	int keep2;
};

static bool
env_wanted(const char *var)
{
	return strncmp(var, "PG", 2) != 0 && strncmp(var, "LC_", 3) != 0 &&
	       strncmp(var, "LANG", 4) != 0 &&
	       strncmp(var, "NOTIFY_SOCKET=", 14) != 0 &&
	       strncmp(var, "LD_PRELOAD=", 11) != 0;
}

static void
env_make(env_vec *env)
{
	static char locale[] = "LC_ALL=C";

	for (char **e = environ; e && *e; e++) {
		if (env_wanted(*e))
			vec_push(env, *e);
	}
	vec_push(env, locale);
	vec_push(env, NULL);
}

/* Mark every descriptor from first on close-on-exec; Linux 5.11 has a call. */
static void
close_from(unsigned first)
{
	if (close_range(first, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
		return;
	for (int fd = (int)first; fd < 65536; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* Undo taskset: a server serves later recordings too. */
static void
any_cpu(void)
{
	cpu_set_t all;

	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), &all);
}

static bool
put_file(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, len) == (ssize_t)len;

	if (fd >= 0)
		close(fd);
	return ok;
}

/* In the child: another file for /etc/passwd, in a namespace of our own where
 * we are who we were. Where that is not allowed nothing has changed. */
static void
see_passwd(const struct launch *l)
{
	if (!l->passwd || unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return;
	put_file("/proc/self/setgroups", "deny", 4);
	if (put_file("/proc/self/uid_map", (const char *)l->map.p,
		     l->map.len) &&
	    put_file("/proc/self/gid_map", (const char *)l->gid_map.p,
		     l->gid_map.len))
		(void)mount(l->passwd, "/etc/passwd", NULL, MS_BIND, NULL);
}

/* In the child: become the program, or exit. */
static void __attribute__((noreturn)) launch_exec(const struct launch *l)
{
	const char *argv[ARGV_MAX + 1] = { NULL };
	sigset_t none;
	size_t n;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	umask(077);
	any_cpu();
	if (dup2(l->in, 0) < 0 || dup2(l->out, 1) < 0 || dup2(l->errout, 2) < 0)
		_exit(EXIT_NO_EXEC);
	/* What our own caller left open (a pipe that somebody reads to its
	 * end) must not stay open as long as a server lives. */
	close_from(3);
	if (l->keep >= 0)
		fcntl(l->keep, F_SETFD, 0);
	if (l->keep2 >= 0)
		fcntl(l->keep2, F_SETFD, 0);
	if (l->as && l->as->switch_user &&
	    (setgroups(1, &l->as->gid) < 0 ||
	     setresgid(l->as->gid, l->as->gid, l->as->gid) < 0 ||
	     setresuid(l->as->uid, l->as->uid, l->as->uid) < 0))
		_exit(EXIT_NO_ACCOUNT);
	see_passwd(l);
	if (chdir("/") < 0)
		_exit(EXIT_NO_EXEC);
	/* PostgreSQL's programs look for each other beside their argv[0]; a
	 * bare name they would search in PATH. */
	argv[0] = l->path;
	for (n = 1; n < ARGV_MAX && l->argv[n]; n++)
		argv[n] = l->argv[n];
	/* execve's prototype predates const; it changes nothing. */
	execve(l->path, (char *const *)(uintptr_t)argv, l->env.v);
	_exit(EXIT_NO_EXEC);
}

static int
wait_for(pid_t pid, int *out_status, struct err *err)
{
	while (waitpid(pid, out_status, 0) < 0) {
		if (errno != EINTR)
			return err_errno(err, "waiting for a helper program");
	}
	return 0;
}

int
program_run(const char *path, const char *const *argv, const struct account *as,
	    const char *passwd, const int *log_fd, int *out_status,
	    struct err *err)
{
	struct launch l = { .path = path,
			    .argv = argv,
			    .as = as,
			    .passwd = passwd,
			    .in = -1,
			    .keep = -1,
			    .keep2 = -1 };
	pid_t pid;
	int rc;

	l.in = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (l.in < 0)
		return err_errno(err, "cannot open /dev/null");
	l.out = l.errout = log_fd ? *log_fd : l.in;
	env_make(&l.env);
	if (passwd) {
		buf_printf(&l.map, "%u %u 1", geteuid(), geteuid());
		buf_printf(&l.gid_map, "%u %u 1", getegid(), getegid());
	}
	pid = fork();
	if (pid == 0)
		launch_exec(&l);
	rc = pid < 0 ? err_errno(err, "cannot fork")
		     : wait_for(pid, out_status, err);
	buf_free(&l.map);
	buf_free(&l.gid_map);
	vec_free(&l.env);
	fd_close(&l.in);
	return rc;
}

int
program_read(const char *path, const char *const *argv, struct buf *out,
	     int *out_status, struct err *err)
{
	struct launch l = {
		.path = path, .argv = argv, .in = -1, .keep = -1, .keep2 = -1
	};
	int ends[2] = { -1, -1 };
	pid_t pid;
	int rc;

	l.in = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (l.in < 0 || pipe2(ends, O_CLOEXEC) < 0) {
		rc = err_errno(err, "cannot start %s", path);
		fd_close(&l.in);
		return rc;
	}
	l.out = ends[1];
	l.errout = l.in;
	env_make(&l.env);
	pid = fork();
	if (pid == 0)
		launch_exec(&l);
	fd_close(&ends[1]);
	if (pid < 0) {
		rc = err_errno(err, "cannot fork");
	} else {
		fd_read_all(ends[0], out);
		rc = wait_for(pid, out_status, err);
	}
	fd_close(&ends[0]);
	fd_close(&l.in);
	vec_free(&l.env);
	return rc;
}

int
program_daemon(const char *path, const char *const *argv,
	       const struct account *as, int log_fd, int keep_fd,
	       int *out_alive, struct err *err)
{
	struct launch l = { .path = path,
			    .argv = argv,
			    .as = as,
			    .in = -1,
			    .out = log_fd,
			    .errout = log_fd,
			    .keep = keep_fd };
	int ends[2] = { -1, -1 };
	int rc, status = 0;
	pid_t pid;

	l.in = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (l.in < 0 || pipe2(ends, O_CLOEXEC) < 0) {
		rc = err_errno(err, "cannot start %s", path);
		goto out;
	}
	l.keep2 = ends[1];
	env_make(&l.env);
	pid = fork();
	if (pid == 0) {
		/* The server must not be our child: who waits for any child
		 * would be told of its end. */
		pid = fork();
		if (pid == 0)
			launch_exec(&l);
		_exit(pid < 0);
	}
	rc = pid < 0 ? err_errno(err, "cannot fork")
		     : wait_for(pid, &status, err);
	if (rc == 0 && status != 0)
		rc = err_set(err, EAGAIN, "cannot fork the server");
	if (rc == 0) {
		*out_alive = ends[0];
		ends[0] = -1;
	}
out:
	vec_free(&l.env);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
	fd_close(&l.in);
	return rc;
}
