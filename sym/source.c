/* Source text around a line, from where the program was built or from
 * PASTIME_SOURCE_PATH (directories by ':'). */
#include "sym/sym.h"

#include "base/fd.h"
#include "base/vec.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* file itself, then each directory of the path with every tail of file. */
static char *
find_source(const char *file)
{
	const char *dirs = getenv("PASTIME_SOURCE_PATH");

	if (access(file, R_OK) == 0)
		return mem_strdup(file);
	while (dirs && *dirs) {
		size_t len = strcspn(dirs, ":");

		for (const char *tail = file; tail; tail = strchr(tail, '/')) {
			char *path;

			tail += *tail == '/';
			path = mem_printf("%.*s/%s", (int)len, dirs, tail);
			if (access(path, R_OK) == 0)
				return path;
			mem_free(path);
		}
		dirs += len + (dirs[len] == ':');
	}
	return NULL;
}

int
sym_source_lines(const char *file, int from, int to, struct arena *a,
		 const char ***out, size_t *n, struct err *err)
{
	VEC(const char *) lines = { 0 };
	struct buf text = { 0 };
	char *path = find_source(file);
	int rc = path ? fd_read_file(path, &text) : -E_NOT_FOUND;
	int line = 1;

	mem_free(path);
	if (rc < 0) {
		buf_free(&text);
		err_set(err, E_NOT_FOUND, "no source file %s", file);
		err_hint(err, "set PASTIME_SOURCE_PATH to the directories of "
			      "the source");
		return -E_NOT_FOUND;
	}
	for (size_t at = 0; at < text.len && line <= to; line++) {
		const uint8_t *end = memchr(text.p + at, '\n', text.len - at);
		size_t len = end ? (size_t)(end - text.p) - at : text.len - at;

		if (line >= from) {
			char *copy = arena_alloc(a, len + 1);

			memcpy(copy, text.p + at, len);
			vec_push(&lines, copy);
		}
		at += len + 1;
	}
	*n = lines.len;
	*out = arena_dup(a, lines.v, lines.len * sizeof(*lines.v));
	vec_free(&lines);
	buf_free(&text);
	return 0;
}
