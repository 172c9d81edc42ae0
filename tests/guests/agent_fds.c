/*
 * Descriptors that become something else, and arguments that cannot be read or
 * written: calls that mostly complete without a stop, at their edges.
 */

#include "guest.h"
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

/* where nothing is, and no compiler knows it */
static char *volatile bad = (char *)8;
#define BAD ((void *)bad)

static char name[] = "agent_fds.tmp";

/* What is a file now is a pipe afterwards, under the same number. */
static void
reused(void)
{
	char c = 0;
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600), to[2];

	CHECK(fd >= 0);
	for (int i = 0; i < 30; i++) {
		CHECK(pwrite(fd, "abcdef", 6, i) == 6);
		CHECK(lseek(fd, i, SEEK_SET) == i);
		CHECK(read(fd, &c, 1) == 1 && c == 'a');
		CHECK(pread(fd, &c, 1, i + 5) == 1 && c == 'f');
	}
	CHECK(pipe(to) == 0);
	CHECK(dup2(to[0], fd) == fd);
	CHECK(lseek(fd, 0, SEEK_CUR) == -1 && errno == ESPIPE);
	if (fork() == 0) {
		CHECK(write(to[1], "z", 1) == 1);
		_exit(0);
	}
	CHECK(read(fd, &c, 1) == 1 && c == 'z');
	CHECK(wait(NULL) > 0);
	CHECK(close(fd) == 0 && close(fd) == -1 && errno == EBADF);
	CHECK(close(to[0]) == 0 && close(to[1]) == 0);
}

/* A vfork child opens and closes under numbers that the parent uses next. */
static void
vforked(void)
{
	int to[2];
	char c;

	for (int i = 0; i < 20; i++) {
		pid_t pid = vfork();

		if (pid == 0) {
			int fd = open(name, O_RDONLY);

			_exit(fd >= 0 && pread(fd, &c, 1, 0) == 1 ? 0 : 1);
		}
		CHECK(reap(pid) == 0);
		CHECK(pipe(to) == 0);
		CHECK(write(to[1], "y", 1) == 1);
		CHECK(read(to[0], &c, 1) == 1 && c == 'y');
		CHECK(close(to[0]) == 0 && close(to[1]) == 0);
	}
}

static void
unreadable(void)
{
	int fd = open(name, O_RDONLY), null = open("/dev/null", O_RDWR);
	char *tail = tail_alloc(8), *path = tail_alloc(sizeof(name));
	struct stat st;
	long nr = SYS_clock_gettime;

	memcpy(path, name, sizeof(name));
	for (int i = 0; i < 20; i++) {
		CHECK(read(fd, BAD, 4) == -1 && errno == EFAULT);
		/* as far as the page goes */
		CHECK(pread(fd, tail, 16, 0) == 8 || errno == EFAULT);
		CHECK(pread(fd, tail, 8, 0) == 8);
		CHECK(stat(path, &st) == 0 && S_ISREG(st.st_mode));
		CHECK(stat(BAD, &st) == -1 && errno == EFAULT);
		CHECK(syscall(SYS_newfstatat, AT_FDCWD, name, BAD, 0) == -1 &&
		      errno == EFAULT);
		CHECK(fstat(-1, &st) == -1 && errno == EBADF);
		CHECK(stat("", &st) == -1 && errno == ENOENT);
		CHECK(access("nowhere/at/all", R_OK) == -1 && errno == ENOENT);
		CHECK(open(BAD, O_RDONLY) == -1 && errno == EFAULT);
		CHECK(write(null, BAD, 4) == 4);
		CHECK(write(null, name, 0) == 0);
		CHECK(syscall(nr, CLOCK_REALTIME, BAD) == -1 &&
		      errno == EFAULT);
		CHECK(syscall(nr, 77, BAD) == -1 && errno == EINVAL);
		CHECK(syscall(SYS_gettimeofday, NULL, NULL) == 0);
		CHECK(syscall(SYS_time, NULL) > 0);
		CHECK(syscall(SYS_getcwd, tail, 1) == -1 && errno == ERANGE);
		CHECK(readlink(name, tail, 8) == -1 && errno == EINVAL);
		CHECK(readlink("/proc/self/exe", tail, 4) == 4);
	}
	CHECK(close(fd) == 0 && close(null) == 0);
}

static void
entries(void)
{
	for (int i = 0; i < 10; i++) {
		DIR *d = opendir(".");
		unsigned n = 0;

		CHECK(d != NULL);
		while (readdir(d) != NULL)
			n++;
		CHECK(n >= 3);
		CHECK(closedir(d) == 0);
	}
}

/* What the kernel tells, checked against itself. */
static void
facts(void)
{
	struct timespec a, b;
	struct timeval tv, tz;
	struct rusage ru;
	char cwd[4096];

	for (int i = 0; i < 20; i++) {
		CHECK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &a) == 0);
		CHECK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &b) == 0);
		CHECK(b.tv_sec > a.tv_sec ||
		      (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec));
		CHECK(syscall(SYS_gettimeofday, &tv, &tz) == 0);
		CHECK(tv.tv_sec > 0);
		CHECK(getrusage(RUSAGE_SELF, &ru) == 0);
		CHECK(syscall(SYS_getcwd, cwd, sizeof(cwd)) > 0);
		CHECK(getpid() == syscall(SYS_gettid));
	}
}

int
main(void)
{
	reused();
	vforked();
	unreadable();
	entries();
	facts();
	CHECK(unlink(name) == 0);
	puts("all as it must be");
	return 0;
}
