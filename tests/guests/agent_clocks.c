/* Clocks in every form, hundreds of times, so that most are the agent's: those
 * that the vdso knows, those that it leaves to the kernel, and addresses that
 * are none. Time never goes back, whoever tells it. */
#include "guest.h"
#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#define TIMES 300

static const clockid_t clocks[] = {
	CLOCK_REALTIME,
	CLOCK_MONOTONIC,
	CLOCK_MONOTONIC_RAW,
	CLOCK_REALTIME_COARSE,
	CLOCK_MONOTONIC_COARSE,
	CLOCK_BOOTTIME,
	CLOCK_TAI,
	CLOCK_PROCESS_CPUTIME_ID,
	CLOCK_THREAD_CPUTIME_ID,
};

#define NCLOCKS (sizeof(clocks) / sizeof(clocks[0]))

static int
is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec ||
	       (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

static void
all_clocks(struct timespec last[NCLOCKS], struct timespec *page)
{
	for (size_t i = 0; i < NCLOCKS; i++) {
		CHECK(!clock_gettime(clocks[i], page));
		CHECK(page->tv_nsec >= 0 && page->tv_nsec < 1000000000);
		CHECK(!is_before(page, &last[i]));
		last[i] = *page;
	}
}

/* By turns through the agent's clocks and the kernel's. */
static void
both_ways(void)
{
	struct timespec a, b;

	CHECK(!clock_gettime(CLOCK_MONOTONIC, &a));
	CHECK(!sched_yield()); /* always traps */
	CHECK(!clock_gettime(CLOCK_MONOTONIC, &b));
	CHECK(!is_before(&b, &a));
}

static void
refused(char *page, char *hole)
{
	struct timeval *half = (struct timeval *)(hole - 8);
	struct timespec ts = { 1, 2 };

	errno = 0;
	CHECK(clock_gettime(77, &ts) < 0 && errno == EINVAL);
	CHECK(ts.tv_sec == 1 && ts.tv_nsec == 2);
	CHECK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, hole) < 0 &&
	      errno == EFAULT);
	CHECK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, NULL) < 0 &&
	      errno == EFAULT);
	CHECK(syscall(SYS_gettimeofday, half, NULL) < 0 && errno == EFAULT);
	CHECK(syscall(SYS_time, hole) < 0 && errno == EFAULT);
	CHECK(!mprotect(page, 4096, PROT_READ));
	CHECK(syscall(SYS_clock_gettime, CLOCK_REALTIME, page) < 0 &&
	      errno == EFAULT);
	CHECK(!mprotect(page, 4096, PROT_READ | PROT_WRITE));
}

int
main(void)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct timespec last[NCLOCKS] = { 0 }, res;
	struct timezone zone;
	struct timeval tv;
	unsigned cpu, node;
	time_t t;

	CHECK(page != MAP_FAILED && !munmap(page + 4096, 4096));
	for (int i = 0; i < TIMES; i++) {
		all_clocks(last, (struct timespec *)(page + 4096 - 16));
		CHECK(!gettimeofday(&tv, NULL));
		CHECK(!syscall(SYS_gettimeofday, &tv, &zone));
		CHECK(!syscall(SYS_gettimeofday, NULL, NULL));
		CHECK(tv.tv_usec >= 0 && tv.tv_usec < 1000000);
		CHECK(time(&t) == t && time(NULL) >= t);
		CHECK(t >= tv.tv_sec - 1);
		CHECK(!clock_getres(CLOCK_MONOTONIC, &res));
		CHECK(!syscall(SYS_getcpu, &cpu, &node, NULL));
		CHECK(cpu < 8192 && node < 1024);
		CHECK(!syscall(SYS_getcpu, NULL, NULL, NULL));
		if (i % 50 == 0) {
			both_ways();
			refused(page, page + 4096);
		}
	}
	printf("no clock went back\n");
	return 0;
}
