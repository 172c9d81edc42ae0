/* Signals with a handler, one without. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile int handled, last;

static void
handler(int signo)
{
	handled++;
	last = signo;
}

int
main(void)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = handler;
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGALRM, &sa, NULL);
	raise(SIGUSR1);
	last = 0;
	raise(SIGALRM);
	last = 0;
	raise(SIGUSR1);
	raise(SIGTERM);
	return 0;
}
