#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/frame.h"
#include "store/spool.h"
#include "tests/unit/store_fix.h"

#define UUID "01234567-89ab-4def-8123-456789abcdef"

TestSuite(store_spool, .init = fix_home, .fini = fix_remove, .timeout = 60);

static struct spool *
create(void)
{
	struct spool *s = NULL;

	must(spool_create(fix_path(), UUID, span_str("meta"), &s, &fix_err));
	return s;
}

static void
append(struct spool *s, enum frame_type type, const char *head,
       const char *body)
{
	must(spool_append(s, type, span_str(head), span_str(body), &fix_err));
}

static const char *
path(void)
{
	static char text[128];

	snprintf(text, sizeof(text), "%s/" UUID ".spool", fix_path());
	return text;
}

static size_t
count(struct spool *s)
{
	uint64_t at = spool_start(s);
	struct buf tmp = { 0 };
	struct frame f;
	size_t n = 0;

	while (at < spool_end(s)) {
		cr_assert_eq(spool_read(s, at, &tmp, &f, &fix_err), 1);
		at = f.next;
		n++;
	}
	buf_free(&tmp);
	return n;
}

Test(store_spool, frames_come_back_as_they_were_written)
{
	struct spool *s = create();
	struct buf tmp = { 0 };
	struct frame f;

	append(s, FRAME_BLOB, "he", "ad");
	append(s, FRAME_CHUNK, "", "");
	cr_assert_eq(spool_read(s, spool_start(s), &tmp, &f, &fix_err), 1);
	cr_assert_eq(f.type, FRAME_BLOB);
	cr_assert(span_eq(f.bytes, span_str("head")));
	cr_assert_eq(spool_read(s, f.next, &tmp, &f, &fix_err), 1);
	cr_assert_eq(f.type, FRAME_CHUNK);
	cr_assert_eq(f.bytes.len, 0);
	cr_assert_eq(f.next, spool_end(s));
	cr_assert_eq(spool_read(s, f.next, &tmp, &f, &fix_err), 0);
	cr_assert(span_eq(spool_meta(s), span_str("meta")));
	buf_free(&tmp);
	spool_close(s, false);
}

Test(store_spool, another_opens_it_only_when_its_recorder_is_gone)
{
	struct spool *s = create(), *other = NULL;

	append(s, FRAME_BLOB, "a", "b");
	cr_assert(spool_is_live(fix_path(), UUID));
	cr_assert_eq(spool_open(path(), &other, &fix_err), -E_BUSY);
	spool_close(s, false);
	cr_assert_not(spool_is_live(fix_path(), UUID));
	must(spool_open(path(), &other, &fix_err));
	cr_assert_eq(count(other), 1);
	cr_assert(span_eq(spool_meta(other), span_str("meta")));
	spool_close(other, true);
	cr_assert_eq(access(path(), F_OK), -1);
}

Test(store_spool, a_torn_frame_was_never_written)
{
	struct spool *s = create();
	uint64_t whole;

	append(s, FRAME_BLOB, "first", "");
	whole = spool_end(s);
	append(s, FRAME_BLOB, "second", "is longer");
	spool_close(s, false);
	for (off_t len = (off_t)whole; len < (off_t)whole + 30; len += 7) {
		cr_assert_eq(truncate(path(), len), 0);
		must(spool_open(path(), &s, &fix_err));
		cr_assert_eq(spool_end(s), whole);
		cr_assert_eq(count(s), 1);
		spool_close(s, false);
	}
}

Test(store_spool, a_changed_byte_ends_it)
{
	struct spool *s = create();
	uint64_t second;
	int fd;

	append(s, FRAME_BLOB, "first", "");
	second = spool_end(s);
	append(s, FRAME_BLOB, "second", "");
	append(s, FRAME_BLOB, "third", "");
	spool_close(s, false);
	fd = open(path(), O_RDWR);
	cr_assert_eq(pwrite(fd, "S", 1, (off_t)second + 24), 1);
	close(fd);
	must(spool_open(path(), &s, &fix_err));
	cr_assert_eq(spool_end(s), second);
	spool_close(s, false);
}

Test(store_spool, what_is_no_spool_is_said_to_be_none)
{
	struct spool *s = NULL;
	FILE *f = fopen(path(), "w");

	fputs("something else that is longer than a header of a spool", f);
	fclose(f);
	cr_assert_eq(spool_open(path(), &s, &fix_err), -E_SPOOL);
	cr_assert_null(s);
}

Test(store_spool, a_failed_write_leaves_whole_frames)
{
	struct spool *s;

	setenv("PASTIME_FAULT", "spool_write:3", 1);
	s = create(); /* its meta frame is the first write */
	append(s, FRAME_BLOB, "first", "");
	cr_assert_eq(spool_append(s, FRAME_BLOB, span_str("second"),
				  span_str(""), &fix_err),
		     -E_SPOOL);
	cr_assert_not_null(strstr(fix_err.text, "No space left"));
	cr_assert_neq(fix_err.hint[0], '\0');
	append(s, FRAME_BLOB, "third", "");
	cr_assert_eq(count(s), 2);
	spool_close(s, false);
	must(spool_open(path(), &s, &fix_err));
	cr_assert_eq(count(s), 2);
	spool_close(s, false);
}

/* A file system of 1 MB of our own, where that is allowed. */
static bool
small_disk(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("small", fix_path(), "tmpfs", 0, "size=1m") == 0;
}

Test(store_spool, a_full_disk_leaves_whole_frames)
{
	static uint8_t bytes[100000];
	struct spool *s;
	struct stat st;
	size_t n = 0;
	int rc;

	if (!small_disk())
		cr_skip_test("mounting is not allowed here");
	s = create();
	while ((rc = spool_append(s, FRAME_BLOB, span_of(bytes, sizeof(bytes)),
				  span_str(""), &fix_err)) == 0)
		n++;
	cr_assert_eq(rc, -E_SPOOL);
	cr_assert_not_null(strstr(fix_err.text, "No space left"));
	cr_assert_gt(n, 5);
	cr_assert_eq(count(s), n);
	/* What was written of the last one is given back. */
	cr_assert_eq(stat(path(), &st), 0);
	cr_assert_eq((uint64_t)st.st_size, spool_end(s));
	spool_close(s, false);
	must(spool_open(path(), &s, &fix_err));
	cr_assert_eq(count(s), n);
	spool_close(s, false);
	umount2(fix_path(), MNT_DETACH);
}

Test(store_spool, dropping_gives_space_back_and_keeps_the_rest)
{
	uint8_t *bytes = mem_zalloc(1 << 20);
	struct spool *s = create();
	uint64_t at = 0;
	struct stat before, after;

	memset(bytes, 'x', 1 << 20);
	for (int i = 0; i < 24; i++) {
		if (i == 20)
			at = spool_end(s);
		must(spool_append(s, FRAME_BLOB, span_of(bytes, 1 << 20),
				  span_str(""), &fix_err));
	}
	stat(path(), &before);
	spool_drop(s, at);
	stat(path(), &after);
	cr_assert_eq(spool_start(s), at);
	cr_assert_lt(after.st_blocks, before.st_blocks / 2);
	cr_assert_eq(count(s), 4);
	spool_close(s, false);
	must(spool_open(path(), &s, &fix_err));
	cr_assert_eq(count(s), 4);
	cr_assert(spool_is_dropped(s));
	cr_assert(span_eq(spool_meta(s), span_str("meta")));
	spool_close(s, false);
	mem_free(bytes);
}

Test(store_frame, the_head_of_a_chunk_comes_back)
{
	struct event ev[3] = {
		{ .seq = 5, .task = 9, .kind = EV_syscall, .call = 257 },
		{ .seq = 6, .task = 2, .kind = EV_exit, .call = 0 },
		{ .seq = 7, .task = 9, .kind = EV_signal, .call = -1 },
	};
	struct chunk_head h = { .info = { 5, 3, 1, 10, 20, 99 },
				.codec = 1,
				.tasks_seen = 9 };
	struct chunk_head got;
	struct arena a = { 0 };
	struct buf b = { 0 };
	struct span data;

	chunk_head_of(ev, 3, &a, &h);
	chunk_head_put(&b, &h);
	buf_str(&b, "data");
	must(chunk_head_get(buf_span(&b), &a, &got, &data, &fix_err));
	cr_assert(span_eq(data, span_str("data")));
	cr_assert_eq(got.info.first_seq, 5);
	cr_assert_eq(got.info.n, 3);
	cr_assert_eq(got.info.n_errors, 1);
	cr_assert_eq(got.info.t_min, 10);
	cr_assert_eq(got.info.t_max, 20);
	cr_assert_eq(got.info.raw_len, 99);
	cr_assert_eq(got.n_kinds, 3);
	cr_assert_eq(got.n_calls, 2);
	cr_assert_eq(got.calls[0], 0);
	cr_assert_eq(got.calls[1], 257);
	cr_assert_eq(got.n_tasks, 2);
	cr_assert_eq(got.tasks[0], 2);
	cr_assert_eq(got.tasks[1], 9);
	for (size_t n = 0; n + 4 < b.len; n++)
		cr_assert_eq(chunk_head_get(span_of(b.p, n), &a, &got, &data,
					    &fix_err),
			     -E_FORMAT);
	arena_free(&a);
	buf_free(&b);
}

Test(store_frame, facts_are_found_by_their_key)
{
	struct buf b = { 0 };

	facts_put(&b, "name", "a b");
	facts_put(&b, "empty", "");
	cr_assert_str_eq(facts_get(buf_span(&b), "name"), "a b");
	cr_assert_str_eq(facts_get(buf_span(&b), "empty"), "");
	cr_assert_str_eq(facts_get(buf_span(&b), "other"), "");
	b.len--; /* the last text has lost its end */
	cr_assert_str_eq(facts_get(buf_span(&b), "name"), "a b");
	buf_free(&b);
}
