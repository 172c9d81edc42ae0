/* Sleep through stop and continue; interrupted sleep; no kernel-internal
 * error numbers (512 to 516) may show. */
#include "guest.h"
#include <signal.h>
#include <time.h>

static void
usr(int sig)
{
}

int
main(void)
{
	struct sigaction sa = { .sa_handler = usr };
	struct timespec ts = { 0, 60000000 }, rem = { 0 };
	int st, ready[2];
	char c;
	pid_t pid;

	CHECK(!sigaction(SIGUSR1, &sa, NULL) && !pipe(ready));
	pid = fork();
	if (!pid) {
		CHECK(write(ready[1], "x", 1) == 1);
		if (nanosleep(&ts, NULL))
			_exit(errno == EINTR ? 2 : 3);
		_exit(0);
	}
	CHECK(read(ready[0], &c, 1) == 1);
	CHECK(!kill(pid, SIGSTOP));
	CHECK(waitpid(pid, &st, WUNTRACED) == pid && WIFSTOPPED(st));
	CHECK(!kill(pid, SIGCONT));
	CHECK(waitpid(pid, &st, WCONTINUED) == pid && WIFCONTINUED(st));
	printf("slept through a stop: %d\n", reap(pid));
	pid = fork();
	if (!pid) {
		ts = (struct timespec){ 20, 0 };
		CHECK(write(ready[1], "x", 1) == 1);
		st = nanosleep(&ts, &rem);
		_exit(st == -1 && errno == EINTR && rem.tv_sec >= 10 ? 0 : 1);
	}
	CHECK(read(ready[0], &c, 1) == 1);
	/* the child may not sleep yet: signal until it has gone */
	while (waitpid(pid, &st, WNOHANG) == 0) {
		kill(pid, SIGUSR1);
		nanosleep(&(struct timespec){ 0, 5000000 }, NULL);
	}
	printf("interrupted: %d\n", WIFEXITED(st) ? WEXITSTATUS(st) : -1);
	return 0;
}
