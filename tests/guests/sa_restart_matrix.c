/* Blocking calls interrupted by a signal, with and without SA_RESTART, and by
 * one that is ignored. */
#include "guest.h"
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>

static int p[2], fires;

static void
alarm_handler(int sig)
{
	/* the second tick feeds the restarted read */
	if (++fires == 2)
		CHECK(write(p[1], "x", 1) == 1);
}

int
main(void)
{
	struct itimerval it = { .it_value.tv_usec = 15000, .it_interval.tv_usec = 15000 };
	struct itimerval off = { 0 };
	struct sigaction sa = { .sa_handler = alarm_handler };
	char c;
	long r;

	CHECK(!pipe(p));
	for (int restart = 0; restart < 2; restart++) {
		sa.sa_flags = restart ? SA_RESTART : 0;
		CHECK(!sigaction(SIGALRM, &sa, NULL));
		fires = 0;
		CHECK(!setitimer(ITIMER_REAL, &it, NULL));
		r = read(p[0], &c, 1);
		printf("restart %d: %s\n", restart, r == 1 ? "data" : strerror(errno));
		CHECK(!setitimer(ITIMER_REAL, &off, NULL));
		fires = 100;
		CHECK(restart || waitpid(-1, NULL, 0) == -1);
	}
	/* an ignored signal does not disturb */
	signal(SIGALRM, SIG_IGN);
	CHECK(!setitimer(ITIMER_REAL, &it, NULL));
	if (!fork()) {
		usleep(60000);
		_exit(write(p[1], "y", 1) != 1);
	}
	r = read(p[0], &c, 1);
	printf("ignored: %s %c\n", r == 1 ? "data" : strerror(errno), c);
	CHECK(wait(NULL) > 0);
	return 0;
}
