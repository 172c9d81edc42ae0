/* With an argument: two threads wait for each other by looking at memory, without
 * a call. Whoever has the first turn, nothing but the clock can end it. */
#include "guest.h"
#include <pthread.h>

static volatile int flag, seen;

static void *
set(void *arg)
{
	flag = 1;
	while (!seen)
		continue;
	return arg;
}

int
main(int argc, char **argv)
{
	pthread_t t;

	if (argc < 2)
		return 0;
	CHECK(pthread_create(&t, NULL, set, NULL) == 0);
	while (!flag)
		continue;
	seen = 1;
	CHECK(pthread_join(t, NULL) == 0);
	puts(argv[1]);
	return 0;
}
