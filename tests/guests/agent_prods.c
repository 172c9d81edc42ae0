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

int
main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal,
				.sa_flags = SA_RESTART };
	int rounds = argc > 1 ? atoi(argv[1]) : 20, p[2];
	int zero = open("/dev/zero", O_RDONLY);
	int null = open("/dev/null", O_WRONLY);
	pid_t parent = getppid();

	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	CHECK(pipe(p) == 0);
	for (int i = 0; i < rounds; i++) {
		CHECK(sched_yield() == 0);
		one_round(zero, null, p, parent);
	}
	CHECK(argc < 3 || came > 0);
	printf("came %d\n", argc > 1 ? (int)came : 0);
	return 0;
}
