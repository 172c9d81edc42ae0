/*
 * vmsplice takes what a pipe holds into memory that another thread looks at
 * meanwhile: what it sees, and when, must be the same in a replay. It is told
 * as the argument of a call, whose registers are compared.
 */
#include "guest.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

static int fds[2];
static volatile uint64_t taken;

static void *
taker(void *arg)
{
	struct iovec v = { (void *)&taken, sizeof(taken) };

	CHECK(vmsplice(fds[0], &v, 1, 0) == sizeof(taken));
	CHECK(taken == 0x6e656b6174ull);
	return arg;
}

int
main(void)
{
	const uint64_t value = 0x6e656b6174ull;

	for (int i = 0; i < 20; i++) {
		pthread_t t;
		int left = 1;

		taken = 0;
		CHECK(pipe2(fds, 0) == 0);
		CHECK(pthread_create(&t, NULL, taker, NULL) == 0);
		sched_yield();
		CHECK(write(fds[1], &value, sizeof(value)) == sizeof(value));
		while (left) {
			CHECK(ioctl(fds[0], FIONREAD, &left) == 0);
			syscall(SYS_getppid, taken);
		}
		for (int k = 0; k < 5; k++)
			syscall(SYS_getppid, taken);
		CHECK(pthread_join(t, NULL) == 0);
		CHECK(taken == value);
		CHECK(close(fds[0]) == 0 && close(fds[1]) == 0);
	}
	puts("taken");
	return 0;
}
