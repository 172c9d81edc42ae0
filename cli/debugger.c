#include "cli/debugger.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/vec.h"
#include "gdb/server.h"

#define EXEC_FAILED 127

int
debugger_listen(struct debugger *d, unsigned port, struct err *err)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int one = 1, ret;

	d->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (d->listening < 0)
		return err_errno(err, "cannot make a socket");
	/* A port that was served a moment ago is free. */
	setsockopt(d->listening, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(d->listening, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    listen(d->listening, 4) < 0 ||
	    getsockname(d->listening, (struct sockaddr *)&a, &len) < 0) {
		ret = err_errno(err, "cannot serve port %u of localhost", port);
		if (ret == -EADDRINUSE)
			err_hint(err, "another program serves it; --port 0 "
				      "takes one that is free");
		return ret;
	}
	d->port = ntohs(a.sin_port);
	return 0;
}

int
debugger_check(const char *program, struct err *err)
{
	const char *path = getenv("PATH");
	struct buf b = { 0 };
	bool found = false;
	int ret;

	if (strchr(program, '/')) {
		found = access(program, X_OK) == 0;
		path = NULL;
	}
	while (path && !found) {
		size_t n = strcspn(path, ":");

		buf_clear(&b);
		buf_printf(&b, "%.*s/%s", (int)n, path, program);
		found = access(buf_cstr(&b), X_OK) == 0;
		path = path[n] ? path + n + 1 : NULL;
	}
	buf_free(&b);
	if (found)
		return 0;
	ret = err_set(err, E_EXEC, "cannot start '%s': not found", program);
	err_hint(err, "apt install gdb, dnf install gdb, pacman -S gdb: what "
		      "your system has;\n"
		      "for another debugger: pastime gdb --port 0");
	return ret;
}

/* ---- gdb as our child */

/*
 * Hooks cannot see what a command did; the server says at this address whether
 * the moment is another one than gdb thinks. Any resumption tells gdb then;
 * only backwards it does not step over a breakpoint first, and fail when the
 * stop is another thread's.
 */
static const char commands[] =
	"set sysroot %2$s\n"
	"set non-stop off\n"
	"set remotetimeout 600\n"
	"define hookpost-monitor\n"
	"  with language c -- set $_moved = *(char *) %1$#lx\n"
	"  with language c -- set $_libraries = *(char *) (%1$#lx + 1)\n"
	"  with language c -- set $_process = *(char *) (%1$#lx + 2)\n"
	"  with language c -- set $_pid = *(int *) (%1$#lx + 4)\n"
	"  if $_process\n"
	"    process $_pid\n"
	"  else\n"
	"    if $_libraries\n"
	"      nosharedlibrary\n"
	"      sharedlibrary\n"
	"    end\n"
	"    if $_moved\n"
	"      reverse-stepi\n"
	"    end\n"
	"  end\n"
	"end\n"
	"define process\n"
	"  if $_thread\n"
	"    detach\n"
	"  end\n"
	"  eval \"attach %%d\", $arg0\n"
	"end\n"
	"document process\n"
	"Look at another process of the recording: process PID.\n"
	"\"monitor processes\" lists those that live at this moment.\n"
	"end\n"
	"define seek\n"
	"  if $argc != 1\n"
	"    help seek\n"
	"  else\n"
	"    monitor seek $arg0\n"
	"  end\n"
	"end\n"
	"document seek\n"
	"Go to a position of the recording: seek POS.\n"
	"Positions are e1234, start, end, 37%%, 12.5s, @bookmark.\n"
	"end\n"
	"define when\n"
	"  monitor when\n"
	"end\n"
	"document when\n"
	"Show the position where the replay stands.\n"
	"end\n"
	"target extended-remote %3$s/socket\n";

static int
make_commands(struct debugger *d, const char *sysroot, char *path, size_t size,
	      struct err *err)
{
	struct buf b = { 0 };
	FILE *f;
	int ret = 0;

	snprintf(path, size, "%s/commands", d->dir);
	buf_printf(&b, commands, GDB_MOVED_AT, sysroot, d->dir);
	f = fopen(path, "we");
	if (!f || fwrite(b.p, 1, b.len, f) != b.len)
		ret = err_errno(err, "cannot write %s", path);
	if (f && fclose(f) < 0 && ret == 0)
		ret = err_errno(err, "cannot write %s", path);
	buf_free(&b);
	return ret;
}

static int
listen_unix(struct debugger *d, struct err *err)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/socket", d->dir);
	d->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (d->listening < 0 ||
	    bind(d->listening, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    listen(d->listening, 4) < 0)
		return err_errno(err, "cannot listen on %s", a.sun_path);
	return 0;
}

static void __attribute__((noreturn))
become(char **argv, const struct spawn_inherit *inherit)
{
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig,
		       inherit->ignored >> (sig - 1) & 1 ? SIG_IGN : SIG_DFL);
	sigprocmask(SIG_SETMASK, &inherit->mask, NULL);
	execvp(argv[0], argv);
	_exit(EXEC_FAILED);
}

static int
start(struct debugger *d, char **argv, const struct spawn_inherit *inherit,
      struct err *err)
{
	sigset_t all, old;

	/* No handler of ours may run in the child. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	d->pid = fork();
	if (d->pid == 0)
		become(argv, inherit);
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (d->pid < 0) {
		d->pid = 0;
		return err_errno(err, "cannot start %s", argv[0]);
	}
	return 0;
}

int
debugger_start(struct debugger *d, const char *program, const char *sysroot,
	       char **args, const struct spawn_inherit *inherit,
	       struct err *err)
{
	const char *tmp = getenv("TMPDIR");
	VEC(char *) argv = { 0 };
	char name[64], quiet[] = "-q", x[] = "-x", path[96];
	int ret;

	snprintf(name, sizeof(name), "%s", program);
	/* Names of sockets are short. */
	if (!tmp || strlen(tmp) > 32)
		tmp = "/tmp";
	snprintf(d->dir, sizeof(d->dir), "%s/pastime-gdb.XXXXXX", tmp);
	if (!mkdtemp(d->dir)) {
		ret = err_errno(err, "cannot make %s", d->dir);
		d->dir[0] = '\0';
		return ret;
	}
	ret = listen_unix(d, err);
	if (ret == 0)
		ret = make_commands(d, sysroot, path, sizeof(path), err);
	if (ret < 0)
		return ret;
	vec_push(&argv, name);
	vec_push(&argv, quiet);
	vec_push(&argv, x);
	vec_push(&argv, path);
	while (*args)
		vec_push(&argv, *args++);
	vec_push(&argv, NULL);
	/* The terminal's keys are for gdb. */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	ret = start(d, argv.v, inherit, err);
	vec_free(&argv);
	if (ret < 0)
		return ret;
	d->quit = pidfd_open(d->pid, 0);
	return d->quit < 0 ? err_errno(err, "cannot watch %s", program) : 0;
}

int
debugger_wait(struct debugger *d)
{
	int status;

	while (waitpid(d->pid, &status, 0) < 0) {
		if (errno != EINTR)
			return EXEC_FAILED;
	}
	d->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int
debugger_run(char **argv, const struct spawn_inherit *inherit, struct err *err)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct debugger d = { -1, 0, -1, 0, "" };
	struct sigaction interrupt, quit;
	int ret;

	sigaction(SIGINT, &ignore, &interrupt);
	sigaction(SIGQUIT, &ignore, &quit);
	ret = start(&d, argv, inherit, err);
	if (ret == 0)
		ret = debugger_wait(&d);
	sigaction(SIGINT, &interrupt, NULL);
	sigaction(SIGQUIT, &quit, NULL);
	return ret;
}

/* ---- clients */

int
debugger_catch(struct debugger *d, struct err *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	d->quit = signalfd(-1, &set, SFD_CLOEXEC);
	return d->quit < 0 ? err_errno(err, "cannot wait for signals") : 0;
}

int
debugger_accept(struct debugger *d, int *out, struct err *err)
{
	struct pollfd fds[] = { { .fd = d->listening, .events = POLLIN },
				{ .fd = d->quit, .events = POLLIN } };
	int one = 1, fd;

	for (;;) {
		if (poll(fds, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_errno(err, "cannot wait for clients");
		}
		if (fds[1].revents)
			return -E_END;
		fd = accept4(d->listening, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			break;
		if (errno != EINTR && errno != ECONNABORTED)
			return err_errno(err, "cannot accept a client");
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	*out = fd;
	return 0;
}

void
debugger_close(struct debugger *d)
{
	char path[96];

	fd_close(&d->listening);
	fd_close(&d->quit);
	if (!d->dir[0])
		return;
	snprintf(path, sizeof(path), "%s/socket", d->dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/commands", d->dir);
	unlink(path);
	rmdir(d->dir);
	d->dir[0] = '\0';
}
