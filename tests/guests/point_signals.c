/*
 * Signals in the midst of computing: point_signals [SIGNALS]. A timer every
 * millisecond, one of CPU time, and one that the process sends itself; the
 * handlers compute, and may be interrupted themselves.
 */
#include "guest.h"
#include <signal.h>
#include <sys/time.h>
#include <time.h>

static volatile sig_atomic_t seen[3];
static volatile unsigned long work, handled;

static void
on_signal(int signo)
{
	for (int i = 0; i < 500; i++)
		handled = handled * 5 + (unsigned)signo;
	seen[signo == SIGALRM ? 0 : signo == SIGPROF ? 1 : 2]++;
}

int
main(int argc, char **argv)
{
	int want = argc > 1 ? atoi(argv[1]) : 10;
	struct sigaction sa = { .sa_handler = on_signal };
	struct itimerval real = { { 0, 1000 }, { 0, 1000 } };
	struct itimerval prof = { { 0, 4000 }, { 0, 4000 } }, off = { 0 };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
			       .sigev_signo = SIGRTMIN };
	struct itimerspec its = { { 0, 1700000 }, { 0, 1700000 } };
	unsigned long n = 0, local = 1;
	timer_t timer;

	CHECK(sigaction(SIGALRM, &sa, NULL) == 0);
	CHECK(sigaction(SIGPROF, &sa, NULL) == 0);
	CHECK(sigaction(SIGRTMIN, &sa, NULL) == 0);
	CHECK(timer_create(CLOCK_MONOTONIC, &ev, &timer) == 0);
	CHECK(setitimer(ITIMER_REAL, &real, NULL) == 0);
	CHECK(setitimer(ITIMER_PROF, &prof, NULL) == 0);
	CHECK(timer_settime(timer, 0, &its, NULL) == 0);
	while (seen[0] + seen[1] + seen[2] < want || seen[0] == 0) {
		local = local * 6364136223846793005u + n++;
		work += local >> 60;
	}
	CHECK(setitimer(ITIMER_REAL, &off, NULL) == 0);
	CHECK(setitimer(ITIMER_PROF, &off, NULL) == 0);
	CHECK(timer_delete(timer) == 0);
	CHECK(seen[0] + seen[1] + seen[2] >= want);
	printf("signals came\n");
	return 0;
}
