/* The whole signal frame, hashed into memory: registers, extended state. */
#include "guest.h"
#include <signal.h>
#include <ucontext.h>

static uint64_t hashes[32];
static int n;

static void
dump(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;

	hashes[n++] = fnv(0, uc, sizeof(*uc));
	hashes[n++] = fnv(0, si, sizeof(*si));
	if (uc->uc_mcontext.fpregs)
		hashes[n++] = fnv(0, uc->uc_mcontext.fpregs, 512);
	uc->uc_mcontext.gregs[REG_R15] ^= 0; /* goes back through sigreturn */
}

int
main(void)
{
	struct sigaction sa = { .sa_sigaction = dump, .sa_flags = SA_SIGINFO };
	volatile double x = 1.5;

	CHECK(!sigaction(SIGUSR1, &sa, NULL));
	for (int i = 0; i < 4; i++) {
		x = x * 1.25 + i;
		raise(SIGUSR1);
		CHECK(x > 1);
		CHECK(!sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = i }));
	}
	printf("%d hashes\n", n);
	return 0;
}
