#include "tracee/maps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/vec.h"

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
	v.dev = v.ino == 0 ? 0 :
			     makedev((unsigned)major_nr, (unsigned)minor_nr);
	while (p < end && *p == ' ')
		p++;
	if (p < end)
		v.name = name_copy(a, p, end);
	*out = v;
	return true;
}

int
maps_read(pid_t pid, struct arena *a, struct maps *out, struct err *err)
{
	VEC(struct vma) v = { 0 };
	struct buf text = { 0 };
	char path[64];
	const char *p;
	int ret;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	ret = fd_read_file(path, &text);
	if (ret < 0) {
		errno = -ret;
		ret = err_errno(err, "cannot read %s", path);
		goto out;
	}
	p = buf_cstr(&text);
	while (*p != '\0') {
		const char *end = strchr(p, '\n');
		struct vma one;

		if (end == NULL || !parse_line(p, end, a, &one)) {
			ret = err_set(err, E_FORMAT, "%s: unknown line: %.80s",
				      path, p);
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
