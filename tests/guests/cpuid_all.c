/* CPUID leaves are constant: across calls, fork and exec. */
#include "guest.h"
#include <cpuid.h>
#include <sched.h>

static uint64_t
leaves(void)
{
	uint64_t h = 0;
	unsigned r[4];
	unsigned max = __get_cpuid_max(0, NULL);

	for (unsigned l = 0; l <= max && l < 0x20; l++) {
		__cpuid_count(l, 0, r[0], r[1], r[2], r[3]);
		h = fnv(h, r, sizeof(r));
	}
	return h;
}

int
main(int argc, char **argv)
{
	unsigned a, b, c, d;
	cpu_set_t one;
	uint64_t h;
	char text[32];
	pid_t pid;

	/* the APIC id is in the leaves: natively they hold on one CPU only */
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	h = leaves();
	if (argc > 1)
		return strtoull(argv[1], NULL, 16) == h ? 0 : 1;
	for (int i = 0; i < 20; i++)
		CHECK(leaves() == h);
	__cpuid(1, a, b, c, d);
	printf("sse2 %d\n", !!(d & bit_SSE2));
	pid = fork();
	if (!pid)
		_exit(leaves() == h ? 0 : 1);
	printf("fork %d\n", reap(pid));
	snprintf(text, sizeof(text), "%lx", h);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		execl("/proc/self/exe", "cpuid_all", text, NULL);
		_exit(9);
	}
	printf("exec %d\n", reap(pid));
	return 0;
}
