/* Every futex operation, by raw calls. */
#include "guest.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>

static uint32_t a, b, woken;

static long
futex(uint32_t *u, int op, uint32_t v, void *t, uint32_t *u2, uint32_t v3)
{
	return syscall(SYS_futex, u, op, v, t, u2, v3);
}

static void *
sleeper(void *arg)
{
	while (!__atomic_load_n(&a, __ATOMIC_SEQ_CST))
		futex(&a, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 1u << (intptr_t)arg);
	__atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

int
main(void)
{
	struct timespec ts = { 0, 1000000 };
	pthread_mutexattr_t at;
	pthread_mutex_t pi;
	pthread_t t[4];
	uint32_t word = 0;

	CHECK(futex(&b, FUTEX_WAIT, 1, NULL, NULL, 0) == -1 && errno == EAGAIN);
	CHECK(futex(&b, FUTEX_WAIT, 0, &ts, NULL, 0) == -1 && errno == ETIMEDOUT);
	CHECK(futex(&b, FUTEX_WAKE, 1, NULL, NULL, 0) == 0);
	CHECK(futex(&b, FUTEX_WAKE_OP, 1, (void *)1, &word, FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 0)) == 0);
	CHECK(word == 5);
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&t[i], NULL, sleeper, (void *)(intptr_t)i));
	__atomic_store_n(&a, 1, __ATOMIC_SEQ_CST);
	futex(&a, FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 1);
	futex(&a, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, 1, (void *)10, &b, 1);
	futex(&b, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 10, NULL, NULL, 0);
	futex(&a, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 10, NULL, NULL, 0);
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_join(t[i], NULL));
	printf("woken %u\n", woken);
	pthread_mutexattr_init(&at);
	pthread_mutexattr_setprotocol(&at, PTHREAD_PRIO_INHERIT);
	if (!pthread_mutex_init(&pi, &at))
		CHECK(!pthread_mutex_lock(&pi) && !pthread_mutex_unlock(&pi));
	return 0;
}
