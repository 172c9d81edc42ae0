/* Cancellation of blocked threads, cleanup handlers, thread-specific data. */
#include "guest.h"
#include <pthread.h>

static int p[2], cleaned, destroyed;
static pthread_key_t key;

static void
clean(void *arg)
{
	cleaned++;
}

static void
destroy(void *arg)
{
	destroyed++;
}

static void *
blocked(void *arg)
{
	char c;

	pthread_setspecific(key, arg);
	pthread_cleanup_push(clean, NULL);
	CHECK(read(p[0], &c, 1) == 1);
	pthread_cleanup_pop(0);
	return NULL;
}

int
main(void)
{
	pthread_t t[4];
	void *r;
	int cancelled = 0;

	CHECK(!pipe(p) && !pthread_key_create(&key, destroy));
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&t[i], NULL, blocked, (void *)1));
	for (int i = 0; i < 4; i++) {
		CHECK(!pthread_cancel(t[i]) && !pthread_join(t[i], &r));
		cancelled += r == PTHREAD_CANCELED;
	}
	printf("%d cancelled, %d cleaned, %d destroyed\n", cancelled, cleaned, destroyed);
	return 0;
}
