/* Two threads that only compute, each with memory of its own and a result that
 * they share: their turns end in the midst of it. */
#include "guest.h"
#include <pthread.h>

#define ROUNDS 8
#define WORDS 4096

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t shared;

static uint64_t
work(uint64_t *v, uint64_t seed)
{
	uint64_t h = seed;

	for (int pass = 0; pass < 3000; pass++)
		for (int i = 0; i < WORDS; i++) {
			h = (h ^ v[i]) * 0x100000001b3u;
			v[i] += h >> 7;
		}
	return h;
}

static void *
compute(void *arg)
{
	uint64_t *v = calloc(WORDS, sizeof(*v));
	uint64_t h = (uint64_t)(uintptr_t)arg;

	CHECK(v != NULL);
	for (int i = 0; i < ROUNDS; i++) {
		h = work(v, h);
		CHECK(pthread_mutex_lock(&lock) == 0);
		shared += h; /* the order does not matter */
		CHECK(pthread_mutex_unlock(&lock) == 0);
	}
	free(v);
	return NULL;
}

int
main(void)
{
	pthread_t t[2];

	for (uintptr_t i = 0; i < 2; i++)
		CHECK(pthread_create(&t[i], NULL, compute, (void *)(i + 1)) ==
		      0);
	for (int i = 0; i < 2; i++)
		CHECK(pthread_join(t[i], NULL) == 0);
	printf("%016lx\n", (unsigned long)shared);
	return 0;
}
