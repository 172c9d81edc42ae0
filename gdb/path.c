/*
 * Paths of recorded files. A client elsewhere asks for them by vFile; one on
 * this host opens them itself, which is quicker and quieter: those that are
 * still what they were under their own path, the others as copies.
 */
#include "gdb/program.h"
#include "gdb/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define PIECE 65536u

static struct known_file *
find_number(struct gdb_server *s, uint64_t number)
{
	for (size_t i = 0; i < s->files.len; i++) {
		if (s->files.v[i].number == number)
			return &s->files.v[i];
	}
	return NULL;
}

static struct known_file *
know(struct gdb_server *s, const struct target_map *m)
{
	struct known_file *f = find_number(s, m->file);

	if (f)
		return f;
	vec_push(&s->files,
		 ((struct known_file){ .number = m->file,
				       .path = mem_strdup(m->name) }));
	return &s->files.v[s->files.len - 1];
}

/* What is mapped anywhere now joins what was. */
static void
collect(struct gdb_server *s)
{
	const struct target_task *t;
	struct arena a = { 0 };
	size_t i = 0;

	while ((t = thread_next(s, &i)) != NULL) {
		struct target_map *v = NULL;
		size_t n = 0;

		if (s->t->ops->maps(s->t, t->task, &a, &v, &n, NULL) < 0)
			continue;
		for (size_t j = 0; j < n; j++) {
			if (v[j].file != 0)
				know(s, &v[j]);
		}
	}
	arena_free(&a);
}

static const char *
local_path(struct gdb_server *s, uint64_t number)
{
	struct target_file f;

	return number && s->t->ops->file(s->t, number, &f, NULL) == 0
		       ? f.local_path
		       : NULL;
}

const char *
recorded_file(struct gdb_server *s, const char *path)
{
	const char *base = strrchr(path, '/');
	struct target_map m;
	uint64_t number = 0;

	collect(s);
	/* The latest of that name: a program may have been built again. */
	for (size_t i = s->files.len; i > 0 && !number; i--) {
		if (strcmp(s->files.v[i - 1].path, path) == 0)
			number = s->files.v[i - 1].number;
	}
	if (!number && interpreter_map(s, thread_current(s), path, &m))
		number = m.file;
	/* Through a link of directories, such as /lib. */
	for (size_t i = 0; base && base[1] && i < s->files.len && !number;
	     i++) {
		const char *own = strrchr(s->files.v[i].path, '/');

		if (own && strcmp(own, base) == 0)
			number = s->files.v[i].number;
	}
	return local_path(s, number);
}

/* ---- on this host */

static bool
same_bytes(int a, int b, uint64_t size)
{
	uint8_t *x = mem_alloc(2 * PIECE), *y = x + PIECE;
	uint64_t at = 0;
	bool same = true;

	while (same && at < size) {
		size_t n = size - at < PIECE ? (size_t)(size - at) : PIECE;

		same = fd_pread_full(a, x, n, (off_t)at) == (ssize_t)n &&
		       fd_pread_full(b, y, n, (off_t)at) == (ssize_t)n &&
		       memcmp(x, y, n) == 0;
		at += n;
	}
	mem_free(x);
	return same;
}

static bool
is_same(const char *recorded, const char *here)
{
	int a = open(recorded, O_RDONLY | O_CLOEXEC);
	int b = open(here, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat x, y;
	bool same;

	same = a >= 0 && b >= 0 && fstat(a, &x) == 0 && fstat(b, &y) == 0 &&
	       S_ISREG(y.st_mode) && x.st_size == y.st_size &&
	       same_bytes(a, b, (uint64_t)x.st_size);
	fd_close(&a);
	fd_close(&b);
	return same;
}

/* Is the file under its path still what was recorded? Asked once. */
static bool
unchanged(struct gdb_server *s, struct known_file *f)
{
	const char *local;

	if (f->state == FILE_UNKNOWN) {
		local = local_path(s, f->number);
		f->state = local && is_same(local, f->path) ? FILE_UNCHANGED
							    : FILE_CHANGED;
	}
	return f->state == FILE_UNCHANGED;
}

const char *
path_shown(struct gdb_server *s, const struct target_map *m)
{
	struct known_file *f = know(s, m);
	const char *local;

	if (!s->local || unchanged(s, f))
		return f->path;
	local = local_path(s, f->number);
	return local ? local : f->path;
}

bool
gdb_server_use_local_files(struct gdb_server *s)
{
	struct target_map *v = NULL;
	struct arena a = { 0 };
	size_t n = 0;

	s->local =
		s->t->ops->maps(s->t, thread_current(s), &a, &v, &n, NULL) == 0;
	for (size_t i = 0; s->local && i < n; i++) {
		if (v[i].file != 0 && v[i].prot & PROT_EXEC)
			s->local = unchanged(s, know(s, &v[i]));
	}
	arena_free(&a);
	return s->local;
}
