#ifndef GUEST_H
#define GUEST_H

/*
 * What the recorded test programs share. A guest checks itself: it prints only
 * what every correct run prints, and exits 0 when all was as it must be.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(x)                                                              \
	do {                                                                  \
		if (!(x)) {                                                   \
			printf("%s:%d: failed: %s (errno %d)\n", __FILE__,    \
			       __LINE__, #x, errno);                          \
			fflush(stdout);                                       \
			_exit(1);                                             \
		}                                                             \
	} while (0)

/* A pointer to size bytes that end at an unmapped page. */
static inline void *
tail_alloc(size_t size)
{
	size_t page = 4096, len = (size + page - 1) / page * page;
	char *p = mmap(NULL, len + page, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	CHECK(munmap(p + len, page) == 0);
	return p + len - size;
}

static inline uint64_t
fnv(uint64_t h, const void *data, size_t n)
{
	const uint8_t *p = data;

	if (!h)
		h = 0xcbf29ce484222325u;
	while (n--)
		h = (h ^ *p++) * 0x100000001b3u;
	return h;
}

/* Wait for a child; its exit status, or -signal. */
static inline int
reap(pid_t pid)
{
	int st = 0;
	pid_t got;

	do {
		got = waitpid(pid, &st, 0);
	} while (got < 0 && errno == EINTR);
	CHECK(got == pid);
	return WIFEXITED(st) ? WEXITSTATUS(st) : -WTERMSIG(st);
}

#endif
