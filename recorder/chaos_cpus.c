/*
 * The number of CPUs where programs read it: as sched_getaffinity tells it.
 * Reads of these files and of the directory with one for each CPU are answered
 * here; the position of the file moves as if the kernel had done it.
 */
#include "recorder/chaos_priv.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "recorder/engine.h"
#include "recorder/special.h"
#include "recorder/task.h"

#define DIRECTORY "/sys/devices/system/cpu"
#define LISTED_MAX 65536u
#define ENTRY_LEN 24u /* of "cpu7": 8 + 8 + 2 + 1 + 5 */

static const char *const paths[CPU_FILES] = {
	"/proc/cpuinfo",
	"/proc/stat",
	"/sys/devices/system/cpu/online",
	"/sys/devices/system/cpu/possible",
	"/sys/devices/system/cpu/present",
};

void
cpus_release(struct chaos *c)
{
	for (unsigned i = 0; i < CPU_FILES; i++)
		buf_free(&c->cpu_file[i]);
}

unsigned
chaos_cpus(const struct recorder *r)
{
	return chaos_has(r, KNOB_cpus) ? r->opts.cpus : 0;
}

static void
read_file(const char *path, struct buf *out)
{
	char piece[4096];
	FILE *f = fopen(path, "re");
	size_t n;

	while (f != NULL && (n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_put(out, piece, n);
	if (f != NULL)
		fclose(f);
}

static size_t
line_len(const char *p)
{
	size_t n = strcspn(p, "\n");

	return p[n] == '\n' ? n + 1 : n;
}

/* --- /proc/cpuinfo: a paragraph for each -------------------------------------
 */

/* "key\t: number": is it one that differs from CPU to CPU? */
static bool
is_number_of_cpu(const char *line)
{
	static const char *const keys[] = { "processor\t", "core id\t",
					    "apicid\t", "initial apicid\t" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strncmp(line, keys[i], strlen(keys[i])) == 0)
			return true;
	return false;
}

static bool
is_count_of_cpus(const char *line)
{
	return strncmp(line, "siblings\t", 9) == 0 ||
	       strncmp(line, "cpu cores\t", 10) == 0;
}

static void
put_paragraph(const char *p, unsigned cpu, unsigned n, struct buf *out)
{
	while (*p != '\0' && *p != '\n') {
		size_t len = line_len(p);
		const char *colon = memchr(p, ':', len);

		if (colon != NULL &&
		    (is_number_of_cpu(p) || is_count_of_cpus(p))) {
			buf_put(out, p, (size_t)(colon - p));
			buf_printf(out, ": %u\n",
				   is_number_of_cpu(p) ? cpu : n);
		} else {
			buf_put(out, p, len);
		}
		p += len;
	}
	buf_str(out, "\n");
}

static void
make_cpuinfo(const char *real, unsigned n, struct buf *out)
{
	for (unsigned i = 0; i < n; i++)
		put_paragraph(real, i, n, out);
}

/* --- /proc/stat: a line for each ---------------------------------------------
 */

static bool
is_cpu_line(const char *p)
{
	return strncmp(p, "cpu", 3) == 0 && p[3] >= '0' && p[3] <= '9';
}

/* All CPUs have done what the first one has. */
static void
make_stat(const char *real, unsigned n, struct buf *out)
{
	bool done = false;

	for (const char *p = real; *p != '\0'; p += line_len(p)) {
		const char *rest = p + strcspn(p, " \n");

		if (!is_cpu_line(p)) {
			buf_put(out, p, line_len(p));
			continue;
		}
		for (unsigned i = 0; i < n && !done; i++) {
			buf_printf(out, "cpu%u", i);
			buf_put(out, rest, line_len(rest));
		}
		done = true;
	}
}

/* --- all ---------------------------------------------------------------------
 */

static void
make(const struct recorder *r, unsigned which, struct buf *out)
{
	unsigned n = r->opts.cpus;
	struct buf real = { 0 };

	buf_clear(out);
	if (which >= 2) {
		if (n > 1)
			buf_str(out, "0-");
		buf_printf(out, "%u\n", n - 1);
		return;
	}
	read_file(paths[which], &real);
	if (which == 0)
		make_cpuinfo(buf_cstr(&real), n, out);
	else
		make_stat(buf_cstr(&real), n, out);
	buf_free(&real);
}

/* The path of the descriptor that is its first argument; "": none. */
static void
path_of(const struct task *t, char path[64])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", t->tid,
		 (int)t->call.sc.args[0]);
	n = readlink(link, path, 63);
	path[n > 0 ? n : 0] = '\0';
}

/* Which of the files it is, or CPU_FILES. */
static unsigned
which_file(const struct task *t)
{
	char path[64];
	unsigned i = 0;

	path_of(t, path);
	while (i < CPU_FILES && strcmp(path, paths[i]) != 0)
		i++;
	return i;
}

/* Answer a read at this position: how many bytes; -1: the kernel shall. */
static int64_t
answer(const struct task *t, const struct buf *file, int64_t at)
{
	uint64_t n = t->call.sc.args[2];

	if (at < 0)
		return -1;
	if ((uint64_t)at >= file->len)
		return 0;
	if (n > file->len - (uint64_t)at)
		n = file->len - (uint64_t)at;
	return mem_write_all(&task_space(t)->mem, t->call.sc.args[1],
			     buf_span(file).p + at, n) < 0
		       ? -1
		       : (int64_t)n;
}

/* --- the directory -----------------------------------------------------------
 */

/* The number behind "cpu", which is all of the name, or -1. */
static long
number_of(const char *name, char end)
{
	char *rest;
	long n;

	if (strncmp(name, "cpu", 3) != 0 || name[3] < '0' || name[3] > '9')
		return -1;
	n = strtol(name + 3, &rest, 10);
	return *rest == '\0' || *rest == end ? n : -1;
}

/* What the kernel lists, with a directory for each of n CPUs: as there is one
 * for the first, the others come with it. */
static void
edit(struct span listed, unsigned n, struct buf *out)
{
	for (size_t at = 0; at < listed.len;) {
		struct dirent64 e = { 0 };
		size_t len;
		long cpu;

		memcpy(&e, listed.p + at, offsetof(struct dirent64, d_name));
		len = e.d_reclen;
		memcpy(&e, listed.p + at, len < sizeof(e) ? len : sizeof(e));
		cpu = number_of(e.d_name, '\0');
		if (cpu < 0)
			buf_put(out, listed.p + at, len);
		for (unsigned i = 0; cpu == 0 && i < n; i++) {
			memset(e.d_name, 0, sizeof(e.d_name));
			snprintf(e.d_name, sizeof(e.d_name), "cpu%u", i);
			e.d_reclen = ENTRY_LEN;
			buf_put(out, &e, ENTRY_LEN);
			e.d_ino++;
		}
		at += len;
	}
}

/* getdents64 of it: how many bytes; -1: the kernel shall. */
static int64_t
list(const struct recorder *r, const struct task *t)
{
	const uint64_t *arg = t->call.sc.args;
	uint64_t room = ENTRY_LEN * r->opts.cpus, max = arg[2];
	struct buf listed = { 0 }, out = { 0 };
	int fd = task_borrow_fd(t, arg[0]);
	int64_t n = -1;

	if (max > LISTED_MAX)
		max = LISTED_MAX;
	if (fd >= 0 && max > 2 * room) {
		/* Until something is left of it, or that was all. */
		do {
			buf_clear(&listed);
			n = syscall(SYS_getdents64, fd,
				    buf_grow(&listed, max - room), max - room);
			if (n > 0)
				edit(span_of(listed.p, (size_t)n), r->opts.cpus,
				     &out);
		} while (n > 0 && out.len == 0);
		if (n >= 0)
			n = mem_write_all(&task_space(t)->mem, arg[1], out.p,
					  out.len) < 0
				    ? -1
				    : (int64_t)out.len;
	}
	fd_close(&fd);
	buf_free(&listed);
	buf_free(&out);
	return n;
}

/* A path there, of a CPU that is not. */
static bool
is_of_none(const struct recorder *r, const struct task *t)
{
	const struct sys_call *sc = &t->call.sc;
	bool at = sc->nr == SYS_openat || sc->nr == SYS_newfstatat ||
		  sc->nr == SYS_faccessat || sc->nr == SYS_faccessat2 ||
		  sc->nr == SYS_statx || sc->nr == SYS_readlinkat;
	char path[sizeof(DIRECTORY) + 16] = "";
	ssize_t n;

	if (!at && sc->nr != SYS_open && sc->nr != SYS_stat &&
	    sc->nr != SYS_access && sc->nr != SYS_lstat)
		return false;
	n = mem_read(&task_space(t)->mem, sc->args[at ? 1 : 0], path,
		     sizeof(path) - 1);
	return n > (ssize_t)sizeof(DIRECTORY) &&
	       strncmp(path, DIRECTORY "/", sizeof(DIRECTORY)) == 0 &&
	       number_of(path + sizeof(DIRECTORY), '/') >= r->opts.cpus;
}

/* 0: not there. */
static int
directory(struct recorder *r, struct task *t, struct err *err)
{
	char path[64] = "";
	int64_t n = -1;
	int ret;

	if (t->call.sc.nr == SYS_getdents64)
		path_of(t, path);
	if (strcmp(path, DIRECTORY) == 0)
		n = list(r, t);
	else if (is_of_none(r, t))
		n = -ENOENT;
	if (n == -1)
		return 0;
	syscall_answer(t, n, false);
	ret = chaos_event(r, t, CHAOS_CPUS, r->opts.cpus, 0, err);
	return ret < 0 ? ret : 1;
}

int
cpus_call(struct recorder *r, struct task *t, struct err *err)
{
	const struct sys_call *sc = &t->call.sc;
	bool moves = sc->nr == SYS_read;
	int64_t at = (int64_t)sc->args[3], n = -1;
	struct buf status = { 0 }, *file = &status;
	unsigned which;
	int fd;

	if (sc->nr != SYS_read && sc->nr != SYS_pread64)
		return directory(r, t, err);
	which = which_file(t);
	if (which == CPU_FILES && !procfs_status(r, t, &status))
		return 0;
	fd = task_borrow_fd(t, sc->args[0]);
	if (fd >= 0 && moves)
		at = lseek(fd, 0, SEEK_CUR);
	if (which < CPU_FILES)
		file = &r->chaos->cpu_file[which];
	if (which < CPU_FILES && (at == 0 || file->len == 0))
		make(r, which, file);
	if (fd >= 0)
		n = answer(t, file, at);
	if (n > 0 && moves && lseek(fd, at + n, SEEK_SET) < 0)
		n = -1;
	fd_close(&fd);
	buf_free(&status);
	if (n < 0)
		return 0;
	syscall_answer(t, n, false);
	n = chaos_event(r, t, CHAOS_CPUS, r->opts.cpus, 0, err);
	return n < 0 ? (int)n : 1;
}
