/* exec by a thread that is not the leader, while others block. */
#include "guest.h"
#include <pthread.h>

static int p[2];

static void *
blocked(void *arg)
{
	char c;

	return (void *)(intptr_t)read(p[0], &c, 1);
}

static void *
execer(void *arg)
{
	char *argv[] = { "sh", "-c", "echo from the new image", NULL };

	execv("/no/such", argv);
	execv("/bin/sh", argv);
	return NULL;
}

int
main(void)
{
	pthread_t t[4];

	CHECK(!pipe(p));
	for (int i = 0; i < 3; i++)
		CHECK(!pthread_create(&t[i], NULL, blocked, NULL));
	CHECK(!pthread_create(&t[3], NULL, execer, NULL));
	blocked(NULL);
	return 1;
}
