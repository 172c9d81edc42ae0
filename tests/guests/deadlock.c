/*
 * What question 9 asks about: a thread that waits for a lock and is woken by
 * who holds it, a join, and then three threads that wait for each other's lock
 * in a circle, until the process ends.
 */
#include "guest.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t lock[3] = { PTHREAD_MUTEX_INITIALIZER,
				   PTHREAD_MUTEX_INITIALIZER,
				   PTHREAD_MUTEX_INITIALIZER };
static pthread_barrier_t all;
static pid_t tids[4];

/* Wait until a thread sleeps in a call. */
static void
until_it_sleeps(const pid_t *tid)
{
	char path[64], text[512], *state = NULL;
	ssize_t n;
	int fd;

	do {
		usleep(1000);
		if (!__atomic_load_n(tid, __ATOMIC_SEQ_CST))
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%d/stat", *tid);
		fd = open(path, O_RDONLY);
		CHECK(fd >= 0);
		n = read(fd, text, sizeof(text) - 1);
		CHECK(n > 0);
		close(fd);
		text[n] = '\0';
		state = strrchr(text, ')');
	} while (!state || state[2] != 'S');
}

static void *
waits_at_the_gate(void *arg)
{
	__atomic_store_n(&tids[3], (pid_t)syscall(SYS_gettid),
			 __ATOMIC_SEQ_CST);
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	return arg;
}

static void *
locks_two(void *arg)
{
	int i = (int)(intptr_t)arg;

	pthread_mutex_lock(&lock[i]);
	pthread_barrier_wait(&all);
	__atomic_store_n(&tids[i], (pid_t)syscall(SYS_gettid),
			 __ATOMIC_SEQ_CST);
	pthread_mutex_lock(&lock[(i + 1) % 3]);
	return arg;
}

int
main(void)
{
	pthread_t t[4];

	CHECK(!pthread_mutex_lock(&gate));
	CHECK(!pthread_create(&t[3], NULL, waits_at_the_gate, NULL));
	until_it_sleeps(&tids[3]);
	CHECK(!pthread_mutex_unlock(&gate));
	CHECK(!pthread_join(t[3], NULL));
	CHECK(!pthread_barrier_init(&all, NULL, 3));
	for (int i = 0; i < 3; i++)
		CHECK(!pthread_create(&t[i], NULL, locks_two,
				      (void *)(intptr_t)i));
	for (int i = 0; i < 3; i++)
		until_it_sleeps(&tids[i]);
	printf("three threads wait for each other\n");
	fflush(stdout);
	_exit(0);
}
