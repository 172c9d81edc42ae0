/* Signals that reach a computing task at any instruction: of timers and of
 * other processes, queued, nested, on the alternate stack, in the midst of
 * string instructions. What the handlers see must be as it is natively. */
#include "guest.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#define COPY (1u << 20)
#define QUEUED 64
#define KILLS 100

static volatile sig_atomic_t ticks, nested, depth, kills;
static volatile int next_value;
static int wanted_id;
static char alt[65536];
static volatile uint64_t at;
static uint64_t seen;
static int pair[2];

/* ---- timers, in the midst of everything */

static sigset_t
mask_now(void)
{
	sigset_t set;

	CHECK(sigprocmask(SIG_SETMASK, NULL, &set) == 0);
	return set;
}

static void
tick(int sig, siginfo_t *si, void *uc)
{
	const ucontext_t *u = uc;
	sigset_t set = mask_now();
	char here;

	CHECK(sig == SIGALRM && si->si_code == SI_TIMER);
	CHECK(si->si_value.sival_int == wanted_id);
	CHECK(&here >= alt && &here < alt + sizeof(alt));
	CHECK(u->uc_stack.ss_sp == alt);
	CHECK(sigismember(&set, SIGALRM) == 1 &&
	      sigismember(&set, SIGUSR1) == 1);
	CHECK(sigismember(&u->uc_sigmask, SIGALRM) == 0 &&
	      sigismember(&u->uc_sigmask, SIGHUP) == 1);
	seen = seen * 31 + at + (uint64_t)u->uc_mcontext.gregs[REG_RCX];
	ticks++;
}

static timer_t
start_timer(int id, long ns)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
			       .sigev_signo = SIGALRM,
			       .sigev_value.sival_int = id };
	struct itimerspec it = { { 0, ns }, { 0, ns } };
	timer_t t;

	wanted_id = id;
	ticks = 0;
	CHECK(timer_create(CLOCK_MONOTONIC, &ev, &t) == 0);
	CHECK(timer_settime(t, 0, &it, NULL) == 0);
	return t;
}

static void
compute(void)
{
	timer_t t = start_timer(7, 1000000);
	uint64_t h = 1;

	for (at = 0; ticks < 60; at++)
		h = (h ^ at) * 0x100000001b3u;
	CHECK(timer_delete(t) == 0 && h != 0);
	puts("computing");
}

static void
copy(void)
{
	char *from = malloc(COPY), *to = malloc(COPY);
	timer_t t = start_timer(8, 3000000);

	for (unsigned round = 1; ticks < 25; round++) {
		void *d = to, *s = from;
		size_t n = COPY;

		memset(from, (int)round & 0x7f, COPY);
		__asm__ volatile("rep movsb"
				 : "+D"(d), "+S"(s), "+c"(n)
				 :
				 : "memory");
		CHECK(n == 0 && d == to + COPY && s == from + COPY);
		CHECK(memcmp(from, to, COPY) == 0);
	}
	CHECK(timer_delete(t) == 0);
	free(from);
	free(to);
	puts("copying");
}

static void
timers(void)
{
	struct sigaction sa = { .sa_sigaction = tick,
				.sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) };
	sigset_t set;

	sigemptyset(&sa.sa_mask);
	sigaddset(&sa.sa_mask, SIGUSR1);
	CHECK(sigaltstack(&ss, NULL) == 0);
	CHECK(sigaction(SIGALRM, &sa, NULL) == 0);
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	compute();
	copy();
	CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
	CHECK(seen != 0);
}

/* ---- from another process: queued ones keep their order */

static void
queued(int sig, siginfo_t *si, void *uc)
{
	CHECK(sig == SIGRTMIN + 2 && si->si_code == SI_QUEUE && uc != NULL);
	CHECK(si->si_value.sival_int == next_value);
	next_value++;
}

static void
inner(int sig, siginfo_t *si, void *uc)
{
	CHECK(si->si_code == SI_USER && uc != NULL);
	kills++;
	if (depth > 0)
		nested++;
	depth++;
	for (volatile int i = 0; i < 20000; i++)
		at += (uint64_t)sig;
	depth--;
}

static void
sender(pid_t to)
{
	union sigval v;

	for (int i = 0; i < KILLS; i++) {
		if (i < QUEUED) {
			v.sival_int = i;
			CHECK(sigqueue(to, SIGRTMIN + 2, v) == 0);
		}
		CHECK(kill(to, i % 2 ? SIGUSR1 : SIGUSR2) == 0);
		for (volatile int k = 0; k < 30000; k++)
			continue;
	}
	_exit(0);
}

static void
storm(void)
{
	struct sigaction sa = { .sa_sigaction = queued,
				.sa_flags = SA_SIGINFO };
	pid_t me = getpid(), pid;
	uint64_t h = 1;

	CHECK(sigaction(SIGRTMIN + 2, &sa, NULL) == 0);
	sa.sa_sigaction = inner;
	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	CHECK(sigaction(SIGUSR2, &sa, NULL) == 0);
	pid = fork();
	if (pid == 0)
		sender(me);
	while (next_value < QUEUED)
		h = (h ^ at) * 0x100000001b3u;
	CHECK(reap(pid) == 0);
	CHECK(h != 0 && kills > 0 && kills <= KILLS && depth == 0);
	puts("storm");
}

/* ---- faster than handlers that are watched: it must get on all the same */

static void
count_tick(int sig)
{
	CHECK(sig == SIGALRM);
	ticks++;
}

static void
fast(void)
{
	struct itimerval it = { { 0, 50 }, { 0, 50 } };
	uint64_t h = 1;

	signal(SIGALRM, count_tick);
	ticks = 0;
	CHECK(setitimer(ITIMER_REAL, &it, NULL) == 0);
	for (uint64_t i = 0; i < 3000000; i++)
		h = (h ^ i) * 0x100000001b3u;
	for (int i = 0; i < 3; i++)
		CHECK(getppid() > 0);
	memset(&it, 0, sizeof(it));
	CHECK(setitimer(ITIMER_REAL, &it, NULL) == 0);
	CHECK(h != 0 && ticks > 0);
	puts("fast");
}

/* ---- what the kernel says of children and descriptors */

static volatile sig_atomic_t told;
static volatile pid_t born;

static void
child_ended(int sig, siginfo_t *si, void *uc)
{
	CHECK(sig == SIGCHLD && si->si_code == CLD_EXITED && uc != NULL);
	CHECK(si->si_pid == born && si->si_status == 40 + told);
	told++;
}

static void
can_read(int sig, siginfo_t *si, void *uc)
{
	CHECK(sig == SIGRTMIN + 5 && si->si_code == POLL_IN && uc != NULL);
	CHECK(si->si_fd == pair[0] && (si->si_band & POLLIN));
	told++;
}

static void
wait_computing(int until)
{
	uint64_t h = 1;

	while (told < until)
		h = (h ^ at) * 0x100000001b3u;
	CHECK(h != 0);
}

static void
tales(void)
{
	struct sigaction sa = { .sa_sigaction = child_ended,
				.sa_flags = SA_SIGINFO };
	char c;

	CHECK(sigaction(SIGCHLD, &sa, NULL) == 0);
	for (int i = 0; i < 5; i++) {
		/* Its end is heard of when its number is known. */
		int fd[2];

		CHECK(pipe(fd) == 0);
		born = fork();
		if (born == 0) {
			CHECK(read(fd[0], &c, 1) == 1);
			_exit(40 + i);
		}
		CHECK(write(fd[1], "", 1) == 1);
		wait_computing(i + 1);
		CHECK(reap(born) == 40 + i);
		close(fd[0]);
		close(fd[1]);
	}
	signal(SIGCHLD, SIG_DFL);
	told = 0;
	sa.sa_sigaction = can_read;
	CHECK(sigaction(SIGRTMIN + 5, &sa, NULL) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
	CHECK(fcntl(pair[0], F_SETSIG, SIGRTMIN + 5) == 0);
	CHECK(fcntl(pair[0], F_SETOWN, getpid()) == 0);
	CHECK(fcntl(pair[0], F_SETFL, O_ASYNC) == 0);
	born = fork();
	if (born == 0) {
		for (volatile int k = 0; k < 300000; k++)
			continue;
		_exit(write(pair[1], "x", 1) == 1 ? 0 : 1);
	}
	wait_computing(1);
	CHECK(read(pair[0], &c, 1) == 1 && c == 'x');
	CHECK(reap(born) == 0);
	puts("tales");
}

/* ---- ignored and blocked ones leave no trace */

static void
unseen(void)
{
	struct sigaction sa = { .sa_handler = SIG_IGN };
	timer_t t;
	sigset_t set;
	uint64_t h = 1;

	CHECK(sigaction(SIGALRM, &sa, NULL) == 0);
	t = start_timer(9, 500000);
	for (uint64_t i = 0; i < 20000000; i++)
		h = (h ^ i) * 0x100000001b3u;
	CHECK(timer_delete(t) == 0 && h != 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	kills = 0;
	CHECK(kill(getpid(), SIGUSR1) == 0);
	for (uint64_t i = 0; i < 5000000; i++)
		h = (h ^ i) * 0x100000001b3u;
	CHECK(kills == 0 && h != 0);
	CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
	CHECK(kills == 1);
	puts("unseen");
}

int
main(void)
{
	timers();
	storm();
	fast();
	tales();
	unseen();
	return 0;
}
