/* Timeouts that the kernel rewrites, with and without interruption. */
#include "guest.h"
#include <poll.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

static void
tick(int sig)
{
}

int
main(void)
{
	struct itimerval it = { .it_value.tv_usec = 20000 };
	struct sigaction sa = { .sa_handler = tick };
	struct timeval tv = { 10, 0 };
	struct timespec ts = { 10, 0 };
	int p[2];
	fd_set r;

	CHECK(!pipe(p) && !sigaction(SIGALRM, &sa, NULL));
	FD_ZERO(&r);
	FD_SET(p[0], &r);
	CHECK(!setitimer(ITIMER_REAL, &it, NULL));
	CHECK(select(p[0] + 1, &r, NULL, NULL, &tv) == -1 && errno == EINTR);
	CHECK(tv.tv_sec == 9);
	CHECK(!setitimer(ITIMER_REAL, &it, NULL));
	CHECK(syscall(SYS_ppoll, NULL, 0, &ts, NULL, 8) == -1 && errno == EINTR);
	CHECK(ts.tv_sec == 9);
	CHECK(write(p[1], "x", 1) == 1);
	tv = (struct timeval){ 5, 0 };
	FD_ZERO(&r);
	FD_SET(p[0], &r);
	CHECK(select(p[0] + 1, &r, NULL, NULL, &tv) == 1 && FD_ISSET(p[0], &r));
	CHECK(poll(NULL, 0, 5) == 0);
	printf("timeouts rewritten\n");
	return 0;
}
