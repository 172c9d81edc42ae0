#include "tracee/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "tracee/probe.h"

#define PAGE 4096u

int
mem_open(struct mem *m, pid_t pid, struct err *err)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, "cannot open %s", path);
	m->fd = fd;
	m->pid = pid;
	return 0;
}

void
mem_close(struct mem *m)
{
	fd_close(&m->fd);
}

ssize_t
mem_read(const struct mem *m, uint64_t addr, void *out, size_t n)
{
	uint8_t *p = out;
	size_t done = 0;

	while (done < n) {
		ssize_t got =
			pread(m->fd, p + done, n - done, (off_t)(addr + done));

		if (got > 0)
			done += (size_t)got;
		else if (got < 0 && errno == EINTR)
			continue;
		else if (done > 0)
			break;
		else
			return got < 0 ? -errno
				       : -EIO; /* 0: the image is gone */
	}
	return (ssize_t)done;
}

/* A kernel with proc_mem.force_override=never (6.12) writes through page
 * protection by POKEDATA only. */
static int
poke(const struct mem *m, uint64_t addr, const uint8_t *p, size_t n)
{
	while (n > 0) {
		uint64_t at = addr & ~7ull;
		size_t skip = (size_t)(addr - at);
		size_t take = 8 - skip < n ? 8 - skip : n;
		long word;

		errno = 0;
		word = ptrace(PTRACE_PEEKDATA, m->pid, at, 0);
		if (errno != 0)
			return -errno;
		memcpy((uint8_t *)&word + skip, p, take);
		if (ptrace(PTRACE_POKEDATA, m->pid, at, word) < 0)
			return -errno;
		addr += take;
		p += take;
		n -= take;
	}
	return 0;
}

/* With PASTIME_PROBE=-forced_write: what such a kernel would write, through a
 * call that minds the protection on every kernel. */
static ssize_t
write_unforced(const struct mem *m, uint64_t addr, const void *p, size_t n)
{
	struct iovec from = { .iov_base = (void *)(uintptr_t)p, .iov_len = n };
	struct iovec to = { .iov_base = (void *)(uintptr_t)addr, .iov_len = n };
	ssize_t got = process_vm_writev(m->pid, &from, 1, &to, 1, 0);

	/* The descriptor outlives the task. */
	if (got < 0 && errno == ESRCH)
		got = pwrite(m->fd, p, n, (off_t)addr);
	return got;
}

ssize_t
mem_write(const struct mem *m, uint64_t addr, const void *p, size_t n)
{
	const uint8_t *from = p;
	size_t done = 0;

	while (done < n) {
		uint64_t at = addr + done;
		size_t page = PAGE - (size_t)(at % PAGE);
		size_t take = n - done < page ? n - done : page;
		ssize_t got;

		if (probe_denied(PROBE_FORCED_WRITE))
			got = write_unforced(m, at, from + done, n - done);
		else
			got = pwrite(m->fd, from + done, n - done, (off_t)at);
		if (got > 0)
			done += (size_t)got;
		else if (got < 0 && errno == EINTR)
			continue;
		else if (poke(m, at, from + done, take) == 0)
			done += take;
		else if (done > 0)
			break;
		else
			return -EIO;
	}
	return (ssize_t)done;
}

struct mem
mem_of_task(const struct mem *m, pid_t tid)
{
	return (struct mem){ .fd = m->fd, .pid = tid };
}

int
mem_read_all(const struct mem *m, uint64_t addr, void *out, size_t n)
{
	return mem_read(m, addr, out, n) == (ssize_t)n ? 0 : -EFAULT;
}

int
mem_read_bulk(const struct mem *m, uint64_t addr, void *out, size_t n)
{
	const struct iovec to = { out, n };
	const struct iovec from = { (void *)(uintptr_t)addr, n };

	/* /proc/PID/mem copies twice, page by page. */
	if (process_vm_readv(m->pid, &to, 1, &from, 1, 0) == (ssize_t)n)
		return 0;
	return mem_read_all(m, addr, out, n);
}

int
mem_write_all(const struct mem *m, uint64_t addr, const void *p, size_t n)
{
	return mem_write(m, addr, p, n) == (ssize_t)n ? 0 : -EFAULT;
}

int
mem_write_bulk(const struct mem *m, uint64_t addr, const void *p, size_t n)
{
	const struct iovec from = { (void *)(uintptr_t)p, n };
	const struct iovec to = { (void *)(uintptr_t)addr, n };

	if (process_vm_writev(m->pid, &from, 1, &to, 1, 0) == (ssize_t)n)
		return 0;
	return mem_write_all(m, addr, p, n);
}

int
mem_read_str(const struct mem *m, uint64_t addr, size_t max, struct buf *out)
{
	size_t start = out->len;

	while (max > 0) {
		size_t room = PAGE - (size_t)(addr % PAGE);
		size_t want = max < room ? max : room;
		uint8_t *p;
		uint8_t *nul;
		ssize_t got;

		p = buf_grow(out, want);
		got = mem_read(m, addr, p, want);
		if (got <= 0) {
			out->len = start;
			return -EFAULT;
		}
		nul = memchr(p, 0, (size_t)got);
		if (nul != NULL) {
			out->len -= want - (size_t)(nul - p);
			return 0;
		}
		out->len -= want - (size_t)got;
		addr += (uint64_t)got;
		max -= (size_t)got;
	}
	return 0;
}
