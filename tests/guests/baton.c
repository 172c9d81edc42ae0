/*
 * Threads that hand over to each other all the time, and what may come
 * meanwhile: time that runs out, handlers that restart the call and that do
 * not, a stop, threads that come and go, a fork, the end of the process while
 * one has the turn and others wait. The order of the turns goes to memory.
 */
#include "guest.h"
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#define PLAYERS 4

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static unsigned char order[65536];
static unsigned turns, turn, last_turn;
static volatile sig_atomic_t came;
static unsigned timeouts;

static void
on_signal(int signo)
{
	(void)signo;
	came++;
}

static void *
play(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;

	pthread_mutex_lock(&lock);
	while (turns < last_turn) {
		while (turn != me && turns < last_turn)
			pthread_cond_wait(&turned, &lock);
		order[turns++ % sizeof(order)] = (unsigned char)me;
		turn = (me + 1) % PLAYERS;
		pthread_cond_broadcast(&turned);
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void
game(pthread_t t[PLAYERS], unsigned n)
{
	last_turn = turns + n;
	for (unsigned i = 0; i < PLAYERS; i++)
		CHECK(pthread_create(&t[i], NULL, play, (void *)(uintptr_t)i) ==
		      0);
}

static void
join_all(pthread_t t[PLAYERS])
{
	for (unsigned i = 0; i < PLAYERS; i++)
		CHECK(pthread_join(t[i], NULL) == 0);
}

/* Wakes up by itself, among the players. */
static void *
time_out(void *arg)
{
	struct timespec at;

	(void)arg;
	pthread_mutex_lock(&lock);
	for (int i = 0; i < 20; i++) {
		clock_gettime(CLOCK_REALTIME, &at);
		at.tv_nsec += 200000;
		if (at.tv_nsec >= 1000000000) {
			at.tv_nsec -= 1000000000;
			at.tv_sec++;
		}
		CHECK(pthread_cond_timedwait(&never, &lock, &at) == ETIMEDOUT);
		timeouts++;
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void *
brief(void *arg)
{
	pthread_mutex_lock(&lock);
	(*(unsigned *)arg)++;
	pthread_mutex_unlock(&lock);
	return arg;
}

/* Threads that come, take the lock and go, while the others play. */
static void
come_and_go(void)
{
	pthread_t t[PLAYERS], other;
	unsigned seen = 0;

	game(t, 400);
	for (int i = 0; i < 30; i++) {
		CHECK(pthread_create(&other, NULL, brief, &seen) == 0);
		CHECK(pthread_join(other, NULL) == 0);
	}
	join_all(t);
	CHECK(seen == 30);
}

static void
signals(int flags)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = flags };
	pthread_t t[PLAYERS];

	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	game(t, 2000);
	for (int i = 0; i < 40; i++) {
		pthread_mutex_lock(&lock);
		if (turns < last_turn)
			pthread_kill(t[i % PLAYERS], SIGUSR1);
		pthread_mutex_unlock(&lock);
		sched_yield();
	}
	join_all(t);
}

/* Another process stops and continues this one, and in the end kills it. */
static void
meddle(pid_t victim)
{
	struct timespec little = { .tv_nsec = 500000 };

	for (int i = 0; i < 5; i++) {
		nanosleep(&little, NULL);
		kill(victim, SIGSTOP);
		nanosleep(&little, NULL);
		kill(victim, SIGCONT);
	}
}

static void
end_of(void (*how)(pid_t), int signo)
{
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0);
	if (pid == 0) {
		pthread_t t[PLAYERS];

		game(t, signo != 0 ? 100000000 : 3000);
		if (how == NULL) {
			pthread_mutex_lock(&lock);
			while (turns < 2000)
				pthread_cond_wait(&turned, &lock);
			_exit(7);
		}
		join_all(t);
		_exit(7);
	}
	if (how != NULL)
		how(pid);
	if (signo != 0)
		CHECK(kill(pid, signo) == 0);
	CHECK(waitpid(pid, &status, 0) == pid);
	if (signo != 0)
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == signo);
	else
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

/* A pipe from each thread to the next: what is read comes with poll, epoll, or
 * by waiting for it. */
struct link {
	int in, out, how;
	unsigned long sum;
};

static int
wait_for(int fd, int how)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };
	struct timespec ts = { .tv_sec = 10 };
	int ep, n;

	switch (how) {
	case 1:
		return poll(&p, 1, 10000) == 1 && p.revents == POLLIN;
	case 2:
		return ppoll(&p, 1, &ts, NULL) == 1 && p.revents == POLLIN;
	case 3:
		ep = epoll_create1(0);
		if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0)
			return 0;
		ev.data.fd = -1;
		n = epoll_wait(ep, &ev, 1, 10000);
		close(ep);
		return n == 1 && ev.data.fd == fd;
	}
	return 1;
}

static void *
pass_on(void *arg)
{
	struct link *l = arg;
	struct timespec little = { .tv_nsec = 1000 };
	unsigned char buf[16];

	for (;;) {
		memset(buf, 0xaa, sizeof(buf));
		CHECK(wait_for(l->in, l->how));
		CHECK(read(l->in, buf, sizeof(buf)) == 4);
		CHECK(buf[4] == 0xaa && buf[15] == 0xaa);
		l->sum = fnv(l->sum, buf, sizeof(buf));
		if (buf[0] == 0xff)
			break;
		buf[0]++;
		nanosleep(&little, NULL);
		CHECK(write(l->out, buf, 4) == 4);
	}
	CHECK(write(l->out, buf, 4) == 4);
	return NULL;
}

static void
pipes(void)
{
	struct link l[PLAYERS] = { 0 };
	pthread_t t[PLAYERS];
	unsigned char buf[4] = { 0 };
	int fd[2], first[2], last;

	CHECK(pipe(first) == 0);
	last = first[0];
	for (int i = 0; i < PLAYERS; i++) {
		CHECK(pipe(fd) == 0);
		l[i] = (struct link){ .in = last, .out = fd[1], .how = i };
		last = fd[0];
		CHECK(pthread_create(&t[i], NULL, pass_on, &l[i]) == 0);
	}
	for (int i = 0; i < 60; i++) {
		CHECK(write(first[1], buf, 4) == 4);
		CHECK(read(last, buf, 4) == 4 &&
		      buf[0] == PLAYERS * (i + 1) % 256);
	}
	buf[0] = 0xff;
	CHECK(write(first[1], buf, 4) == 4);
	CHECK(read(last, buf, 4) == 4 && buf[0] == 0xff);
	for (int i = 0; i < PLAYERS; i++)
		CHECK(pthread_join(t[i], NULL) == 0 && l[i].sum != 0);
}

/* The same between sockets, with the sender's name. */
static void *
echo(void *arg)
{
	int fd = *(int *)arg;
	struct sockaddr_un from;
	char buf[64];

	for (;;) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, buf, sizeof(buf), 0,
				     (struct sockaddr *)&from, &len);

		CHECK(n > 0);
		CHECK(sendto(fd, buf, (size_t)n, 0, (struct sockaddr *)&from,
			     len) == n);
		if (buf[0] == 'q')
			return NULL;
	}
}

static void
datagrams(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(sa_family_t);
	int a = socket(AF_UNIX, SOCK_DGRAM, 0),
	    b = socket(AF_UNIX, SOCK_DGRAM, 0);
	char buf[64] = "ping";
	pthread_t t;

	CHECK(a >= 0 && b >= 0);
	CHECK(bind(a, (struct sockaddr *)&name, len) == 0);
	CHECK(bind(b, (struct sockaddr *)&name, len) == 0);
	len = sizeof(name);
	CHECK(getsockname(b, (struct sockaddr *)&name, &len) == 0);
	CHECK(pthread_create(&t, NULL, echo, &b) == 0);
	for (int i = 0; i < 50; i++) {
		buf[0] = i == 49 ? 'q' : 'p';
		CHECK(sendto(a, buf, 5, 0, (struct sockaddr *)&name, len) == 5);
		CHECK(recv(a, buf, sizeof(buf), 0) == 5 && buf[1] == 'i');
	}
	CHECK(pthread_join(t, NULL) == 0);
}

/* Asks for more events than there is room for; signals come meanwhile. */
static struct epoll_event many[12000];
static volatile int rounds_left = 20;

static void *
crowd(void *arg)
{
	const int *fd = arg; /* epoll, in, out */
	char c;

	while (rounds_left > 0) {
		int n = epoll_wait(fd[0], many, 12000, 10000);

		if (n < 0) {
			CHECK(errno == EINTR);
			continue;
		}
		CHECK(n == 1 && many[0].data.u64 == 7 && many[1].data.u64 == 0);
		CHECK(read(fd[1], &c, 1) == 1 && write(fd[2], &c, 1) == 1);
		rounds_left--;
	}
	return arg;
}

static void
crowds(void)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 7 };
	int to[2], back[2], fd[3] = { epoll_create1(0) };
	pthread_t t;
	char c = 0;

	CHECK(pipe(to) == 0 && pipe(back) == 0);
	CHECK(epoll_ctl(fd[0], EPOLL_CTL_ADD, to[0], &ev) == 0);
	fd[1] = to[0];
	fd[2] = back[1];
	CHECK(pthread_create(&t, NULL, crowd, fd) == 0);
	for (int i = 0; i < 20; i++) {
		if (i % 3 == 2)
			CHECK(pthread_kill(t, SIGUSR1) == 0);
		CHECK(write(to[1], &c, 1) == 1);
		CHECK(read(back[0], &c, 1) == 1 || errno == EINTR);
	}
	CHECK(pthread_join(t, NULL) == 0);
}

/* What a thread has in vector registers, and how it rounds, is its own while
 * another runs. */
static int ball;

static long
futex_with(int op, int val, double *kept)
{
	long ret = SYS_futex;
	register long r10 __asm__("r10") = 0;

	__asm__ volatile("movsd %1, %%xmm7\n\tsyscall\n\tmovsd %%xmm7, %1"
			 : "+a"(ret), "+m"(*kept)
			 : "D"(&ball), "S"(op), "d"(val), "r"(r10)
			 : "rcx", "r11", "xmm7", "memory");
	return ret;
}

static void *
catch_ball(void *arg)
{
	int me = *(int *)arg;
	volatile double one = 1;

	__builtin_ia32_ldmxcsr(me ? 0x5f80 : 0x3f80); /* up, down */
	for (int i = 0; i < 500; i++) {
		double kept = me * 1000 + i;

		while (__atomic_load_n(&ball, __ATOMIC_SEQ_CST) != me) {
			futex_with(FUTEX_WAIT_PRIVATE, !me, &kept);
			CHECK(kept == me * 1000 + i);
		}
		CHECK((one / 3 > 0x1.5555555555555p-2) == me);
		__atomic_store_n(&ball, !me, __ATOMIC_SEQ_CST);
		futex_with(FUTEX_WAKE_PRIVATE, 1, &kept);
	}
	return arg;
}

static void
throw_ball(void)
{
	static int number[2] = { 0, 1 };
	pthread_t t[2];

	for (int i = 0; i < 2; i++)
		CHECK(pthread_create(&t[i], NULL, catch_ball, &number[i]) == 0);
	for (int i = 0; i < 2; i++)
		CHECK(pthread_join(t[i], NULL) == 0);
}

static void *
forker(void *arg)
{
	int status;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		for (int i = 0; i < 10; i++)
			CHECK(getppid() > 0);
		_exit(3);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 3);
	return arg;
}

int
main(void)
{
	pthread_t t[PLAYERS], other;

	game(t, 2000);
	join_all(t);
	game(t, 2000);
	CHECK(pthread_create(&other, NULL, time_out, NULL) == 0);
	join_all(t);
	CHECK(pthread_join(other, NULL) == 0);
	come_and_go();
	signals(SA_RESTART);
	signals(0);
	game(t, 1000);
	CHECK(pthread_create(&other, NULL, forker, NULL) == 0);
	CHECK(pthread_join(other, NULL) == 0);
	join_all(t);
	pipes();
	datagrams();
	crowds();
	throw_ball();
	end_of(NULL, 0);
	end_of(meddle, 0);
	end_of(meddle, SIGKILL);
	end_of(meddle, SIGTERM);
	printf("%u time-outs\n", timeouts);
	return 0;
}
