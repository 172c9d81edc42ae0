/* A thread uses what its creator sets just after creating it. */
#include <pthread.h>
#include <stdio.h>

struct session {
	const char *volatile name;
	volatile int id;
};

static struct session session;
static volatile int wrong;

static void *
serve(void *arg)
{
	struct session *s = arg;
	unsigned sum = 0;

	/* work that nearly always lasts until the creator has gone on */
	for (unsigned i = 0; i < 10000000; i++)
		sum = sum * 31 + (unsigned)s->id;
	if (!s->name)
		wrong = 1;
	s->id = (int)sum;
	return NULL;
}

int
main(void)
{
	pthread_t t;

	session.id = 7;
	pthread_create(&t, NULL, serve, &session);
	session.name = "first";
	pthread_join(t, NULL);
	puts(wrong ? "used before it was set" : "fine");
	return wrong;
}
