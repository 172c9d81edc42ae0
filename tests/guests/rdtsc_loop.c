/* RDTSC and RDTSCP: rising, with SIGSEGV handled, blocked and ignored. */
#include "guest.h"
#include <signal.h>
#include <x86intrin.h>

static volatile int faults;

static void
on_segv(int sig)
{
	faults += sig == SIGSEGV;
}

static int
rising(int n)
{
	unsigned aux;
	uint64_t last = __rdtsc();

	for (int i = 0; i < n; i++) {
		uint64_t now = i & 1 ? __rdtscp(&aux) : __rdtsc();

		if (now < last)
			return 0;
		last = now;
	}
	return 1;
}

int
main(void)
{
	struct sigaction sa = { .sa_handler = on_segv }, old;
	sigset_t set, now;

	printf("plain %d\n", rising(50));
	CHECK(!sigaction(SIGSEGV, &sa, NULL));
	printf("with handler %d, faults %d\n", rising(50), faults);
	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	sigprocmask(SIG_BLOCK, &set, NULL);
	printf("blocked %d\n", rising(50));
	sigprocmask(SIG_BLOCK, NULL, &now);
	CHECK(sigismember(&now, SIGSEGV));
	CHECK(!sigaction(SIGSEGV, NULL, &old) && old.sa_handler == on_segv);
	signal(SIGSEGV, SIG_IGN);
	printf("ignored %d\n", rising(50));
	CHECK(!sigaction(SIGSEGV, NULL, &old) && old.sa_handler == SIG_IGN);
	return 0;
}
