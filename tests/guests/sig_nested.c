/* Nested handlers, alternate stacks, jumps out, one-shot handlers. */
#include "guest.h"
#include <setjmp.h>
#include <signal.h>

static sigjmp_buf out;
static int depth, deepest;

static void
nested(int sig, siginfo_t *si, void *uc)
{
	if (++depth > deepest)
		deepest = depth;
	if (sig == SIGUSR1 && depth < 5)
		raise(SIGUSR1);
	if (sig == SIGUSR2)
		siglongjmp(out, 1);
	depth--;
}

int
main(void)
{
	static char alt[32768];
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt), .ss_flags = (int)(1u << 31) }, now;
	struct sigaction sa = { .sa_sigaction = nested, .sa_flags = SA_SIGINFO | SA_NODEFER };
	struct sigaction one = { .sa_sigaction = nested, .sa_flags = (int)(SA_SIGINFO | SA_RESETHAND) };
	struct sigaction got;

	CHECK(!sigaction(SIGUSR1, &sa, NULL));
	raise(SIGUSR1);
	printf("depth %d\n", deepest);
	CHECK(!sigaltstack(&ss, NULL));
	sa.sa_flags |= SA_ONSTACK;
	CHECK(!sigaction(SIGUSR2, &sa, NULL));
	for (int i = 0; i < 5; i++)
		if (!sigsetjmp(out, 1))
			raise(SIGUSR2);
	CHECK(!sigaltstack(NULL, &now));
	printf("altstack flags after the jump %x\n", (unsigned)now.ss_flags & 0x7fffffffu);
	CHECK(!sigaction(SIGHUP, &one, NULL));
	depth = 0;
	raise(SIGHUP);
	CHECK(!sigaction(SIGHUP, NULL, &got));
	printf("one-shot reset %d\n", got.sa_handler == SIG_DFL);
	return 0;
}
