/* What /proc says of a process: nothing of its being recorded. */
#include "guest.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/prctl.h>

static size_t
slurp(const char *path, char *text, size_t max, size_t step)
{
	int fd = open(path, O_RDONLY);
	size_t n = 0;
	ssize_t got;

	CHECK(fd >= 0);
	while (n + step < max && (got = read(fd, text + n, step)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	CHECK(close(fd) == 0);
	return n;
}

static void
look(const char *path, size_t step)
{
	char text[8192];

	slurp(path, text, sizeof(text), step);
	CHECK(strstr(text, "\nTracerPid:\t0\n") != NULL);
	CHECK(strstr(text, "\nSeccomp:\t0\n") != NULL);
	CHECK(strstr(text, "tracing stop") == NULL);
	CHECK(strstr(text, "\nNoNewPrivs:\t0\n") != NULL ||
	      prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

static void *
thread(void *arg)
{
	look("/proc/thread-self/status", 4000);
	return arg;
}

int
main(void)
{
	char path[64], text[4096];
	pthread_t t;
	int hold[2];
	pid_t pid;

	look("/proc/self/status", 4000);
	look("/proc/self/status", 1024);
	CHECK(pthread_create(&t, NULL, thread, NULL) == 0);
	CHECK(pthread_join(t, NULL) == 0);
	CHECK(pipe(hold) == 0);
	pid = fork();
	if (pid == 0) {
		close(hold[1]);
		CHECK(read(hold[0], text, 1) == 0);
		_exit(0);
	}
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	look(path, 4000);
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	slurp(path, text, sizeof(text), 4000);
	CHECK(strstr(text, ") t ") == NULL);
	close(hold[1]);
	CHECK(reap(pid) == 0);
	puts("not traced");
	return 0;
}
