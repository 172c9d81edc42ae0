/* Four threads that share one lock which spins: by cmpxchg, by tickets, or with
 * sched_yield; or that spin without a lock until all have computed, or the
 * first one has; or two that look at what two others count down in memory, with
 * the same registers at each turn of their loops. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 4
#define TURNS 2000
#define WORK 20000000ul
#define FIRST 40 /* times as much */

static atomic_int word, next, now, done;
static unsigned long sum[THREADS];
static int count, turns = TURNS;
static void (*take)(void), (*give)(void);

static void
take_cmpxchg(void)
{
	int zero = 0;

	while (!atomic_compare_exchange_weak(&word, &zero, 1))
		zero = 0;
}

static void
take_yielding(void)
{
	while (atomic_exchange(&word, 1))
		sched_yield();
}

static void
give_word(void)
{
	atomic_store(&word, 0);
}

static void
take_ticket(void)
{
	int mine = atomic_fetch_add(&next, 1);

	while (atomic_load(&now) != mine)
		;
}

static void
give_ticket(void)
{
	atomic_fetch_add(&now, 1);
}

static void *
add(void *arg)
{
	for (int i = 0; i < turns; i++) {
		take();
		count++;
		/* Held for long now and then, so that others find it taken. */
		for (volatile int k = 0; i % 64 == 0 && k < 30000; k++)
			;
		give();
	}
	return arg;
}

static void *
compute(void *arg)
{
	unsigned long h = 1, n = *(unsigned long *)arg;

	for (unsigned long i = 0; i < WORK; i++)
		h = (h ^ i) * 0x100000001b3ul + n;
	*(unsigned long *)arg = h;
	atomic_fetch_add(&done, 1);
	while (atomic_load(&done) < THREADS)
		;
	return NULL;
}

/* Who is not the first waits for it. */
static void *
wait_for_first(void *arg)
{
	unsigned long h = 1, *n = arg;

	if (*n > 0) {
		while (atomic_load(&done) == 0)
			;
		return NULL;
	}
	for (unsigned long i = 0; i < FIRST * WORK; i++)
		h = (h ^ i) * 0x100000001b3ul;
	*n = h;
	atomic_store(&done, 1);
	return NULL;
}

static unsigned long left[2];

static void *
count_down(void *arg)
{
	unsigned long *n = arg;

	*n = WORK / 10;
	__asm__ volatile("mov $0, %%ecx\n"
			 "1: mov (%0), %%rcx\n"
			 "lea -1(%%rcx), %%rcx\n"
			 "mov %%rcx, (%0)\n"
			 "jrcxz 2f\n"
			 "mov $0, %%ecx\n"
			 "jmp 1b\n"
			 "2:\n"
			 :
			 : "r"(n)
			 : "rcx", "memory");
	atomic_fetch_add(&done, 1);
	return arg;
}

static void *
look(void *arg)
{
	unsigned long h = 1, *out = arg;

	while (atomic_load(&done) < 2)
		h = h * 31 + __atomic_load_n(&left[0], __ATOMIC_RELAXED) +
		    __atomic_load_n(&left[1], __ATOMIC_RELAXED);
	*out = h == 0;
	return arg;
}

static int
memory(void)
{
	unsigned long h[2];
	pthread_t t[THREADS];

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&t[i], NULL, i < 2 ? count_down : look,
				   i < 2 ? &left[i] : &h[i - 2]) != 0)
			return 1;
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	printf("memory: %lu\n", left[0] + left[1]);
	return 0;
}

int
main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";
	void *(*work)(void *) = add;
	pthread_t t[THREADS];

	if (argc > 2)
		turns = atoi(argv[2]);

	if (strcmp(kind, "memory") == 0)
		return memory();
	take = take_cmpxchg;
	give = give_word;
	if (strcmp(kind, "ticket") == 0) {
		take = take_ticket;
		give = give_ticket;
	} else if (strcmp(kind, "yield") == 0) {
		take = take_yielding;
	} else if (strcmp(kind, "compute") == 0) {
		work = compute;
	} else if (strcmp(kind, "first") == 0) {
		work = wait_for_first;
	}
	for (int i = 0; i < THREADS; i++) {
		sum[i] = (unsigned long)i;
		if (pthread_create(&t[i], NULL, work, &sum[i]) != 0)
			return 1;
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	printf("%s: %d %lx\n", kind, count, sum[0] ^ sum[1] ^ sum[2] ^ sum[3]);
	return 0;
}
