/*
 * Two threads that hand over in rounds, each begun by sched_yield: recorded
 * with rr-smoke -P, a signal comes at another instruction of the agent's each
 * time, to whichever of them is there.
 *   baton_prods [ROUNDS]
 */
#include "guest.h"
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static volatile sig_atomic_t came;
static int turn, over, to[2], back[2];

static void
on_signal(int signo)
{
	CHECK(signo == SIGUSR1);
	CHECK(getppid() > 0);
	__atomic_fetch_add(&came, 1, __ATOMIC_SEQ_CST);
}

static void
wait_for_turn(int me)
{
	while (turn != me && !over)
		pthread_cond_wait(&turned, &lock);
}

static void
pass_to(int who)
{
	turn = who;
	pthread_cond_signal(&turned);
}

/* Both have the word here; what the other says comes through a pipe. */
static void
answer(void)
{
	char buf[8] = { 0 };

	CHECK(read(to[0], buf, sizeof(buf)) == 1 && buf[0] == 'x' && !buf[1]);
	CHECK(write(back[1], "yz", 2) == 2);
}

static void *
other(void *arg)
{
	pthread_mutex_lock(&lock);
	while (!over) {
		for (int i = 0; i < 2; i++) {
			wait_for_turn(1);
			pass_to(0);
		}
		pthread_mutex_unlock(&lock);
		answer();
		pthread_mutex_lock(&lock);
	}
	pthread_mutex_unlock(&lock);
	return arg;
}

static void
one_round(void)
{
	struct pollfd p = { .fd = back[0], .events = POLLIN };
	struct timespec ts = { .tv_nsec = 1000 };
	char buf[8];

	pthread_mutex_lock(&lock);
	for (int i = 0; i < 2; i++) {
		pass_to(1);
		wait_for_turn(0);
	}
	clock_gettime(CLOCK_REALTIME, &ts);
	CHECK(pthread_cond_timedwait(&never, &lock, &ts) == ETIMEDOUT);
	pthread_mutex_unlock(&lock);
	CHECK(write(to[1], "x", 1) == 1);
	while (poll(&p, 1, 10000) != 1)
		CHECK(errno == EINTR);
	CHECK(read(back[0], buf, sizeof(buf)) == 2 && buf[1] == 'z');
	ts = (struct timespec){ .tv_nsec = 1000 };
	while (nanosleep(&ts, NULL) < 0)
		CHECK(errno == EINTR);
}

int
main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal,
				.sa_flags = SA_RESTART };
	int rounds = argc > 1 ? atoi(argv[1]) : 20;
	pthread_t t;

	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	CHECK(pipe(to) == 0 && pipe(back) == 0);
	CHECK(pthread_create(&t, NULL, other, NULL) == 0);
	for (int i = 0; i < rounds; i++) {
		CHECK(sched_yield() == 0);
		one_round();
	}
	pthread_mutex_lock(&lock);
	over = 1;
	pthread_cond_broadcast(&turned);
	pthread_mutex_unlock(&lock);
	CHECK(write(to[1], "x", 1) == 1);
	CHECK(pthread_join(t, NULL) == 0);
	CHECK(argc < 3 || came > 0);
	printf("came %d\n", argc > 1 ? (int)came : 0);
	return 0;
}
