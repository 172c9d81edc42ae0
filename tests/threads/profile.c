#define _GNU_SOURCE
#include <signal.h>
#include <sys/time.h>
#include <ucontext.h>
static volatile unsigned long samples;
static void
sample(int sig, siginfo_t *si, void *uc)
{
	samples +=
		(unsigned long)((ucontext_t *)uc)->uc_mcontext.gregs[REG_RIP];
}
__attribute__((constructor)) static void
profile(void)
{
	struct sigaction sa = { .sa_sigaction = sample,
				.sa_flags = SA_SIGINFO | SA_RESTART };
	struct itimerval it = { { 0, 1000 }, { 0, 1000 } };
	sigaction(SIGPROF, &sa, 0);
	setitimer(ITIMER_PROF, &it, 0);
}
