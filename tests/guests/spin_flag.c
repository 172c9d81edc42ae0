/* With an argument: wait for a thread by looking at memory, without a call.
 * Nothing but the clock can end such a turn. */
#include "guest.h"
#include <pthread.h>

static volatile int flag;

static void *
set(void *arg)
{
	flag = 1;
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
	CHECK(pthread_join(t, NULL) == 0);
	puts(argv[1]);
	return 0;
}
