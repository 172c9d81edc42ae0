#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define READ_STEP (64u * 1024)

void
fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd); /* Linux closes it even when it says EINTR */
	*fd = -1;
}

int
fd_write_all(int fd, const void *p, size_t n)
{
	const uint8_t *at = p;

	while (n > 0) {
		ssize_t done = write(fd, at, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		at += done;
		n -= (size_t)done;
	}
	return 0;
}

int
fd_pwrite_all(int fd, const void *p, size_t n, off_t at)
{
	const uint8_t *from = p;

	while (n > 0) {
		ssize_t done = pwrite(fd, from, n, at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		from += done;
		at += done;
		n -= (size_t)done;
	}
	return 0;
}

ssize_t
fd_read_full(int fd, void *p, size_t n)
{
	uint8_t *to = p;
	size_t len = 0;

	while (len < n) {
		ssize_t got = read(fd, to + len, n - len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		len += (size_t)got;
	}
	return (ssize_t)len;
}

ssize_t
fd_pread_full(int fd, void *p, size_t n, off_t at)
{
	uint8_t *to = p;
	size_t len = 0;

	while (len < n) {
		ssize_t got = pread(fd, to + len, n - len, at + (off_t)len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		len += (size_t)got;
	}
	return (ssize_t)len;
}

int
fd_read_all(int fd, struct buf *out)
{
	size_t start = out->len;

	for (;;) {
		ssize_t got;

		/* No fstat: files of /proc have no size. */
		buf_reserve(out, READ_STEP);
		got = fd_read_full(fd, out->p + out->len, READ_STEP);
		if (got < 0) {
			out->len = start;
			return (int)got;
		}
		out->len += (size_t)got;
		if ((size_t)got < READ_STEP)
			return 0;
	}
}

int
fd_read_file(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = fd_read_all(fd, out);
	fd_close(&fd);
	return ret;
}

static int
make_dir(const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (stat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

bool
fd_read_number(const char *path, const char *key, int base, uint64_t *out)
{
	struct buf text = { 0 };
	const char *p = NULL;

	if (fd_read_file(path, &text) == 0)
		p = strstr(buf_cstr(&text), key);
	if (p != NULL)
		*out = strtoull(p + strlen(key), NULL, base);
	buf_free(&text);
	return p != NULL;
}

int
fd_map(int fd, struct span *out)
{
	struct stat st;
	void *p;

	*out = (struct span){ 0 };
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return 0;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	*out = span_of(p, (size_t)st.st_size);
	return 0;
}

void
fd_unmap(struct span *s)
{
	if (s->len > 0)
		munmap((void *)(uintptr_t)s->p, s->len);
	*s = (struct span){ 0 };
}

int
fd_mkdirs(const char *path, mode_t mode)
{
	char *copy = mem_strdup(path);
	int ret = 0;

	for (char *s = copy + 1; *copy && *s && ret == 0; s++) {
		if (*s != '/' || s[-1] == '/')
			continue;
		*s = '\0';
		ret = make_dir(copy, mode);
		*s = '/';
	}
	if (ret == 0)
		ret = make_dir(copy, mode);
	mem_free(copy);
	return ret;
}

int
fd_move_high(int fd, int min)
{
	int high;

	if (fd >= min)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, min);
	if (high < 0)
		return -errno;
	fd_close(&fd);
	return high;
}

void
fd_fill_standard(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		/* The lowest free number is this one. */
		if (open("/dev/null", (fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) |
					      O_CLOEXEC) < 0)
			return;
	}
}
