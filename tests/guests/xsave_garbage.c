/* XINUSE as the program can see it, around signals and calls. */
#include "guest.h"
#include <cpuid.h>
#include <sched.h>
#include <signal.h>

static uint32_t seen[64];
static int n;

static uint32_t
xinuse(void)
{
	uint32_t a, d;

	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(1));
	return a;
}

static void
handler(int sig)
{
	seen[n++] = xinuse();
}

int
main(void)
{
	unsigned a = 0, b, c, d;

	__cpuid_count(0xd, 1, a, b, c, d);
	if (!(a & 4)) {
		printf("done\n");
		return 0;
	}
	signal(SIGUSR1, handler);
	for (int i = 0; i < 8; i++) {
		seen[n++] = xinuse();
		raise(SIGUSR1);
		sched_yield();
		seen[n++] = xinuse();
	}
	printf("done\n");
	return 0;
}
