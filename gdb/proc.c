/* What gdb's "info proc" reads in /proc, as it was for a recorded process. */
#include "gdb/program.h"
#include "gdb/thread.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"

/* The process of "/proc/PID/NAME", and NAME; NULL: it is none. */
static const struct target_task *
parse(struct gdb_server *s, const char *path, const char **name)
{
	int pid, n = 0;

	if (sscanf(path, "/proc/%d/%n", &pid, &n) != 1 || n == 0)
		return NULL;
	*name = path + n;
	/* Threads have the same: /proc/PID/task/TID/NAME */
	n = 0;
	if (sscanf(*name, "task/%*d/%n", &n) == 0 && n > 0)
		*name += n;
	return process_find(s, pid);
}

static int
put_maps(struct gdb_server *s, uint32_t task, struct buf *out)
{
	struct arena a = { 0 };
	struct target_map *v = NULL;
	size_t n = 0;
	int ret = s->t->ops->maps(s->t, task, &a, &v, &n, NULL);

	for (size_t i = 0; ret == 0 && i < n; i++) {
		size_t begin = out->len;

		buf_printf(out, "%lx-%lx %c%c%c%c %08lx 00:00 %lu", v[i].start,
			   v[i].end, v[i].prot & PROT_READ ? 'r' : '-',
			   v[i].prot & PROT_WRITE ? 'w' : '-',
			   v[i].prot & PROT_EXEC ? 'x' : '-',
			   v[i].flags & MAP_SHARED ? 's' : 'p', v[i].offset,
			   v[i].file);
		while (v[i].name[0] && out->len - begin < 73)
			buf_str(out, " ");
		buf_printf(out, "%s\n", v[i].name);
	}
	arena_free(&a);
	return ret;
}

int
proc_open(struct gdb_server *s, const char *path)
{
	const struct target_task *t;
	struct buf text = { 0 };
	const char *name;
	int fd = -1;

	t = parse(s, path, &name);
	if (!t)
		return -1;
	if (strcmp(name, "maps") == 0) {
		if (put_maps(s, t->task, &text) < 0)
			buf_clear(&text);
	} else if (strcmp(name, "cmdline") == 0 || strcmp(name, "comm") == 0) {
		buf_printf(&text, "%s\n", t->comm ? t->comm : "");
	}
	if (text.len > 0)
		fd = memfd_create("proc", MFD_CLOEXEC);
	if (fd >= 0 && fd_pwrite_all(fd, text.p, text.len, 0) < 0)
		fd_close(&fd);
	buf_free(&text);
	return fd;
}

const char *
proc_link(struct gdb_server *s, const char *path)
{
	const struct target_task *t;
	struct target_map m;
	const char *name;

	t = parse(s, path, &name);
	if (!t || strcmp(name, "exe") != 0 || !executable_map(s, t->task, &m))
		return NULL;
	return m.name;
}
