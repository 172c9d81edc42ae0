/* vFile: gdb reads executables and libraries as they were recorded. */
#include "gdb/program.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define OPEN_MAX_FILES 256u
#define WRITE_FLAGS 0x703u /* O_WRONLY, O_RDWR, O_APPEND, O_CREAT, O_TRUNC */

/* As the protocol numbers errors. */
enum {
	FILE_ENOENT = 2,
	FILE_EBADF = 9,
	FILE_EINVAL = 22,
	FILE_EMFILE = 24,
	FILE_EROFS = 30,
	FILE_EUNKNOWN = 9999,
};

static void
fail(struct gdb_server *s, unsigned number)
{
	buf_clear(&s->reply);
	buf_printf(&s->reply, "F-1,%x", number);
}

static int
find_open(struct gdb_server *s, uint64_t n)
{
	return n < s->open.len ? s->open.v[n] : -1;
}

static void
do_setfs(struct gdb_server *s, struct scan *args)
{
	(void)args;
	buf_str(&s->reply, "F0");
}

/* A descriptor of what stood under that path; -1 = nothing. */
static int
open_recorded(struct gdb_server *s, const char *path)
{
	const char *local;
	int fd = proc_open(s, path);

	if (fd >= 0)
		return fd;
	local = recorded_file(s, path);
	return local ? open(local, O_RDONLY | O_CLOEXEC) : -1;
}

static void
do_open(struct gdb_server *s, struct scan *args)
{
	struct span name = scan_until(args, ',');
	struct buf path = { 0 };
	uint64_t flags;
	size_t i = 0;
	int fd;

	flags = scan_hex(args);
	scan_char(args, ',');
	scan_hex(args);
	while (i < s->open.len && s->open.v[i] >= 0)
		i++;
	if (!scan_done(args) || !hex_get(name, &path)) {
		fail(s, FILE_EINVAL);
	} else if (flags & WRITE_FLAGS) {
		fail(s, FILE_EROFS);
	} else if (i == OPEN_MAX_FILES) {
		fail(s, FILE_EMFILE);
	} else if ((fd = open_recorded(s, buf_cstr(&path))) < 0) {
		fail(s, FILE_ENOENT);
	} else {
		if (i == s->open.len)
			vec_push(&s->open, -1);
		s->open.v[i] = fd;
		buf_printf(&s->reply, "F%zx", i);
	}
	buf_free(&path);
}

static void
do_close(struct gdb_server *s, struct scan *args)
{
	uint64_t n = scan_hex(args);

	if (!scan_done(args) || find_open(s, n) < 0) {
		fail(s, FILE_EBADF);
		return;
	}
	fd_close(&s->open.v[n]);
	buf_str(&s->reply, "F0");
}

static void
do_pread(struct gdb_server *s, struct scan *args)
{
	uint64_t n = scan_hex(args), count, offset;
	uint8_t *bytes;
	ssize_t got;
	int fd;

	scan_char(args, ',');
	count = scan_hex(args);
	scan_char(args, ',');
	offset = scan_hex(args);
	fd = find_open(s, n);
	if (!scan_done(args) || offset > INT64_MAX || fd < 0) {
		fail(s, fd < 0 ? FILE_EBADF : FILE_EINVAL);
		return;
	}
	if (count > PACKET_SIZE / 2 - 32) /* all may need an escape */
		count = PACKET_SIZE / 2 - 32;
	bytes = mem_alloc(count + 1);
	got = fd_pread_full(fd, bytes, count, (off_t)offset);
	if (got < 0) {
		fail(s, FILE_EUNKNOWN);
	} else {
		buf_printf(&s->reply, "F%zx;", (size_t)got);
		buf_put(&s->reply, bytes, (size_t)got);
	}
	mem_free(bytes);
}

static void
put_be(struct buf *out, uint64_t v, unsigned bytes)
{
	while (bytes > 0)
		buf_u8(out, (uint8_t)(v >> 8 * --bytes));
}

static void
do_fstat(struct gdb_server *s, struct scan *args)
{
	uint64_t n = scan_hex(args);
	struct stat st;

	if (!scan_done(args) || find_open(s, n) < 0 ||
	    fstat(find_open(s, n), &st) < 0) {
		fail(s, FILE_EBADF);
		return;
	}
	buf_str(&s->reply, "F40;");
	put_be(&s->reply, 0, 4);			  /* dev */
	put_be(&s->reply, n + 1, 4);			  /* ino */
	put_be(&s->reply, S_IFREG | 0555, 4);		  /* mode */
	put_be(&s->reply, 1, 4);			  /* nlink */
	put_be(&s->reply, 0, 4);			  /* uid */
	put_be(&s->reply, 0, 4);			  /* gid */
	put_be(&s->reply, 0, 4);			  /* rdev */
	put_be(&s->reply, (uint64_t)st.st_size, 8);	  /* size */
	put_be(&s->reply, 4096, 8);			  /* blksize */
	put_be(&s->reply, (uint64_t)st.st_size / 512, 8); /* blocks */
	put_be(&s->reply, 0, 12);			  /* times */
}

/* Recorded paths have no links left; /proc has. */
static void
do_readlink(struct gdb_server *s, struct scan *args)
{
	struct buf path = { 0 };
	const char *to = NULL;

	if (hex_get(scan_rest(args), &path))
		to = proc_link(s, buf_cstr(&path));
	if (to)
		buf_printf(&s->reply, "F%zx;%s", strlen(to), to);
	else
		fail(s, FILE_EINVAL);
	buf_free(&path);
}

static void
do_refuse(struct gdb_server *s, struct scan *args)
{
	(void)args;
	fail(s, FILE_EROFS);
}

const struct handler file_handlers[] = {
	{ "vFile:setfs:", do_setfs },
	{ "vFile:open:", do_open },
	{ "vFile:close:", do_close },
	{ "vFile:pread:", do_pread },
	{ "vFile:fstat:", do_fstat },
	{ "vFile:readlink:", do_readlink },
	{ "vFile:pwrite:", do_refuse },
	{ "vFile:unlink:", do_refuse },
	{ NULL, NULL },
};

void
files_close(struct gdb_server *s)
{
	for (size_t i = 0; i < s->open.len; i++)
		fd_close(&s->open.v[i]);
	vec_clear(&s->open);
}
