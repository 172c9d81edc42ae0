/* Threads that wait for each other by looking at memory, without a call, or
 * with calls that change nothing: only the clock ends their turns. */
#include "guest.h"
#include <pthread.h>
#include <sched.h>

#define ROUNDS 4
#define ADDS 200000

static volatile int flag, seen;
static int lock;
static unsigned long sum;
static void (*take)(void);

static void *
set(void *arg)
{
	for (int i = 1; i <= ROUNDS; i++) {
		flag = i;
		while (seen != i)
			continue;
	}
	return arg;
}

static void
flags(void)
{
	pthread_t t;

	CHECK(pthread_create(&t, NULL, set, NULL) == 0);
	for (int i = 1; i <= ROUNDS; i++) {
		while (flag != i)
			continue;
		seen = i;
	}
	CHECK(pthread_join(t, NULL) == 0);
}

static void
take_spinning(void)
{
	int free = 0;

	while (!__atomic_compare_exchange_n(&lock, &free, 1, 0,
					    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		free = 0;
}

static void
take_yielding(void)
{
	while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void *
add(void *arg)
{
	for (int i = 0; i < ADDS; i++) {
		take();
		sum++;
		/* Held for long now and then, so that others find it taken. */
		for (volatile int k = 0; i % 64 == 0 && k < 30000; k++)
			continue;
		__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
	}
	return arg;
}

static void
locks(const char *name, void (*how)(void))
{
	pthread_t t[2];

	take = how;
	sum = 0;
	for (int i = 0; i < 2; i++)
		CHECK(pthread_create(&t[i], NULL, add, NULL) == 0);
	for (int i = 0; i < 2; i++)
		CHECK(pthread_join(t[i], NULL) == 0);
	printf("%s: %lu\n", name, sum);
}

int
main(void)
{
	flags();
	puts("flags");
	locks("cmpxchg", take_spinning);
	locks("sched_yield", take_yielding);
	return 0;
}
