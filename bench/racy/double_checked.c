/* Double-checked initialisation that publishes before it has filled in. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct config {
	volatile int ready;
	volatile int limit;
};

static struct config *volatile shared;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile int wrong;

static struct config *
get(void)
{
	if (!shared) {
		pthread_mutex_lock(&lock);
		if (!shared) {
			shared = calloc(1, sizeof(*shared));
			shared->limit = 100;
			shared->ready = 1;
		}
		pthread_mutex_unlock(&lock);
	}
	return shared;
}

static void *
use(void *arg)
{
	if (get()->limit != 100)
		wrong = 1;
	return arg;
}

int
main(void)
{
	pthread_t t[3];

	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, use, NULL);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	puts(wrong ? "an unfinished object was used" : "fine");
	return wrong;
}
