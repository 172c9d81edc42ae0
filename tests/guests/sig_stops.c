/* Children that compute are stopped, continued and ended by their parent, in
 * one thread or in several, and by timers; one of them in a vfork. */
#include "guest.h"
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#define ROUNDS 10

static volatile uint64_t at;
static volatile sig_atomic_t conts, terms, alarms;

static void
compute(void)
{
	for (;;)
		at = at * 6364136223846793005u + 1;
}

static void *
compute_too(void *arg)
{
	compute();
	return arg;
}

static void
on_cont(int sig)
{
	CHECK(sig == SIGCONT);
	conts++;
}

static void
on_term(int sig)
{
	CHECK(sig == SIGTERM);
	if (++terms == ROUNDS)
		_exit(conts > 0 && conts <= ROUNDS ? 7 : 1);
}

/* A child that computes in so many threads; it says when it is ready. */
static pid_t
start(int threads, int handlers)
{
	pthread_t t;
	int fd[2];
	char c;
	pid_t pid;

	CHECK(pipe(fd) == 0);
	pid = fork();
	if (pid == 0) {
		if (handlers) {
			signal(SIGCONT, on_cont);
			signal(SIGTERM, on_term);
		}
		while (--threads > 0)
			CHECK(pthread_create(&t, NULL, compute_too, NULL) == 0);
		CHECK(write(fd[1], "", 1) == 1);
		compute();
	}
	CHECK(read(fd[0], &c, 1) == 1);
	close(fd[0]);
	close(fd[1]);
	return pid;
}

static void
pass_time(void)
{
	for (volatile int i = 0; i < 300000; i++)
		continue;
}

static void
stop_and_continue(int threads)
{
	pid_t pid = start(threads, 1);
	int st;

	for (int i = 0; i < ROUNDS; i++) {
		CHECK(kill(pid, SIGSTOP) == 0);
		CHECK(waitpid(pid, &st, WUNTRACED) == pid && WIFSTOPPED(st) &&
		      WSTOPSIG(st) == SIGSTOP);
		pass_time();
		CHECK(kill(pid, SIGCONT) == 0);
		CHECK(waitpid(pid, &st, WCONTINUED) == pid && WIFCONTINUED(st));
		pass_time();
	}
	/* One at a time: they do not queue. */
	for (;;) {
		if (kill(pid, SIGTERM) < 0 || waitpid(pid, &st, WNOHANG) == pid)
			break;
		pass_time();
	}
	CHECK(WIFEXITED(st) && WEXITSTATUS(st) == 7);
	printf("%d threads stopped\n", threads);
}

static void
end(int threads, int signo)
{
	pid_t pid = start(threads, 0);

	pass_time();
	CHECK(kill(pid, signo) == 0);
	CHECK(reap(pid) == -signo);
	printf("%d threads ended\n", threads);
}

static void
on_alarm(int sig)
{
	CHECK(sig == SIGALRM);
	alarms++;
}

static void
in_vfork(void)
{
	struct itimerval it = { { 0, 1000 }, { 0, 1000 } };
	pid_t pid;

	signal(SIGALRM, on_alarm);
	pid = vfork();
	if (pid == 0) {
		setitimer(ITIMER_REAL, &it, NULL);
		while (alarms < ROUNDS)
			at++;
		_exit(3);
	}
	CHECK(reap(pid) == 3 && alarms >= ROUNDS && at > 0);
	puts("vfork");
}

int
main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	stop_and_continue(1);
	stop_and_continue(3);
	end(1, SIGKILL);
	end(3, SIGKILL);
	end(3, SIGTERM);
	end(1, SIGALRM);
	in_vfork();
	return 0;
}
