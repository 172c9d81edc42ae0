/* A bounded buffer whose consumers test their condition with if, not while. */
#include <pthread.h>
#include <stdio.h>

#define ITEMS 12

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static int count, produced, wrong;

static void *
consume(void *arg)
{
	for (int i = 0; i < ITEMS / 2; i++) {
		pthread_mutex_lock(&lock);
		if (count == 0)
			pthread_cond_wait(&filled, &lock);
		count--;
		if (count < 0)
			wrong = 1;
		pthread_mutex_unlock(&lock);
	}
	return arg;
}

static void *
produce(void *arg)
{
	for (int i = 0; i < ITEMS; i++) {
		pthread_mutex_lock(&lock);
		count++;
		produced++;
		pthread_cond_signal(&filled);
		pthread_mutex_unlock(&lock);
	}
	pthread_mutex_lock(&lock);
	count += wrong ? ITEMS : 0; /* let a cheated consumer end */
	pthread_cond_broadcast(&filled);
	pthread_mutex_unlock(&lock);
	return arg;
}

int
main(void)
{
	pthread_t t[3];

	pthread_create(&t[0], NULL, produce, NULL);
	pthread_create(&t[1], NULL, consume, NULL);
	pthread_create(&t[2], NULL, consume, NULL);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	puts(wrong ? "taken from an empty buffer" : "fine");
	return wrong;
}
