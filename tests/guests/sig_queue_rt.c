/* Queued real-time signals keep their order, standard ones coalesce;
 * sigtimedwait and signalfd take them without handlers. */
#include "guest.h"
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>

static int order[16], n;

static void
note(int sig, siginfo_t *si, void *uc)
{
	order[n++] = si->si_value.sival_int;
}

static void *
waiter(void *set)
{
	siginfo_t si;

	CHECK(sigwaitinfo(set, &si) == SIGRTMIN + 2);
	return (void *)(intptr_t)si.si_value.sival_int;
}

int
main(void)
{
	struct sigaction sa = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };
	struct timespec none = { 0, 1000000 };
	sigset_t rt, two;
	siginfo_t si;
	pthread_t t;
	void *got;

	sigemptyset(&rt);
	sigaddset(&rt, SIGRTMIN);
	sigaddset(&rt, SIGRTMIN + 1);
	sigaddset(&rt, SIGUSR1);
	CHECK(!sigaction(SIGRTMIN, &sa, NULL) && !sigaction(SIGRTMIN + 1, &sa, NULL) &&
	      !sigaction(SIGUSR1, &sa, NULL));
	sigprocmask(SIG_BLOCK, &rt, NULL);
	for (int i = 0; i < 4; i++) {
		CHECK(!sigqueue(getpid(), SIGRTMIN + 1 - i % 2, (union sigval){ .sival_int = i }));
		CHECK(!sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 100 + i }));
	}
	sigprocmask(SIG_UNBLOCK, &rt, NULL);
	for (int i = 0; i < n; i++)
		printf("%d ", order[i]);
	printf("\n");
	sigemptyset(&two);
	sigaddset(&two, SIGRTMIN + 2);
	pthread_sigmask(SIG_BLOCK, &two, NULL);
	CHECK(sigtimedwait(&two, &si, &none) == -1 && errno == EAGAIN);
	CHECK(!pthread_create(&t, NULL, waiter, &two));
	CHECK(!pthread_sigqueue(t, SIGRTMIN + 2, (union sigval){ .sival_int = 77 }));
	CHECK(!pthread_join(t, &got));
	printf("waiter got %d\n", (int)(intptr_t)got);
	return 0;
}
