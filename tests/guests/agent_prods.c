/*
 * Calls of all kinds in rounds, each begun by sched_yield: recorded with
 * rr-smoke -P, a signal comes at another instruction of the agent's each time.
 *   agent_prods [ROUNDS]
 */
#include "guest.h"
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>

static volatile sig_atomic_t came;

static void
on_signal(int signo)
{
	CHECK(signo == SIGUSR1);
	CHECK(getppid() > 0);
	came++;
}

static void
one_round(int zero, int null, const int p[2], pid_t parent)
{
	struct pollfd ready = { .fd = p[0], .events = POLLIN };
	struct timespec ts = { .tv_nsec = 1 };
	char c = 1, path[64];
	sigset_t set, old;

	CHECK(getppid() == parent);
	CHECK(read(zero, &c, 1) == 1 && c == 0);
	CHECK(write(null, "x", 1) == 1);
	CHECK(write(p[1], "y", 1) == 1);
	while (poll(&ready, 1, 1000) != 1)
		CHECK(errno == EINTR);
	CHECK(read(p[0], &c, 1) == 1 && c == 'y');
	while (nanosleep(&ts, &ts) < 0)
		CHECK(errno == EINTR);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0);
	CHECK(!sigismember(&old, SIGUSR2) && !sigismember(&old, SIGUSR1));
	CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
	CHECK(access("/nowhere/at/all", R_OK) < 0 && errno == ENOENT);
	CHECK(readlink("/proc/self/nothing", path, sizeof(path)) < 0);
}

/* Clocks, mappings, locks. */
static void
told_and_mapped(int file)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct timespec ts, cpu;
	struct timeval tv;
	char *p;

	CHECK(clock_gettime(CLOCK_MONOTONIC, &ts) == 0);
	CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0);
	CHECK(gettimeofday(&tv, NULL) == 0 && time(NULL) + 1 >= tv.tv_sec);
	CHECK(syscall(SYS_getcpu, NULL, NULL, NULL) == 0);
	p = mmap(NULL, 100, PROT_READ, MAP_PRIVATE, file, 0);
	CHECK(p != MAP_FAILED && p[0] == 'r');
	CHECK(munmap(p, 100) == 0);
	CHECK(fcntl(file, F_SETLK, &lock) < 0 && errno == EBADF);
}

/* One byte each way, in vectors and messages, with a descriptor. */
static void
vectors(const int p[2], const int s[2], int file)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} c = { .h = { .cmsg_len = CMSG_LEN(sizeof(int)),
		       .cmsg_level = SOL_SOCKET,
		       .cmsg_type = SCM_RIGHTS } };
	char a = 'a', b = 0;
	struct iovec in = { &b, 1 }, out = { &a, 1 };
	struct msghdr m = { .msg_iov = &out,
			    .msg_iovlen = 1,
			    .msg_control = &c,
			    .msg_controllen = c.h.cmsg_len };
	off_t off = 0;
	int fd;

	CHECK(writev(p[1], &out, 1) == 1);
	CHECK(readv(p[0], &in, 1) == 1 && b == 'a');
	memcpy(CMSG_DATA(&c.h), &file, sizeof(file));
	CHECK(sendmsg(s[0], &m, 0) == 1);
	m.msg_iov = &in;
	CHECK(recvmsg(s[1], &m, 0) == 1);
	memcpy(&fd, CMSG_DATA(&c.h), sizeof(fd));
	CHECK(m.msg_controllen == c.h.cmsg_len && close(fd) == 0);
	CHECK(sendfile(s[0], file, &off, 1) == 1 && off == 1);
	CHECK(read(s[1], &b, 1) == 1 && b == 'r');
}

int
main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal,
				.sa_flags = SA_RESTART };
	int rounds = argc > 1 ? atoi(argv[1]) : 20, p[2], s[2];
	int zero = open("/dev/zero", O_RDONLY);
	int null = open("/dev/null", O_WRONLY);
	int file = open("/etc/passwd", O_RDONLY);
	pid_t parent = getppid();

	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	CHECK(pipe(p) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	for (int i = 0; i < rounds; i++) {
		CHECK(sched_yield() == 0);
		one_round(zero, null, p, parent);
		told_and_mapped(file);
		vectors(p, s, file);
	}
	CHECK(argc < 3 || came > 0);
	printf("came %d\n", argc > 1 ? (int)came : 0);
	return 0;
}
