#include "tracee/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/vec.h"
#include "tracee/probe.h"

/* Linux 6.11, newer than the headers that we build with. */
struct procmap_query {
	uint64_t size;
	uint64_t query_flags; /* 0: the mapping that covers the address */
	uint64_t query_addr;
	uint64_t vma_start;
	uint64_t vma_end;
	uint64_t vma_flags; /* 1 readable, 2 writable, 4 executable, 8 shared */
	uint64_t vma_page_size;
	uint64_t vma_offset;
	uint64_t inode;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint32_t vma_name_size;
	uint32_t build_id_size;
	uint64_t vma_name_addr;
	uint64_t build_id_addr;
};

#define CHUNK 8192u
#define PROCMAP_QUERY_OP _IOWR('f', 17, struct procmap_query)

static bool
skip_char(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

static bool
number(const char **p, unsigned base, uint64_t *out)
{
	const char *at = *p;
	uint64_t v = 0;

	for (;; at++) {
		unsigned d;

		if (*at >= '0' && *at <= '9')
			d = (unsigned)(*at - '0');
		else if (*at >= 'a' && *at <= 'f')
			d = (unsigned)(*at - 'a') + 10;
		else
			break;
		if (d >= base)
			break;
		v = v * base + d;
	}
	if (at == *p)
		return false;
	*p = at;
	*out = v;
	return true;
}

/* The kernel writes a newline in a path as \012 and nothing else so. */
static const char *
name_copy(struct arena *a, const char *p, const char *end)
{
	char *name = arena_alloc(a, (size_t)(end - p) + 1);
	char *to = name;

	while (p < end) {
		if (end - p >= 4 && memcmp(p, "\\012", 4) == 0) {
			*to++ = '\n';
			p += 4;
		} else {
			*to++ = *p++;
		}
	}
	*to = '\0';
	return name;
}

/* "start-end rwxp offset major:minor inode   name" */
static bool
parse_line(const char *p, const char *end, struct arena *a, struct vma *out)
{
	uint64_t major_nr, minor_nr;
	struct vma v = { .name = "" };

	if (!number(&p, 16, &v.start) || !skip_char(&p, '-') ||
	    !number(&p, 16, &v.end) || !skip_char(&p, ' ') || end - p < 5)
		return false;
	v.prot = (p[0] == 'r' ? (uint32_t)PROT_READ : 0) |
		 (p[1] == 'w' ? (uint32_t)PROT_WRITE : 0) |
		 (p[2] == 'x' ? (uint32_t)PROT_EXEC : 0);
	v.shared = p[3] == 's';
	p += 4;
	if (!skip_char(&p, ' ') || !number(&p, 16, &v.offset) ||
	    !skip_char(&p, ' ') || !number(&p, 16, &major_nr) ||
	    !skip_char(&p, ':') || !number(&p, 16, &minor_nr) ||
	    !skip_char(&p, ' ') || !number(&p, 10, &v.ino))
		return false;
	v.dev = v.ino == 0 ? 0
			   : makedev((unsigned)major_nr, (unsigned)minor_nr);
	while (p < end && *p == ' ')
		p++;
	if (p < end)
		v.name = name_copy(a, p, end);
	*out = v;
	return true;
}

static int
open_maps(int *fd, pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	if (*fd < 0)
		*fd = open(path, O_RDONLY | O_CLOEXEC);
	return *fd < 0 ? -errno : 0;
}

/* This page, where there is one, is the last mapping of all. A file may have
 * its name, but not be there. */
static bool
is_whole(const struct buf *text)
{
	static const char vsyscall[] = "ffffffffff600000-";
	const uint8_t *before;

	if (text->len == 0 || text->p[text->len - 1] != '\n')
		return false;
	before = memrchr(text->p, '\n', text->len - 1);
	return before != NULL &&
	       text->p + text->len - before > (ptrdiff_t)sizeof(vsyscall) &&
	       memcmp(before + 1, vsyscall, sizeof(vsyscall) - 1) == 0;
}

/* From the beginning; the kernel gives some 4 KB at a time. */
static int
read_text(int fd, struct buf *text)
{
	ssize_t n;

	do {
		buf_reserve(text, CHUNK);
		n = pread(fd, text->p + text->len, CHUNK, (off_t)text->len);
		if (n > 0)
			text->len += (size_t)n;
		else if (n < 0 && errno != EINTR)
			return -errno;
	} while (n != 0 && !is_whole(text));
	return 0;
}

int
maps_read(pid_t pid, struct arena *a, struct maps *out, struct err *err)
{
	int fd = -1, ret = maps_read_by(&fd, pid, a, out, err);

	fd_close(&fd);
	return ret;
}

int
maps_read_by(int *fd, pid_t pid, struct arena *a, struct maps *out,
	     struct err *err)
{
	VEC(struct vma) v = { 0 };
	struct buf text = { 0 };
	const char *p;
	int ret = open_maps(fd, pid);

	if (ret == 0)
		ret = read_text(*fd, &text);
	if (ret < 0) {
		errno = -ret;
		ret = err_errno(err, "cannot read /proc/%d/maps", pid);
		goto out;
	}
	p = buf_cstr(&text);
	while (*p != '\0') {
		const char *end = strchr(p, '\n');
		struct vma one;

		if (end == NULL || !parse_line(p, end, a, &one)) {
			ret = err_set(err, E_FORMAT,
				      "/proc/%d/maps: unknown line: %.80s", pid,
				      p);
			goto out;
		}
		vec_push(&v, one);
		p = end + 1;
	}
	out->len = v.len;
	out->v = arena_dup(a, v.v, v.len * sizeof(v.v[0]));
out:
	vec_free(&v);
	buf_free(&text);
	return ret < 0 ? ret : 0;
}

static int
query(int *fd, pid_t pid, uint64_t addr, struct arena *a, struct vma *out)
{
	char name[PATH_MAX];
	struct procmap_query q = {
		.size = sizeof(q),
		.query_addr = addr,
		.vma_name_size = sizeof(name),
		.vma_name_addr = (uintptr_t)name,
	};

	if (probe_denied(PROBE_MAP_QUERY))
		return -ENOTTY;
	if (open_maps(fd, pid) < 0 || ioctl(*fd, PROCMAP_QUERY_OP, &q) < 0)
		return -errno;
	*out = (struct vma){
		.start = q.vma_start,
		.end = q.vma_end,
		.prot = (q.vma_flags & 1 ? (uint32_t)PROT_READ : 0) |
			(q.vma_flags & 2 ? (uint32_t)PROT_WRITE : 0) |
			(q.vma_flags & 4 ? (uint32_t)PROT_EXEC : 0),
		.shared = (q.vma_flags & 8) != 0,
		.offset = q.vma_offset,
		.dev = q.inode == 0 ? 0 : makedev(q.dev_major, q.dev_minor),
		.ino = q.inode,
		.name = q.vma_name_size > 0 ? arena_strdup(a, name) : "",
	};
	return 0;
}

int
maps_query_by(int *fd, pid_t pid, uint64_t addr, struct arena *a,
	      struct vma *out, struct err *err)
{
	struct maps m;
	const struct vma *v = NULL;
	int ret = query(fd, pid, addr, a, out);

	if (ret == 0)
		return 0;
	/* ENOTTY before 6.11; ENAMETOOLONG for a path beyond PATH_MAX. */
	if (ret != -ENOENT) {
		ret = maps_read(pid, a, &m, err);
		if (ret < 0)
			return ret;
		v = maps_find(&m, addr);
	}
	if (v == NULL)
		return err_set(err, ENOENT, "nothing is mapped at %#llx",
			       (unsigned long long)addr);
	*out = *v;
	return 0;
}

int
maps_query(pid_t pid, uint64_t addr, struct arena *a, struct vma *out,
	   struct err *err)
{
	int fd = -1, ret = maps_query_by(&fd, pid, addr, a, out, err);

	fd_close(&fd);
	return ret;
}

bool
maps_can_query(void)
{
	struct arena a = { 0 };
	struct vma v;
	int fd = -1, ret;

	ret = query(&fd, getpid(), (uint64_t)(uintptr_t)&maps_can_query, &a,
		    &v);
	fd_close(&fd);
	arena_free(&a);
	return ret == 0;
}

const struct vma *
maps_find(const struct maps *m, uint64_t addr)
{
	size_t lo = 0, hi = m->len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (m->v[mid].end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == m->len || m->v[lo].start > addr)
		return NULL;
	return &m->v[lo];
}
