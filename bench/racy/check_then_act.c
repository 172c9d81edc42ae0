/* Two threads take the last ticket: both see that it is there. */
#include <pthread.h>
#include <stdio.h>

static volatile int tickets = 1;
static volatile int sold[2];

static void *
buy(void *arg)
{
	volatile int *mine = arg;

	if (tickets > 0) {
		*mine = 1;
		tickets--;
	}
	return NULL;
}

int
main(void)
{
	pthread_t t[2];

	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, buy, (void *)&sold[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	printf("sold %d\n", sold[0] + sold[1]);
	return sold[0] + sold[1] != 1;
}
