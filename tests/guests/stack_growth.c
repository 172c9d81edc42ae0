/* The stack grows to its limit; the overflow is handled on another stack. */
#include "guest.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/resource.h>

static sigjmp_buf back;
static volatile long depth;

static void
overflow(int sig, siginfo_t *si, void *uc)
{
	siglongjmp(back, 1);
}

__attribute__((noinline)) static int
recurse(int n)
{
	volatile char pad[4000];

	pad[0] = (char)n;
	depth++;
	return n ? recurse(n - 1) + pad[0] : 0;
}

int
main(void)
{
	static char alt[65536];
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) };
	struct sigaction sa = { .sa_sigaction = overflow, .sa_flags = SA_ONSTACK | SA_SIGINFO };
	volatile char big[300000];

	for (size_t i = 0; i < sizeof(big); i += 100)
		big[i] = (char)i;
	CHECK(big[200] == (char)200);
	recurse(200);
	CHECK(!sigaltstack(&ss, NULL) && !sigaction(SIGSEGV, &sa, NULL));
	depth = 0;
	if (!sigsetjmp(back, 1))
		recurse(1 << 20);
	printf("overflow caught %d\n", depth > 100);
	return 0;
}
