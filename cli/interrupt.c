#include "cli/interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <sys/time.h>
#include <unistd.h>

#include "store/query.h"

#define GRACE_US 500000

/* Signal handlers reach nothing but static data. */
static volatile sig_atomic_t signo;
static struct db *volatile busy;

static void
die_of(int sig)
{
	sigset_t set;

	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	kill(getpid(), sig);
}

static void
on_signal(int sig)
{
	struct itimerval grace = { .it_value = { .tv_usec = GRACE_US } };

	if (sig == SIGALRM)
		sig = signo;
	else if (signo == 0) {
		signo = sig;
		setitimer(ITIMER_REAL, &grace, NULL);
		if (busy)
			query_cancel(busy);
		return;
	}
	die_of(sig);
}

void
interrupt_catch(struct db *db)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGALRM };
	struct sigaction sa = { .sa_handler = on_signal };
	struct sigaction old;

	busy = db;
	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		sigaction(signals[i], NULL, &old);
		if (old.sa_handler != SIG_IGN || signals[i] == SIGALRM)
			sigaction(signals[i], &sa, NULL);
	}
}

bool
interrupted(void)
{
	return signo != 0;
}

void
interrupt_die(void)
{
	if (signo != 0)
		die_of(signo);
}
