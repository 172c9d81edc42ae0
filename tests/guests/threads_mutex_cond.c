/* 16 threads through mutexes, condition variables, barriers, rwlocks,
 * semaphores; the order of their turns goes to memory. */
#include "guest.h"
#include <pthread.h>
#include <semaphore.h>

enum { THREADS = 16, TURNS = 20 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static sem_t sem;
static unsigned char order[THREADS * TURNS];
static int n, turn;
static __thread int mine;

static void *
worker(void *arg)
{
	int me = (int)(intptr_t)arg;

	pthread_barrier_wait(&barrier);
	for (int i = 0; i < TURNS; i++) {
		pthread_mutex_lock(&lock);
		order[n++] = (unsigned char)me;
		pthread_mutex_unlock(&lock);
		sem_wait(&sem);
		mine++;
		sem_post(&sem);
		if (i % 5)
			pthread_rwlock_rdlock(&rw);
		else
			pthread_rwlock_wrlock(&rw);
		pthread_rwlock_unlock(&rw);
	}
	pthread_mutex_lock(&lock);
	while (turn != me)
		pthread_cond_wait(&cond, &lock);
	turn++;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&lock);
	return (void *)(intptr_t)mine;
}

int
main(void)
{
	pthread_t t[THREADS];
	void *got;
	long sum = 0;

	CHECK(!pthread_barrier_init(&barrier, NULL, THREADS) && !sem_init(&sem, 0, 3));
	for (int i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&t[i], NULL, worker, (void *)(intptr_t)i));
	for (int i = 0; i < THREADS; i++) {
		CHECK(!pthread_join(t[i], &got));
		sum += (long)got;
	}
	printf("%d turns, %ld, last %d\n", n, sum, turn);
	return 0;
}
