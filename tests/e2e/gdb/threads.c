/*
 * Two workers wait, each with its own state; a third one falls. Each begins
 * when those before it wait: they give the lock away where they do.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int waiting, never;
static __thread int mine;

static void
wait_here(int number)
{
	char text[16] = "";

	snprintf(text, sizeof(text), "worker-%d", number);
	pthread_setname_np(pthread_self(), text);
	mine = 100 + number;
	waiting++;
	pthread_cond_broadcast(&cond);
	while (!never)
		pthread_cond_wait(&cond, &lock);
}

static void *
worker(void *arg)
{
	pthread_mutex_lock(&lock);
	wait_here(*(int *)arg);
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void *
falls(void *arg)
{
	pthread_mutex_lock(&lock);
	mine = 7;
	pthread_setname_np(pthread_self(), "falls");
	abort();
	return arg;
}

int
main(void)
{
	static const int numbers[] = { 1, 2 };
	pthread_t t;

	mine = 1;
	pthread_mutex_lock(&lock);
	for (int i = 0; i < 2; i++) {
		pthread_create(&t, NULL, worker, (void *)&numbers[i]);
		while (waiting <= i)
			pthread_cond_wait(&cond, &lock);
	}
	pthread_create(&t, NULL, falls, NULL);
	pthread_mutex_unlock(&lock);
	pthread_join(t, NULL);
	return 0;
}
