/* madvise on files and shared memory: what reverts, what is refused. */
#include "guest.h"
#include <fcntl.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

int
main(void)
{
	char path[] = "/tmp/pastime-guest-XXXXXX", *p, *s;
	int fd = mkstemp(path), mfd = memfd_create("m", 0);
	pid_t pid;

	CHECK(fd >= 0 && !unlink(path) && !ftruncate(fd, 8192) && !ftruncate(mfd, 8192));
	CHECK(pwrite(fd, "file", 4, 4096) == 4);
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	strcpy(p + 4096, "mine");
	CHECK(!madvise(p, 8192, MADV_DONTNEED) && !memcmp(p + 4096, "file", 4));
	s = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, mfd, 0);
	strcpy(s, "gone");
	CHECK(!madvise(s, 4096, MADV_REMOVE) && s[0] == 0);
	CHECK(!madvise(p, 8192, MADV_WILLNEED));
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	p[0] = p[4096] = 1;
	CHECK(!madvise(p, 4096, MADV_DONTFORK) && !madvise(p + 4096, 4096, MADV_WIPEONFORK));
	pid = fork();
	if (!pid)
		_exit(p[4096]);
	printf("wiped %d, guard %s\n", reap(pid),
	       madvise(p, 4096, MADV_GUARD_INSTALL) ? "refused" : "there");
	return 0;
}
