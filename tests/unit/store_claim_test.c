/* Files whose contents the server may have: held, spooled, or found changed. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "event/source.h"
#include "store/db.h"
#include "store/query.h"
#include "tests/unit/store_fix.h"

#define PIECES 3u
#define LAST 1000u /* bytes of the last piece */
#define SIZE ((PIECES - 1) * (size_t)BLOB_PIECE + LAST)

static uint8_t *contents;
static struct blob_id ids[PIECES];

static void
setup(void)
{
	fix_db();
	contents = mem_zalloc(SIZE);
	/* The piece in the middle is a hole. */
	for (size_t i = 0; i < SIZE; i++)
		if (i / BLOB_PIECE != 1)
			contents[i] = (uint8_t)(i * 31 >> 5);
	blob_id_of(span_of(contents, BLOB_PIECE), &ids[0]);
	blob_id_of(span_of(contents + 2 * BLOB_PIECE, LAST), &ids[2]);
}

static void
teardown(void)
{
	mem_free(contents);
	fix_remove();
}

TestSuite(store_claim, .init = setup, .fini = teardown, .timeout = 120);

static int
file(void)
{
	int fd = memfd_create("contents", MFD_CLOEXEC);

	cr_assert_eq(fd_write_all(fd, contents, SIZE), 0);
	return fd;
}

static void
put_file(struct sink *s, int fd)
{
	must(s->ops->file(s, fd, ids, PIECES, &fix_err));
	fd_close(&fd);
}

/* As a recording that reads the file itself. */
static void
record_contents(void)
{
	struct sink *s = fix_open("first");
	struct blob_id id;

	must(sink_blob(s, span_of(contents, BLOB_PIECE), &id, &fix_err));
	must(sink_blob(s, span_of(contents + 2 * BLOB_PIECE, LAST), &id,
		       &fix_err));
	fix_put(s, 1, 1, 10);
	must(s->ops->close(s, &fix_err));
}

static void
check_contents(struct db *db, uint64_t rec)
{
	struct source *src;
	struct buf got = { 0 };

	must(store_source_open(db, rec, &src, &fix_err));
	must(source_blob(src, &ids[0], &got, &fix_err));
	must(source_blob(src, &ids[2], &got, &fix_err));
	cr_assert_eq(got.len, BLOB_PIECE + LAST);
	cr_assert_eq(memcmp(got.p, contents, BLOB_PIECE), 0);
	cr_assert_eq(
		memcmp(got.p + BLOB_PIECE, contents + 2 * BLOB_PIECE, LAST), 0);
	src->ops->close(src);
	buf_free(&got);
}

Test(store_claim, what_the_server_has_is_held_unread)
{
	struct sink *s;
	struct db *db;
	uint64_t n;

	record_contents();
	db = fix_connect();
	s = fix_open("second");
	/* Whoever reads this finds that it is not what it should be. */
	put_file(s, open("/dev/null", O_RDONLY | O_CLOEXEC));
	while (fix_sql(db, "select count(*) from pastime.recording_pack "
			   "where recording > 1") == 0)
		;
	fix_put(s, 1, 1, 10);
	must(store_sink_finish(s, &fix_err));
	cr_assert_null(store_sink_problem(s));
	cr_assert_eq(store_sink_recording(s), 2);
	must(s->ops->close(s, &fix_err));
	/* It does not hang on the recording that brought them. */
	must(query_remove(db, 1, &fix_err));
	must(query_gc(db, &n, &n, &fix_err));
	check_contents(db, 2);
	store_close(db);
}

Test(store_claim, what_the_server_lacks_is_read_and_stored)
{
	struct sink *s = fix_open("x");
	struct db *db;

	put_file(s, file());
	fix_put(s, 1, 1, 10);
	must(s->ops->close(s, &fix_err));
	db = fix_connect();
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.blob"), 2);
	check_contents(db, 1);
	store_close(db);
}

Test(store_claim, of_what_the_server_has_in_part_nothing_is_missing)
{
	struct sink *s = fix_open("first");
	struct blob_id id;
	struct db *db;

	must(sink_blob(s, span_of(contents, BLOB_PIECE), &id, &fix_err));
	fix_put(s, 1, 1, 10);
	must(s->ops->close(s, &fix_err));
	s = fix_open("second");
	put_file(s, file());
	fix_put(s, 1, 1, 10);
	must(s->ops->close(s, &fix_err));
	db = fix_connect();
	check_contents(db, 2);
	store_close(db);
}

Test(store_claim, without_a_server_it_is_in_the_spool)
{
	struct sink *s;

	setenv("PASTIME_FAULT", "db_connect:1+", 1);
	s = fix_open("x");
	put_file(s, file());
	fix_put(s, 1, 1, 10);
	must(store_sink_finish(s, &fix_err));
	must(s->ops->close(s, &fix_err));
	cr_assert_eq(fix_spools(), 1);
	unsetenv("PASTIME_FAULT");
	cr_assert_eq(system("\"$PASTIME\" sql -q --csv 'select count(*) from "
			    "pastime.blob' | grep -q '^2'"),
		     0);
	cr_assert_eq(fix_spools(), 0);
}

Test(store_claim, a_file_that_is_not_what_it_was_ends_the_recording)
{
	struct sink *s = fix_open("x");

	contents[5] ^= 1;
	put_file(s, file());
	fix_put(s, 1, 1, 10);
	cr_assert_eq(store_sink_finish(s, &fix_err), -E_SPOOL);
	cr_assert_not_null(strstr(fix_err.text, "does not contain"));
	s->ops->close(s, NULL);
}

/* A recorder that is killed before its first chunk is spooled. */
Test(store_claim, a_recording_is_seen_from_its_first_events_on)
{
	struct recording_row row;
	struct arena a = { 0 };
	struct sink *s;
	struct db *db;
	uint64_t n;

	record_contents();
	db = fix_connect();
	s = fix_open("second");
	put_file(s, file());
	while (fix_sql(db, "select count(*) from pastime.recording_pack "
			   "where recording > 1") == 0)
		;
	cr_assert_eq(query_recording(db, 2, &a, &row, NULL), -E_NOT_FOUND);
	/* Nor is what it holds taken away. */
	must(query_gc(db, &n, &n, &fix_err));
	fix_put(s, 1, 1, 10);
	must(s->ops->close(s, &fix_err));
	must(query_recording(db, 2, &a, &row, &fix_err));
	cr_assert_str_eq(row.state, "done");
	check_contents(db, 2);
	arena_free(&a);
	store_close(db);
}

Test(store_claim, a_recording_without_events_holds_nothing)
{
	struct sink *s;
	struct db *db;

	record_contents();
	db = fix_connect();
	s = fix_open("second");
	put_file(s, file());
	while (fix_sql(db, "select count(*) from pastime.recording_pack "
			   "where recording > 1") == 0)
		;
	must(store_sink_finish(s, &fix_err));
	must(s->ops->close(s, &fix_err));
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.recording"), 1);
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.recording_pack "
				 "where recording > 1"),
		     0);
	store_close(db);
}

/* The server comes back without what it had not yet on its disk. */
Test(store_claim, what_a_server_lost_is_stored_anew)
{
	struct sink *s;
	struct db *db;

	record_contents();
	db = fix_connect();
	s = fix_open("second");
	put_file(s, file());
	while (fix_sql(db, "select count(*) from pastime.recording_pack "
			   "where recording > 1") == 0)
		;
	fix_sql(db, "with a as (delete from pastime.blob), "
		    "b as (delete from pastime.pack), "
		    "c as (delete from pastime.recording_pack) select 1");
	fix_sql(db, "select count(pg_terminate_backend(pid)) from "
		    "pg_stat_activity where pid <> pg_backend_pid() and "
		    "datname = current_database()");
	fix_put(s, 1, 1, 10);
	must(store_sink_finish(s, &fix_err));
	cr_assert_null(store_sink_problem(s));
	must(s->ops->close(s, &fix_err));
	check_contents(db, 2);
	store_close(db);
}
