/* Uninitialised stack and extended state: what a program finds there must be
 * the same in replay. The hashes go to memory, which the memory check sees. */
#include "guest.h"
#include <math.h>
#include <signal.h>
#include <sys/syscall.h>

static uint64_t found[64];
static int n_found;

__attribute__((noinline)) static void look(void);

/* reading what was never written is the point */
#pragma GCC diagnostic ignored "-Wuninitialized"
static void
look(void)
{
	volatile unsigned char junk[3000];
	uint64_t h = 0;

	for (unsigned i = 0; i < sizeof(junk); i++)
		h = h * 31 + junk[i];
	found[n_found++] = h;
}

__attribute__((noinline)) static double
deep(int n, double x)
{
	char pad[256];

	snprintf(pad, sizeof(pad), "%d %f", n, x);
	return n ? deep(n - 1, sin(x) + pad[0]) : x;
}

static void
handler(int sig)
{
	look();
}

int
main(void)
{
	struct sigaction sa = { .sa_handler = handler };

	CHECK(!sigaction(SIGUSR1, &sa, NULL));
	for (int i = 0; i < 10; i++) {
		deep(20, i);
		look();
		syscall(SYS_getppid);
		look();
		raise(SIGUSR1);
		look();
		usleep(1);
		look();
	}
	printf("%d looks\n", n_found);
	return 0;
}
