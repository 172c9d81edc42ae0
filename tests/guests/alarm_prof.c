/* Timers that fire into computing code: the count of ticks is not compared,
 * only that they come. */
#include "guest.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

static volatile sig_atomic_t ticks, thread_ticks;

static void
tick(int sig)
{
	ticks++;
}

static void
timer_thread(union sigval v)
{
	thread_ticks++;
}

int
main(void)
{
	struct itimerval it = { { 0, 3000 }, { 0, 3000 } }, off = { 0 };
	struct sigevent se = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = timer_thread };
	struct itimerspec ts = { { 0, 2000000 }, { 0, 2000000 } };
	timer_t t;

	signal(SIGALRM, tick);
	CHECK(!setitimer(ITIMER_REAL, &it, NULL));
	while (ticks < 5)
		getppid(); /* signals come at calls */
	CHECK(!setitimer(ITIMER_REAL, &off, NULL));
	CHECK(!timer_create(CLOCK_MONOTONIC, &se, &t) && !timer_settime(t, 0, &ts, NULL));
	while (thread_ticks < 3)
		usleep(1000);
	CHECK(!timer_delete(t));
	printf("ticks came\n");
	return 0;
}
