/* Signals from another process that arrive in computation: each handler must
 * run, at a place that can be found again. */
#include "guest.h"
#include <signal.h>

#define ROUNDS 20

static volatile sig_atomic_t seen;
static volatile unsigned long sum;

static void
count(int sig, siginfo_t *si, void *uc)
{
	CHECK(si->si_signo == sig && si->si_code == SI_USER &&
	      si->si_pid == getppid() && uc != NULL);
	seen++;
}

static void
compute(void)
{
	struct sigaction sa = { .sa_sigaction = count, .sa_flags = SA_SIGINFO };
	int done;

	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	CHECK(write(1, "", 0) == 0);
	CHECK(kill(getppid(), SIGUSR2) == 0);
	for (done = 0; done < ROUNDS;) {
		for (int i = 0; i < 200000; i++)
			sum += (unsigned long)i * i;
		getppid();
		if (seen > done) {
			done = seen;
			CHECK(kill(getppid(), SIGUSR2) == 0);
		}
	}
	_exit(0);
}

int
main(void)
{
	sigset_t set;
	pid_t pid;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	pid = fork();
	if (pid == 0)
		compute();
	for (int i = 0; i < ROUNDS; i++) {
		CHECK(sigwait(&set, &sig) == 0 && sig == SIGUSR2);
		usleep(300);
		CHECK(kill(pid, SIGUSR1) == 0);
	}
	CHECK(reap(pid) == 0);
	puts("20 signals");
	return 0;
}
