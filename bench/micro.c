/*
 * The small programs of the benchmarks: one binary, the work by name.
 *   micro getppid N | writes N | clock N | pingpong N | spinners THREADS N
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void
getppid_loop(long n)
{
	while (n-- > 0)
		syscall(SYS_getppid);
}

static void
write_loop(long n)
{
	static const char line[64] = "sixty-four bytes";
	int fd = open("/dev/null", O_WRONLY);

	while (n-- > 0)
		if (write(fd, line, sizeof(line)) != (ssize_t)sizeof(line))
			exit(1);
	close(fd);
}

static void
clock_loop(long n)
{
	struct timespec ts;

	while (n-- > 0)
		clock_gettime(CLOCK_MONOTONIC, &ts);
}

struct table {
	pthread_mutex_t lock;
	pthread_cond_t turned;
	long left;
	int turn;
};

struct player {
	struct table *t;
	int me;
};

static void *
play(void *arg)
{
	struct player *p = arg;
	struct table *t = p->t;

	pthread_mutex_lock(&t->lock);
	while (t->left > 0) {
		while (t->turn != p->me && t->left > 0)
			pthread_cond_wait(&t->turned, &t->lock);
		t->turn = !p->me;
		t->left--;
		pthread_cond_signal(&t->turned);
	}
	pthread_cond_broadcast(&t->turned);
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

static void
pingpong(long n)
{
	struct table t = { .left = n,
			   .lock = PTHREAD_MUTEX_INITIALIZER,
			   .turned = PTHREAD_COND_INITIALIZER };
	struct player a = { &t, 0 }, b = { &t, 1 };
	pthread_t other;

	if (pthread_create(&other, NULL, play, &b))
		exit(1);
	play(&a);
	pthread_join(other, NULL);
}

static void *
spin(void *arg)
{
	volatile uint64_t x = 1;
	long n = (long)(intptr_t)arg;

	while (n-- > 0)
		x = x * 6364136223846793005u + 1442695040888963407u;
	return (void *)(uintptr_t)x;
}

static void
spinners(int threads, long n)
{
	pthread_t id[64];

	for (int i = 0; i < threads && i < 64; i++)
		if (pthread_create(&id[i], NULL, spin, (void *)(intptr_t)n))
			exit(1);
	for (int i = 0; i < threads && i < 64; i++)
		pthread_join(id[i], NULL);
}

int
main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	long n = argc > 2 ? atol(argv[2]) : 0;

	if (!strcmp(what, "getppid"))
		getppid_loop(n);
	else if (!strcmp(what, "writes"))
		write_loop(n);
	else if (!strcmp(what, "clock"))
		clock_loop(n);
	else if (!strcmp(what, "pingpong"))
		pingpong(n);
	else if (!strcmp(what, "spinners") && argc > 3)
		spinners((int)n, atol(argv[3]));
	else
		return fprintf(stderr, "usage: micro WORK N\n"), 2;
	return 0;
}
