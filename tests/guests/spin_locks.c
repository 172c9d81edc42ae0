/* Four threads that wait by looking at memory: whoever they wait for must get
 * the processor, though nobody ever gives it away. */
#include "guest.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>

#define THREADS 4
#define TAKEN 40
#define ITEMS 3000
#define RING 16

static unsigned long sum;
static void (*take)(void);
static void (*drop)(void);

/* ---- locks */

static volatile unsigned ticket, serving;
static int word;

static void
ticket_take(void)
{
	unsigned mine = __atomic_fetch_add(&ticket, 1, __ATOMIC_SEQ_CST);

	while (serving != mine)
		continue;
}

static void
ticket_drop(void)
{
	__atomic_store_n(&serving, serving + 1, __ATOMIC_RELEASE);
}

static void
pause_take(void)
{
	for (unsigned spent = 1; __atomic_exchange_n(&word, 1, 0); spent *= 2)
		for (unsigned i = 0; i < (spent & 1023); i++)
			__asm__ volatile("pause");
}

static void
backoff_take(void)
{
	struct timespec none = { 0, 0 };

	while (__atomic_exchange_n(&word, 1, __ATOMIC_ACQUIRE))
		nanosleep(&none, NULL);
}

static void
futex_take(void)
{
	struct timespec little = { 0, 50000 };

	while (__atomic_exchange_n(&word, 1, __ATOMIC_ACQUIRE))
		syscall(SYS_futex, &word, FUTEX_WAIT, 1, &little, NULL, 0);
}

static void
word_drop(void)
{
	__atomic_store_n(&word, 0, __ATOMIC_RELEASE);
}

static void *
add(void *arg)
{
	for (int i = 0; i < TAKEN; i++) {
		take();
		for (volatile int k = 0; k < 5000; k++)
			sum++;
		drop();
	}
	return arg;
}

static void
run(void *(*f)(void *), int n)
{
	pthread_t t[THREADS];

	for (long i = 0; i < n; i++)
		CHECK(pthread_create(&t[i], NULL, f, (void *)i) == 0);
	for (int i = 0; i < n; i++)
		CHECK(pthread_join(t[i], NULL) == 0);
}

static void
lock(const char *name, void (*t)(void), void (*d)(void))
{
	take = t;
	drop = d;
	sum = 0;
	run(add, THREADS);
	printf("%s: %lu\n", name, sum);
}

/* ---- a ring that is full or empty */

static volatile unsigned head, tail;
static volatile unsigned ring[RING];

static void *
produce(void *arg)
{
	if (arg == NULL) {
		for (unsigned i = 0; i < ITEMS; i++) {
			while (head - tail == RING)
				continue;
			ring[head % RING] = i;
			__atomic_store_n(&head, head + 1, __ATOMIC_RELEASE);
		}
		return NULL;
	}
	for (unsigned i = 0; i < ITEMS; i++) {
		while (head == tail)
			continue;
		CHECK(ring[tail % RING] == i);
		__atomic_store_n(&tail, tail + 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* ---- a barrier for all, and one that computes until the others are done */

static volatile unsigned arrived[20], done;

static void *
meet(void *arg)
{
	for (unsigned i = 0; i < 20; i++) {
		__atomic_fetch_add(&arrived[i], 1, __ATOMIC_SEQ_CST);
		while (arrived[i] < THREADS)
			__builtin_ia32_pause();
	}
	return arg;
}

static void *
starve(void *arg)
{
	uint64_t h = 1;

	if (arg != NULL) {
		for (int i = 0; i < 20; i++)
			usleep(10);
		__atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST);
		return NULL;
	}
	while (done < THREADS - 1)
		h = h * 6364136223846793005u + 1;
	CHECK(h != 0);
	return NULL;
}

int
main(void)
{
	lock("ticket", ticket_take, ticket_drop);
	lock("pause", pause_take, word_drop);
	lock("backoff", backoff_take, word_drop);
	lock("futex", futex_take, word_drop);
	run(produce, 2);
	puts("ring");
	run(meet, THREADS);
	puts("barrier");
	run(starve, THREADS);
	puts("starving");
	return 0;
}
