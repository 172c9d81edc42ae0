/* Profilers: timers that count CPU time of a thread or process, and the clock,
 * a thousand times a second, in threads that compute and make calls. */
#include "guest.h"
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define TICKS 30

static volatile int total; /* of all threads */
static __thread volatile sig_atomic_t mine;
static uint64_t pcs[256];

static void
sample(int sig, siginfo_t *si, void *uc)
{
	const ucontext_t *u = uc;

	CHECK(sig == SIGPROF && si->si_signo == SIGPROF);
	pcs[__atomic_fetch_add(&total, 1, __ATOMIC_RELAXED) % 256] =
		(uint64_t)u->uc_mcontext.gregs[REG_RIP];
	mine++;
}

static uint64_t
work(uint64_t h)
{
	for (int i = 0; i < 50000; i++)
		h = (h ^ (uint64_t)i) * 0x100000001b3u;
	return h;
}

static void *
thread(void *arg)
{
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID,
			       .sigev_signo = SIGPROF };
	struct itimerspec it = { { 0, 1000000 }, { 0, 1000000 } };
	uint64_t h = 1;
	timer_t t;

	ev.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
	CHECK(timer_create(CLOCK_THREAD_CPUTIME_ID, &ev, &t) == 0);
	CHECK(timer_settime(t, 0, &it, NULL) == 0);
	while (mine < TICKS) {
		h = work(h);
		if (arg != NULL)
			getppid();
	}
	CHECK(timer_delete(t) == 0 && h != 0);
	return NULL;
}

int
main(void)
{
	struct sigaction sa = { .sa_sigaction = sample,
				.sa_flags = SA_SIGINFO | SA_RESTART };
	struct itimerval it = { { 0, 1000 }, { 0, 1000 } };
	pthread_t t[2];
	uint64_t h = 1;

	CHECK(sigaction(SIGPROF, &sa, NULL) == 0);
	CHECK(setitimer(ITIMER_PROF, &it, NULL) == 0);
	while (total < TICKS)
		h = work(h);
	memset(&it, 0, sizeof(it));
	CHECK(setitimer(ITIMER_PROF, &it, NULL) == 0);
	puts("process");
	CHECK(pthread_create(&t[0], NULL, thread, NULL) == 0);
	CHECK(pthread_create(&t[1], NULL, thread, &h) == 0);
	for (int i = 0; i < 2; i++)
		CHECK(pthread_join(t[i], NULL) == 0);
	CHECK(total >= 3 * TICKS && pcs[0] != 0);
	puts("threads");
	return 0;
}
