#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "event/codec.h"
#include "event/source.h"
#include "store/db.h"
#include "store/query.h"
#include "tests/unit/store_fix.h"
#include "tests/unit/store_gen.h"

TestSuite(store_sink, .init = fix_db, .fini = fix_remove, .timeout = 120);

Test(store_sink, what_is_recorded_is_read_back)
{
	uint64_t rec = fix_record("/usr/bin/prog -x y", 3, 20001);
	struct db *db = fix_connect();
	struct arena a = { 0 };
	struct recording_row row;

	fix_check(db, rec, 3, 20001);
	must(query_recording(db, rec, &a, &row, &fix_err));
	cr_assert_str_eq(row.name, "prog");
	cr_assert_str_eq(row.command, "/usr/bin/prog -x y");
	cr_assert_str_eq(row.state, "done");
	cr_assert_eq(row.events, 20001);
	cr_assert_eq(fix_spools(), 0);
	arena_free(&a);
	store_close(db);
}

Test(store_sink, a_recording_without_events_leaves_nothing)
{
	struct sink *s = fix_open("nothing");
	struct blob_id id;
	struct db *db;

	must(sink_blob(s, span_str("contents"), &id, &fix_err));
	must(store_sink_finish(s, &fix_err));
	cr_assert_eq(store_sink_recording(s), 0);
	cr_assert_null(store_sink_problem(s));
	must(s->ops->close(s, &fix_err));
	cr_assert_eq(fix_spools(), 0);
	db = fix_connect();
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.recording"), 0);
	store_close(db);
}

Test(store_sink, an_event_out_of_order_is_refused)
{
	struct sink *s = fix_open("x");
	struct event ev = { .seq = 2, .kind = EV_syscall };

	cr_assert_eq(sink_put(s, &ev, &fix_err), -EINVAL);
	must(s->ops->close(s, &fix_err));
}

Test(store_sink, names_and_tags_are_kept_whatever_bytes_they_have)
{
	static const char tag_a[] = "who=\"me\\\"", tag_b[] = "line=a\nb";
	char *const tags[] = { mem_strdup(tag_a), mem_strdup(tag_b), NULL };
	struct store_sink_opts o = { .command = "c \xff",
				     .name = "n\xc3\xa9",
				     .tags = tags };
	struct sink *s = NULL;
	struct db *db;

	must(store_sink_open(&o, &s, &fix_err));
	fix_put(s, 1, 1, 5);
	must(s->ops->close(s, &fix_err));
	db = fix_connect();
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.recording "
				 "where name = E'n\\u00e9' and command = "
				 "E'c \\\\xff' and tags ->> 'who' = "
				 "E'\"me\\\\\"' and tags ->> 'line' = "
				 "E'a\\nb'"),
		     1);
	store_close(db);
	mem_free(tags[0]);
	mem_free(tags[1]);
}

Test(store_sink, contents_are_stored_once_for_all_recordings)
{
	uint8_t *bytes = mem_alloc(BLOB_PIECE);
	struct blob_id id[2], small;
	struct buf got = { 0 };
	struct source *src;
	struct db *db;

	for (size_t i = 0; i < BLOB_PIECE; i++)
		bytes[i] = (uint8_t)(i * 7 >> 3);
	for (int k = 0; k < 2; k++) {
		struct sink *s = fix_open("x");

		must(sink_blob(s, span_of(bytes, BLOB_PIECE), &id[k],
			       &fix_err));
		must(sink_blob(s, span_str("small"), &small, &fix_err));
		must(sink_blob(s, span_str("small"), &small, &fix_err));
		fix_put(s, 1, 1, 10);
		must(s->ops->close(s, &fix_err));
	}
	cr_assert_eq(memcmp(&id[0], &id[1], sizeof(id[0])), 0);
	db = fix_connect();
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.blob"), 2);
	cr_assert_eq(fix_sql(db, "select count(distinct recording) from "
				 "pastime.recording_pack"),
		     2);
	must(store_source_open(db, 2, &src, &fix_err));
	must(source_blob(src, &id[0], &got, &fix_err));
	must(source_blob(src, &small, &got, &fix_err));
	cr_assert_eq(got.len, BLOB_PIECE + 5);
	cr_assert_eq(memcmp(got.p, bytes, BLOB_PIECE), 0);
	cr_assert_eq(memcmp(got.p + BLOB_PIECE, "small", 5), 0);
	src->ops->close(src);
	store_close(db);
	buf_free(&got);
	mem_free(bytes);
}

static void
wait_for_events(struct db *db, int64_t n)
{
	while (fix_sql(db, "select coalesce(max(events), 0) from "
			   "pastime.recording") < n)
		;
}

Test(store_sink, a_running_recording_can_be_read)
{
	struct sink *s = fix_open("x");
	struct db *db = fix_connect();
	struct arena a = { 0 };
	struct recording_row row;
	struct source *src;
	struct event ev;

	fix_put(s, 9, 1, 100);
	/* Nothing but time closes this chunk. */
	wait_for_events(db, 100);
	must(query_recording(db, 1, &a, &row, &fix_err));
	cr_assert_str_eq(row.state, "running");
	must(store_source_open(db, 1, &src, &fix_err));
	for (int i = 0; i < 100; i++)
		cr_assert_eq(source_next(src, &ev, &fix_err), 1);
	cr_assert_eq(source_next(src, &ev, &fix_err), 0);
	fix_put(s, 9, 101, 250);
	must(store_sink_finish(s, &fix_err));
	for (int i = 100; i < 250; i++)
		cr_assert_eq(source_next(src, &ev, &fix_err), 1);
	cr_assert_eq(ev.seq, 250);
	cr_assert_eq(source_next(src, &ev, &fix_err), 0);
	src->ops->close(src);
	must(s->ops->close(s, &fix_err));
	arena_free(&a);
	store_close(db);
}

Test(store_sink, a_failed_copy_is_repeated)
{
	struct db *db;

	setenv("PASTIME_FAULT", "db_copy:2", 1);
	fix_record("x", 4, 30000);
	unsetenv("PASTIME_FAULT");
	db = fix_connect();
	fix_check(db, 1, 4, 30000);
	store_close(db);
}

Test(store_sink, a_failed_connection_is_repeated)
{
	struct db *db;
	struct sink *s;

	setenv("PASTIME_FAULT", "db_connect:1", 1);
	s = fix_open("x");
	fix_put(s, 4, 1, 9000);
	must(store_sink_finish(s, &fix_err));
	cr_assert_null(store_sink_problem(s));
	must(s->ops->close(s, &fix_err));
	db = fix_connect();
	fix_check(db, 1, 4, 9000);
	store_close(db);
}

Test(store_sink, without_a_server_the_spool_keeps_it_for_the_next_command)
{
	struct sink *s;

	setenv("PASTIME_FAULT", "db_connect:1+", 1);
	s = fix_open("x");
	fix_put(s, 4, 1, 9000);
	must(store_sink_finish(s, &fix_err));
	cr_assert_not_null(store_sink_problem(s));
	cr_assert_eq(store_sink_recording(s), 0);
	must(s->ops->close(s, &fix_err));
	cr_assert_eq(fix_spools(), 1);
	/* Fault points are read once in a process: another one opens. */
	unsetenv("PASTIME_FAULT");
	cr_assert_eq(system("\"$PASTIME\" ls >/dev/null"), 0);
	cr_assert_eq(fix_spools(), 0);
}

/* A child that records from a home of its own and is killed with -9. */
static void
record_and_die(uint64_t n, const char *fault)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct store_sink_opts o = { .command = "victim" };
		struct sink *s;
		struct event ev;
		struct gen g;

		if (fault)
			setenv("PASTIME_FAULT", fault, 1);
		if (store_sink_open(&o, &s, NULL) < 0)
			_exit(1);
		gen_init(&g, 6);
		for (uint64_t i = 0; i < n; i++) {
			gen_next(&g, &ev);
			if (sink_put(s, &ev, NULL) < 0)
				_exit(2);
		}
		if (s->ops->flush(s, NULL) < 0)
			_exit(3);
		/* What follows is in memory only, or half written. */
		for (uint64_t i = 0; i < 100; i++) {
			gen_next(&g, &ev);
			if (sink_put(s, &ev, NULL) < 0)
				_exit(4);
		}
		raise(SIGKILL);
	}
	waitpid(pid, &status, 0);
	cr_assert(WIFSIGNALED(status), "exit %d", WEXITSTATUS(status));
}

Test(store_sink, a_killed_recorder_loses_nothing_that_was_spooled)
{
	struct recording_row row;
	struct arena a = { 0 };
	struct db *db;

	record_and_die(25000, NULL);
	cr_assert_eq(fix_spools(), 1);
	db = fix_connect();
	cr_assert_eq(fix_spools(), 0);
	must(query_recording(db, 1, &a, &row, &fix_err));
	cr_assert_str_eq(row.state, "cut off");
	cr_assert_geq(row.events, 25000);
	fix_check(db, 1, 6, row.events);
	arena_free(&a);
	store_close(db);
}

Test(store_sink, a_chunk_torn_by_a_power_cut_ends_the_recording_before_it)
{
	struct recording_row row;
	struct arena a = { 0 };
	struct db *db;

	/* The server was away, the third frame after meta is torn. */
	record_and_die(25000, "db_connect:1+,chunk_truncate:4");
	db = fix_connect();
	must(query_recording(db, 1, &a, &row, &fix_err));
	cr_assert_str_eq(row.state, "cut off");
	cr_assert_gt(row.events, 0);
	cr_assert_lt(row.events, 25000);
	fix_check(db, 1, 6, row.events);
	cr_assert_eq(fix_spools(), 0);
	arena_free(&a);
	store_close(db);
}

/* Put until the sink says that it cannot go on. */
static int
put_until_refused(struct sink *s, uint64_t seed)
{
	struct event ev;
	struct gen g;
	int rc = 0;

	gen_init(&g, seed);
	for (uint64_t i = 0; rc == 0 && i < 2000000; i++) {
		gen_next(&g, &ev);
		rc = sink_put(s, &ev, &fix_err);
	}
	gen_free(&g);
	return rc;
}

static void
check_full_disk(void)
{
	struct sink *s = fix_open("x");
	struct recording_row row;
	struct arena a = { 0 };
	struct db *db;

	cr_assert_eq(put_until_refused(s, 8), -E_SPOOL);
	cr_assert_not_null(strstr(fix_err.text, "No space left"));
	cr_assert_not_null(strstr(fix_err.hint, "free some space"));
	cr_assert_eq(store_sink_finish(s, &fix_err), -E_SPOOL);
	cr_assert_not_null(store_sink_problem(s));
	cr_assert_eq(s->ops->close(s, &fix_err), -E_SPOOL);
	db = fix_connect();
	must(query_recording(db, 1, &a, &row, &fix_err));
	cr_assert_str_eq(row.state, "cut off");
	cr_assert_gt(row.events, 0);
	fix_check(db, 1, 8, row.events);
	cr_assert_eq(fix_spools(), 0);
	arena_free(&a);
	store_close(db);
}

Test(store_sink, a_spool_that_cannot_be_written_ends_it_at_a_whole_event)
{
	setenv("PASTIME_FAULT", "spool_write:6", 1);
	check_full_disk();
}

Test(store_sink, a_full_disk_ends_it_at_a_whole_event)
{
	if (unshare(CLONE_NEWNS) != 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("small", fix_path(), "tmpfs", 0, "size=2m") != 0)
		cr_skip_test("mounting is not allowed here");
	check_full_disk();
	umount2(fix_path(), MNT_DETACH);
}

static void
record_in_child(int i)
{
	if (fork() == 0) {
		struct store_sink_opts o = { .command = "x" };
		struct blob_id id;
		char text[32];
		struct sink *s;
		struct event ev;
		struct gen g;

		if (store_sink_open(&o, &s, NULL) < 0)
			_exit(1);
		for (int k = 0; k < 200; k++) {
			/* The same ones, each in another order. */
			snprintf(text, sizeof(text), "blob %d",
				 (k * 7 + i * 31) % 200);
			if (sink_blob(s, span_str(text), &id, NULL) < 0)
				_exit(2);
		}
		gen_init(&g, 1);
		for (int k = 0; k < 5000; k++) {
			gen_next(&g, &ev);
			if (sink_put(s, &ev, NULL) < 0)
				_exit(3);
		}
		if (store_sink_finish(s, NULL) < 0 || store_sink_problem(s))
			_exit(4);
		_exit(0);
	}
}

Test(store_sink, recordings_at_the_same_time_get_numbers_of_their_own)
{
	struct db *db;
	int status;

	for (int i = 0; i < 6; i++)
		record_in_child(i);
	for (int i = 0; i < 6; i++) {
		wait(&status);
		cr_assert_eq(status, 0);
	}
	db = fix_connect();
	cr_assert_eq(fix_sql(db, "select max(recording) from "
				 "pastime.recording"),
		     6);
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.blob"), 200);
	/* Every recording needs all packs that its blobs are in. */
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.recording r, "
				 "(select distinct pack from pastime.blob) b "
				 "where not exists (select 1 from "
				 "pastime.recording_pack x where "
				 "x.recording = r.recording and "
				 "x.pack = b.pack)"),
		     0);
	store_close(db);
}
