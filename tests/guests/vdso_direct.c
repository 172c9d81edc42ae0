/* Time by every way there is: libc, the raw call, the vsyscall page. The vdso
 * is hidden, so getauxval finds none, and clocks still work. */
#include "guest.h"
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sched.h>
#include <time.h>

int
main(void)
{
	struct timespec a, b;
	struct timeval tv;
	time_t (*vtime)(time_t *) = (void *)0xffffffffff600400ul;
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512];
	int vsyscall = 0;
	time_t t;

	while (fgets(line, sizeof(line), f))
		vsyscall |= !!strstr(line, "[vsyscall]");
	fclose(f);
	CHECK(!clock_gettime(CLOCK_MONOTONIC, &a));
	CHECK(!syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &b));
	CHECK(b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec));
	CHECK(!gettimeofday(&tv, NULL));
	t = time(NULL);
	/* time() is that of the last tick, which may be in the second before */
	CHECK(t >= tv.tv_sec - 1 && t - tv.tv_sec < 100);
	if (vsyscall) {
		time_t v = vtime(NULL);

		CHECK(v >= t && v - t < 100);
	}
	CHECK(sched_getcpu() >= 0);
	printf("time is consistent\n");
	return 0;
}
