/*
 * Threads that make short calls, and wait for each other: turns have to end
 * though nothing stops, descriptors come and go under the same numbers, and
 * each call's output must be there before another thread looks.
 */
#include "guest.h"
#include <fcntl.h>
#include <pthread.h>

#define THREADS 3
#define ROUNDS 60

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile int seen;
static uint64_t sums[THREADS];
static int zero, to[2];

static void *
work(void *arg)
{
	int me = *(int *)arg;
	uint64_t sum = 0;
	char buf[64];

	for (int i = 0; i < ROUNDS; i++) {
		int fd = open("/proc/self/exe", O_RDONLY);

		CHECK(fd >= 0);
		CHECK(pread(fd, buf, 4, 0) == 4 &&
		      memcmp(buf, "\177ELF", 4) == 0);
		CHECK(close(fd) == 0);
		memset(buf, me, sizeof(buf));
		CHECK(read(zero, buf, sizeof(buf) / 2) == sizeof(buf) / 2);
		sum = fnv(sum, buf, sizeof(buf));
		pthread_mutex_lock(&lock);
		sums[me] += (uint64_t)getppid() > 0;
		pthread_mutex_unlock(&lock);
		if (i % 20 == me) {
			CHECK(write(to[1], "x", 1) == 1);
			CHECK(read(to[0], buf, 1) == 1 && buf[0] == 'x');
		}
	}
	sums[me] += sum;
	return NULL;
}

/* Makes calls, and nothing else, until the others have been seen; not a million
 * where they wait for a CPU. */
static void *
wait_and_call(void *arg)
{
	(void)arg;
	while (!seen) {
		CHECK(getppid() > 0);
		for (volatile int i = 0; i < 20000; i++)
			continue;
	}
	return NULL;
}

int
main(void)
{
	static int number[THREADS] = { 0, 1, 2 };
	pthread_t t[THREADS], busy;
	uint64_t sum = 0;

	zero = open("/dev/zero", O_RDONLY);
	CHECK(zero >= 0 && pipe(to) == 0);
	for (int i = 0; i < 50; i++)
		CHECK(getppid() > 0);
	CHECK(pthread_create(&busy, NULL, wait_and_call, NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&t[i], NULL, work, &number[i]) == 0);
	for (int i = 0; i < THREADS; i++) {
		CHECK(pthread_join(t[i], NULL) == 0);
		sum = fnv(sum, &sums[i], sizeof(sums[i]));
	}
	seen = 1;
	CHECK(pthread_join(busy, NULL) == 0);
	printf("sum %lx\n", (unsigned long)sum);
	return 0;
}
