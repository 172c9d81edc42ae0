/* Processes that begin apart and then map the same file: their turns must be
 * one order from there on. */
#include "guest.h"
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>

#define CHILDREN 3
#define TURNS 300

static void
child(const char *path, int k)
{
	int fd = open(path, O_RDWR);
	atomic_int *n = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			     0);

	CHECK(n != MAP_FAILED);
	for (int i = 0; i < TURNS; i++) {
		int was = atomic_load(n);

		while (!atomic_compare_exchange_strong(n, &was, was + 1))
			continue;
		if (i % 10 == k)
			sched_yield();
		if (i % 37 == 0)
			usleep(100);
	}
	_exit(0);
}

int
main(void)
{
	char path[] = "/tmp/pastime-guest-XXXXXX";
	int fd = mkstemp(path);
	atomic_int *n;

	CHECK(fd >= 0 && ftruncate(fd, 8192) == 0 && close(fd) == 0);
	for (int k = 0; k < CHILDREN; k++)
		if (fork() == 0)
			child(path, k);
	fd = open(path, O_RDWR);
	n = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(n != MAP_FAILED);
	for (int k = 0; k < CHILDREN; k++)
		CHECK(wait(NULL) > 0);
	CHECK(unlink(path) == 0);
	printf("%d increments\n", atomic_load(n));
	return atomic_load(n) != CHILDREN * TURNS;
}
