/* A timer's signals reach a tight loop without any call: the handlers run in
 * the midst of it, and see how far it has come. */
#include "guest.h"
#include <signal.h>
#include <sys/time.h>

#define TICKS 10

static volatile sig_atomic_t ticks;
static volatile uint64_t at;
static uint64_t seen;

static void
tick(int sig, siginfo_t *si, void *uc)
{
	CHECK(sig == SIGALRM && si->si_code == SI_KERNEL && uc != NULL);
	seen = seen * 31 + at;
	ticks++;
}

int
main(void)
{
	struct sigaction sa = { .sa_sigaction = tick, .sa_flags = SA_SIGINFO };
	struct itimerval it = { { 0, 30000 }, { 0, 30000 } };
	uint64_t h = 1;

	CHECK(sigaction(SIGALRM, &sa, NULL) == 0);
	CHECK(setitimer(ITIMER_REAL, &it, NULL) == 0);
	for (at = 0; ticks < TICKS; at++)
		h = (h ^ at) * 0x100000001b3u;
	memset(&it, 0, sizeof(it));
	CHECK(setitimer(ITIMER_REAL, &it, NULL) == 0);
	CHECK(h != 0 && seen != 0 && ticks >= TICKS);
	/* What they saw, for the comparison with the replay's memory. */
	printf("%d ticks\n", TICKS);
	return 0;
}
