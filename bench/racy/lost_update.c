/* Two threads add to one counter without a lock: an update is lost. */
#include <pthread.h>
#include <stdio.h>

#define TURNS 20

static volatile int counter;

static void *
add(void *arg)
{
	for (int i = 0; i < TURNS; i++)
		counter = counter + 1;
	return arg;
}

int
main(void)
{
	pthread_t t[2];

	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, add, NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	printf("%d of %d\n", counter, 2 * TURNS);
	return counter != 2 * TURNS;
}
