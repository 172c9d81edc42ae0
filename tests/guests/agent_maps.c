/* Files mapped again and again: a file of the system, whose mappings are the
 * agent's from the second on; a library, code and data; one that is written to
 * between its mappings, grown and cut. Bytes are what the file has when it is
 * mapped. */
#include "guest.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define TIMES 40
#define PAGE 4096ul

static uint64_t
sum_of(const char *path, int prot, size_t from, int dirty)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	uint64_t sum;
	char *p;

	CHECK(fd >= 0 && !fstat(fd, &st));
	CHECK((size_t)st.st_size > from);
	p = mmap(NULL, (size_t)st.st_size - from, prot, MAP_PRIVATE, fd,
		 (off_t)from);
	CHECK(p != MAP_FAILED);
	CHECK(!close(fd));
	if (dirty)
		p[5] = (char)(p[5] + 1);
	sum = fnv(0, p, (size_t)st.st_size - from);
	CHECK(!munmap(p, (size_t)st.st_size - from));
	return sum;
}

static void
of_the_system(const char *path)
{
	uint64_t first = sum_of(path, PROT_READ, 0, 0);
	uint64_t dirty = sum_of(path, PROT_READ | PROT_WRITE, 0, 1);

	for (int i = 0; i < TIMES; i++) {
		CHECK(sum_of(path, PROT_READ, 0, 0) == first);
		CHECK(sum_of(path, PROT_READ | PROT_WRITE, 0, 1) == dirty);
	}
	CHECK(first != dirty);
}

/* One mapping over another, and pages behind the end. */
static void
over_each_other(const char *path)
{
	int fd = open(path, O_RDONLY);
	char *p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(fd >= 0 && p != MAP_FAILED);
	for (int i = 0; i < TIMES; i++) {
		char *q = p + (size_t)(i % 8) * PAGE;

		memset(p, i, 64 * PAGE);
		CHECK(mmap(q, 3 * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_FIXED, fd, 0) == q);
		q[PAGE] = 1;
		CHECK(mmap(q + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED,
			   fd, 0) == q + PAGE);
		CHECK(!memcmp(q, q + PAGE, PAGE));
		CHECK(mmap(q, 3 * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1,
			   0) == q);
		CHECK(mmap(NULL, 1ul << 60, PROT_READ, MAP_PRIVATE, fd, 0) ==
		      MAP_FAILED);
		CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 100) ==
		      MAP_FAILED);
		CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 999, 0) ==
		      MAP_FAILED);
	}
	CHECK(!close(fd) && !munmap(p, 64 * PAGE));
}

/* What was written before it was mapped is there, for every mapping. */
static void
written_to(void)
{
	char name[] = "/tmp/agent_maps.XXXXXX";
	int fd = mkstemp(name);

	CHECK(fd >= 0);
	for (int i = 0; i < TIMES; i++) {
		char *p, *q;

		CHECK(pwrite(fd, &i, sizeof(i), 8) == sizeof(i));
		CHECK(!ftruncate(fd, (off_t)PAGE * (1 + i % 3)));
		p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
		CHECK(p != MAP_FAILED && !memcmp(p + 8, &i, sizeof(i)));
		/* seen through a private mapping, too, as it has no copy */
		CHECK(pwrite(fd, "w", 1, 100) == 1 && p[100] == 'w');
		CHECK(pwrite(fd, "v", 1, 100) == 1 && p[100] == 'v');
		q = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
		CHECK(q != MAP_FAILED && q[100] == 'v');
		CHECK(!munmap(p, PAGE) && !munmap(q, PAGE));
	}
	CHECK(!close(fd) && !unlink(name));
}

static void
library(void)
{
	for (int i = 0; i < TIMES / 4; i++) {
		void *h = dlopen("libm.so.6", RTLD_NOW);
		double (*fn)(double) = NULL;

		if (h == NULL)
			return;
		*(void **)&fn = dlsym(h, "sqrt");
		CHECK(fn != NULL && fn(81) > 8.9 && fn(81) < 9.1);
		CHECK(!dlclose(h));
	}
}

/* Locks of a file, which another process sees. */
static void
locks(void)
{
	char name[] = "/tmp/agent_maps.XXXXXX";
	struct flock lock = { .l_whence = SEEK_SET, .l_len = 10 };
	int fd = mkstemp(name);
	pid_t child;

	CHECK(fd >= 0);
	for (int i = 0; i < TIMES; i++) {
		struct flock got = lock;

		lock.l_type = i % 2 ? F_UNLCK : F_WRLCK;
		CHECK(!fcntl(fd, F_SETLK, &lock));
		got.l_type = F_WRLCK;
		CHECK(!fcntl(fd, F_GETLK, &got) && got.l_type == F_UNLCK);
		CHECK(!fsync(fd) && !fdatasync(fd));
		CHECK(fcntl(fd, F_SETLK, NULL) < 0 && errno == EFAULT);
	}
	lock.l_type = F_WRLCK;
	CHECK(!fcntl(fd, F_SETLK, &lock));
	fflush(stdout);
	child = fork();
	if (child == 0) {
		for (int i = 0; i < TIMES; i++) {
			struct flock got = lock;

			CHECK(fcntl(fd, F_SETLK, &lock) < 0 &&
			      (errno == EAGAIN || errno == EACCES));
			CHECK(!fcntl(fd, F_GETLK, &got) &&
			      got.l_pid == getppid());
		}
		_exit(0);
	}
	CHECK(reap(child) == 0);
	CHECK(!close(fd) && !unlink(name));
}

int
main(void)
{
	for (int i = 0; i < TIMES; i++)
		CHECK(syscall(SYS_set_robust_list, 0, 24) == 0 &&
		      syscall(SYS_set_tid_address, 0) == getpid());
	of_the_system("/etc/passwd");
	over_each_other("/usr/lib/x86_64-linux-gnu/libc.so.6");
	library();
	written_to();
	locks();
	printf("mapped\n");
	return 0;
}
