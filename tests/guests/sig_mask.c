/* All signals blocked; the mask reads back as it was set. */
#include "guest.h"
#include <signal.h>
#include <sys/syscall.h>

int
main(void)
{
	uint64_t all = ~0ull, got = 0;

	CHECK(!syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8));
	CHECK(!syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &got, 8));
	printf("mask %016lx\n", got);
	CHECK(!kill(getpid(), SIGTERM) && !kill(getpid(), SIGUSR1));
	CHECK(!syscall(SYS_rt_sigpending, &got, 8));
	printf("pending %016lx\n", got);
	fflush(stdout);
	return 0;
}
