/* Three locks taken in a ring: each thread holds one and waits for the next. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static pthread_mutex_t lock[3] = { PTHREAD_MUTEX_INITIALIZER,
				   PTHREAD_MUTEX_INITIALIZER,
				   PTHREAD_MUTEX_INITIALIZER };
static volatile int done[3];

static void
stuck(int sig)
{
	static const char text[] = "deadlock\n";

	_exit(write(1, text, sizeof(text) - 1) > 0 ? 1 : 2);
}

static void *
work(void *arg)
{
	int me = (int)(long)arg;

	for (int i = 0; i < 3; i++) {
		pthread_mutex_lock(&lock[me]);
		done[me]++;
		pthread_mutex_lock(&lock[(me + 1) % 3]);
		done[(me + 1) % 3]++;
		pthread_mutex_unlock(&lock[(me + 1) % 3]);
		pthread_mutex_unlock(&lock[me]);
	}
	return NULL;
}

int
main(void)
{
	pthread_t t[3];

	signal(SIGALRM, stuck);
	alarm(3);
	for (long i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, work, (void *)i);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	puts("fine");
	return 0;
}
