/* exit_group against blocked threads, a leader that leaves first, SIGKILL. */
#include "guest.h"
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

static int p[2];

static void *
blocked(void *arg)
{
	char c;

	return (void *)(intptr_t)read(p[0], &c, 1);
}

static void *
last(void *arg)
{
	usleep(5000);
	_exit(8);
}

static void
threads(int n, void *(*fn)(void *))
{
	pthread_t t;

	for (int i = 0; i < n; i++)
		CHECK(!pthread_create(&t, NULL, fn, NULL));
}

int
main(void)
{
	int up[2], st;
	char c;
	pid_t pid;

	CHECK(!pipe(p) && !pipe(up));
	for (int round = 0; round < 5; round++) {
		pid = fork();
		if (!pid) {
			threads(6, blocked);
			exit(round);
		}
		CHECK(reap(pid) == round);
	}
	pid = fork();
	if (!pid) {
		threads(1, last);
		syscall(SYS_exit, 1);
	}
	printf("leader first: %d\n", reap(pid));
	pid = fork();
	if (!pid) {
		threads(4, blocked);
		CHECK(write(up[1], "x", 1) == 1);
		pause();
	}
	CHECK(read(up[0], &c, 1) == 1 && !kill(pid, SIGKILL));
	printf("killed: %d\n", reap(pid));
	pid = fork();
	if (!pid) {
		threads(3, blocked);
		abort();
	}
	CHECK(waitpid(pid, &st, 0) == pid);
	printf("aborted: %d\n", WTERMSIG(st));
	return 0;
}
