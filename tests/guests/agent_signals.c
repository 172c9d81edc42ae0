/*
 * Signals that come while short calls follow each other, and a handler that
 * makes the call that it interrupted: its frame leads back to bytes that may be
 * patched by then.
 */
#include "guest.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/time.h>

static int zero, wake[2];
static volatile sig_atomic_t ticks, came;

static void
on_tick(int signo)
{
	char c = 1;

	CHECK(signo == SIGALRM);
	CHECK(getppid() > 0);
	CHECK(read(zero, &c, 1) == 1 && c == 0);
	ticks++;
}

/* The read that it interrupts is to begin again afterwards. */
static void
on_wake(int signo)
{
	char c = 1;

	(void)signo;
	for (int i = 0; i < 20; i++)
		CHECK(read(zero, &c, 1) == 1 && c == 0);
	came++;
	CHECK(write(wake[1], "x", 1) == 1);
}

static void
restarted(void)
{
	struct sigaction sa = { .sa_handler = on_wake, .sa_flags = SA_RESTART };
	struct itimerval once = { .it_value = { .tv_usec = 20000 } };
	char c = 0;

	CHECK(pipe(wake) == 0);
	CHECK(sigaction(SIGALRM, &sa, NULL) == 0);
	CHECK(setitimer(ITIMER_REAL, &once, NULL) == 0);
	CHECK(read(wake[0], &c, 1) == 1);
	CHECK(c == 'x' && came == 1);
}

int
main(void)
{
	struct sigaction sa = { .sa_handler = on_tick };
	struct itimerval often = { .it_value = { .tv_usec = 100 },
				   .it_interval = { .tv_usec = 100 } };
	struct itimerval off = { 0 };
	pid_t parent = getppid();
	uint64_t sum = 0;
	char buf[16];

	zero = open("/dev/zero", O_RDONLY);
	CHECK(zero >= 0);
	restarted();
	CHECK(sigaction(SIGALRM, &sa, NULL) == 0);
	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
	for (int i = 0; ticks < 100; i++) {
		memset(buf, 7, sizeof(buf));
		CHECK(read(zero, buf, sizeof(buf)) == sizeof(buf));
		sum = fnv(sum, buf, sizeof(buf));
		CHECK(getppid() == parent);
		sum = 0;
	}
	CHECK(setitimer(ITIMER_REAL, &off, NULL) == 0);
	puts("ticks came");
	return 0;
}
