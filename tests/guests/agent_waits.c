/*
 * Calls that wait, each made often enough to be the agent's, and what may come
 * meanwhile: handlers with and without SA_RESTART, SIGPIPE, a stop, the end of
 * the process, another thread. What is left of a sleep must add up.
 */
#include "guest.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

static volatile sig_atomic_t came;
static int pipe_fd[2];

static void
on_signal(int signo)
{
	(void)signo;
	came++;
}

/* It makes calls of its own while another is waited in. */
static void
on_busy(int signo)
{
	(void)signo;
	for (int i = 0; i < 5; i++)
		CHECK(getppid() > 0);
	came++;
}

static void
on_wake(int signo)
{
	(void)signo;
	came++;
	CHECK(write(pipe_fd[1], "w", 1) == 1);
}

static void
handle(int signo, void (*handler)(int), int flags)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };

	CHECK(sigaction(signo, &sa, NULL) == 0);
}

static void
alarm_in(int ms)
{
	struct itimerval it = { .it_value = { .tv_usec = ms * 1000 } };

	CHECK(setitimer(ITIMER_REAL, &it, NULL) == 0);
}

/* Every call has been made before, so that it waits where it is the agent's. */
static void
warm(void)
{
	struct timespec little = { .tv_nsec = 1 };
	struct pollfd p = { .fd = pipe_fd[0], .events = POLLIN };
	fd_set set;
	char c = 0;

	for (int i = 0; i < 4; i++) {
		struct timeval tv = { 0 };

		CHECK(write(pipe_fd[1], "x", 1) == 1);
		CHECK(poll(&p, 1, 100) == 1);
		FD_ZERO(&set);
		FD_SET(pipe_fd[0], &set);
		CHECK(select(pipe_fd[0] + 1, &set, NULL, NULL, &tv) == 1);
		CHECK(read(pipe_fd[0], &c, 1) == 1 && c == 'x');
		CHECK(nanosleep(&little, NULL) == 0);
		CHECK(waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
	}
}

static void
interrupted(void)
{
	struct pollfd p = { .fd = pipe_fd[0], .events = POLLIN };
	char c;

	handle(SIGALRM, on_busy, 0);
	for (int i = 0; i < 3; i++) {
		came = 0;
		alarm_in(5);
		CHECK(read(pipe_fd[0], &c, 1) < 0 && errno == EINTR);
		CHECK(came == 1);
		alarm_in(5);
		CHECK(poll(&p, 1, -1) < 0 && errno == EINTR && came == 2);
	}
	/* SA_RESTART: not those with a time, not poll. */
	handle(SIGALRM, on_wake, SA_RESTART);
	for (int i = 0; i < 3; i++) {
		came = 0;
		alarm_in(5);
		CHECK(read(pipe_fd[0], &c, 1) == 1 && c == 'w' && came == 1);
	}
	puts("interrupted");
}

/* A signal every few ms; the sleep goes on with what is left, to its end. */
static void
slept(void)
{
	struct itimerval often = { .it_value = { .tv_usec = 3000 },
				   .it_interval = { .tv_usec = 3000 } };
	struct itimerval off = { 0 };
	struct timespec left = { .tv_nsec = 40000000 };

	handle(SIGALRM, on_signal, SA_RESTART);
	came = 0;
	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
	while (nanosleep(&left, &left) < 0)
		CHECK(errno == EINTR);
	CHECK(setitimer(ITIMER_REAL, &off, NULL) == 0);
	CHECK(came > 0);
	puts("slept");
}

/* One signal for each write to nobody. */
static void
broken(void)
{
	int p[2], s[2];

	handle(SIGPIPE, on_signal, SA_RESTART);
	CHECK(pipe(p) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(write(p[1], "x", 1) == 1);
	close(p[0]);
	came = 0;
	for (int i = 1; i <= 4; i++)
		CHECK(write(p[1], "x", 1) < 0 && errno == EPIPE && came == i);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(send(s[0], "x", 1, 0) == 1);
	close(s[1]);
	came = 0;
	for (int i = 1; i <= 4; i++)
		CHECK(send(s[0], "x", 1, 0) < 0 && came == i);
	CHECK(send(s[0], "x", 1, MSG_NOSIGNAL) < 0 && came == 4);
	puts("broken");
}

/* Has read all there is and waits for more. */
static void
until_it_reads(pid_t pid)
{
	char path[64], text[256] = "", *end = NULL;
	int left = 1, fd;

	while (left > 0) {
		CHECK(usleep(1000) == 0);
		CHECK(ioctl(pipe_fd[0], FIONREAD, &left) == 0);
	}
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	while (!end || end[2] != 'S') {
		CHECK(usleep(1000) == 0);
		fd = open(path, O_RDONLY);
		CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
		CHECK(close(fd) == 0);
		end = strrchr(text, ')');
		CHECK(end);
	}
}

/* Children that wait: one is killed, one stops and goes on, one ends itself. */
static void
ended(void)
{
	int status;
	pid_t pid;
	char c;

	for (int i = 0; i < 3; i++) {
		pid = fork();
		if (pid == 0) {
			close(pipe_fd[1]);
			pause();
			_exit(1);
		}
		CHECK(usleep(3000) == 0);
		CHECK(kill(pid, SIGSTOP) == 0);
		CHECK(waitpid(pid, &status, WUNTRACED) == pid &&
		      WIFSTOPPED(status));
		CHECK(kill(pid, SIGCONT) == 0);
		CHECK(kill(pid, i == 0 ? SIGKILL : SIGTERM) == 0);
		CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
	}
	for (int i = 0; i < 3; i++) {
		pid = fork();
		if (pid == 0) {
			/* its own writer: it waits for ever */
			while (read(pipe_fd[0], &c, 1) > 0)
				CHECK(c == 'x');
			_exit(2);
		}
		CHECK(write(pipe_fd[1], "xxx", 3) == 3);
		until_it_reads(pid);
		CHECK(kill(pid, SIGKILL) == 0);
		CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
		alarm_in(20);
		handle(SIGALRM, on_signal, 0);
		while (read(pipe_fd[0], &c, 1) > 0)
			;
	}
	puts("ended");
}

/* A signal that is let through comes before the call returns. */
static void
let_through(void)
{
	sigset_t set, old;

	handle(SIGUSR1, on_signal, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	came = 0;
	for (int i = 1; i <= 5; i++) {
		CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0);
		CHECK(!sigismember(&old, SIGUSR1));
		CHECK(kill(getpid(), SIGUSR1) == 0 && came == i - 1);
		CHECK(sigprocmask(SIG_UNBLOCK, &set, &old) == 0);
		CHECK(sigismember(&old, SIGUSR1) && came == i);
		CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
		CHECK(sigprocmask(SIG_SETMASK, &old, &set) == 0);
		CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
	}
	puts("let through");
}

/* Threads: one waits, the other wakes up now and then. */
struct pair {
	int fd[2];
	int turns;
};

static void *
answer(void *arg)
{
	struct pair *p = arg;
	char c;

	for (int i = 0; i < p->turns; i++) {
		CHECK(recv(p->fd[1], &c, 1, 0) == 1 && c == 'q');
		CHECK(send(p->fd[1], "a", 1, 0) == 1);
	}
	return NULL;
}

static void
asked(void)
{
	struct pair p = { .turns = 200 };
	struct epoll_event ev = { .events = EPOLLIN }, got;
	pthread_t thread;
	int ep = epoll_create1(0);
	char c;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p.fd) == 0);
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, p.fd[0], &ev) == 0);
	CHECK(pthread_create(&thread, NULL, answer, &p) == 0);
	for (int i = 0; i < p.turns; i++) {
		CHECK(send(p.fd[0], "q", 1, 0) == 1);
		CHECK(epoll_wait(ep, &got, 1, 1000) == 1);
		CHECK(recv(p.fd[0], &c, 1, 0) == 1 && c == 'a');
	}
	CHECK(pthread_join(thread, NULL) == 0);
	puts("asked");
}

/* Addresses that are none: the agent must not fall over them. */
static void
faulted(void)
{
	int null = open("/dev/null", O_WRONLY);
	void *volatile low = (void *)8, *volatile higher = (void *)65536;

	for (int i = 0; i < 4; i++) {
		CHECK(write(pipe_fd[1], low, 1) < 0 && errno == EFAULT);
		CHECK(write(null, higher, 10) == 10);
		CHECK(accept(pipe_fd[0], NULL, low) < 0);
		CHECK(getrusage(RUSAGE_SELF, low) < 0 && errno == EFAULT);
		CHECK(access(low, R_OK) < 0 && errno == EFAULT);
	}
	puts("faulted");
}

int
main(void)
{
	CHECK(pipe(pipe_fd) == 0);
	warm();
	interrupted();
	slept();
	broken();
	let_through();
	asked();
	faulted();
	ended();
	return 0;
}
