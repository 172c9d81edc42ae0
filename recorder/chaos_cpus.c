/*
 * The number of CPUs where programs read it: as sched_getaffinity tells it.
 * Reads of these files are answered here; the position of the file moves as if
 * the kernel had done it.
 */
#include "recorder/chaos_priv.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "recorder/engine.h"
#include "recorder/task.h"

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

/* Which of the files it is, or CPU_FILES. */
static unsigned
which_file(const struct task *t)
{
	char link[64], path[64];
	unsigned i = 0;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", t->tid,
		 (int)t->call.sc.args[0]);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
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

int
cpus_call(struct recorder *r, struct task *t, struct err *err)
{
	const struct sys_call *sc = &t->call.sc;
	bool moves = sc->nr == SYS_read;
	int64_t at = (int64_t)sc->args[3], n;
	unsigned which;
	int fd;

	if (sc->nr != SYS_read && sc->nr != SYS_pread64)
		return 0;
	which = which_file(t);
	if (which == CPU_FILES)
		return 0;
	fd = task_borrow_fd(t, sc->args[0]);
	if (fd < 0)
		return 0;
	if (moves)
		at = lseek(fd, 0, SEEK_CUR);
	if (at == 0 || r->chaos->cpu_file[which].len == 0)
		make(r, which, &r->chaos->cpu_file[which]);
	n = answer(t, &r->chaos->cpu_file[which], at);
	if (n > 0 && moves && lseek(fd, at + n, SEEK_SET) < 0)
		n = -1;
	fd_close(&fd);
	if (n < 0)
		return 0;
	syscall_answer(t, n, false);
	n = chaos_event(r, t, CHAOS_CPUS, r->opts.cpus, 0, err);
	return n < 0 ? (int)n : 1;
}
