#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "base/mem.h"
#include "store/db.h"
#include "store/filter.h"
#include "store/query.h"
#include "tests/unit/store_fix.h"
#include "tests/unit/store_gen.h"

TestSuite(store_query, .init = fix_db, .fini = fix_remove, .timeout = 120);

#define N 30000u

/* ---- recordings */

Test(store_query, recordings_are_listed_found_renamed_tagged_and_removed)
{
	struct recording_row *rows, row;
	struct arena a = { 0 };
	struct db *db;
	uint64_t rec;
	size_t n;

	fix_record("/bin/first a", 1, 10);
	fix_record("second", 2, 20);
	db = fix_connect();
	must(query_recordings(db, &a, &rows, &n, &fix_err));
	cr_assert_eq(n, 2);
	/* No number is the beginning of a UUID. */
	must(db_exec(db,
		     "update pastime.recording set uuid = case recording "
		     "when 1 then '3aaaaaaa-0000-4000-8000-000000000001' "
		     "else '1bbbbbbb-0000-4000-8000-000000000002' end::uuid",
		     &fix_err));
	must(query_recordings(db, &a, &rows, &n, &fix_err));
	cr_assert_str_eq(rows[0].name, "first");
	cr_assert_eq(rows[1].events, 20);
	cr_assert_eq(rows[1].status, -1);
	must(store_find(db, NULL, &rec, &fix_err));
	cr_assert_eq(rec, 2);
	must(store_find(db, "1", &rec, &fix_err));
	cr_assert_eq(rec, 1);
	must(store_find(db, "first", &rec, &fix_err));
	cr_assert_eq(rec, 1);
	must(store_find(db, rows[1].uuid, &rec, &fix_err));
	cr_assert_eq(rec, 2);
	cr_assert_eq(store_find(db, "third", &rec, &fix_err), -E_NOT_FOUND);
	/* A number is no prefix of a UUID, else rm 3 removes it. */
	for (char digit[2] = "3"; digit[0] <= '9'; digit[0]++)
		cr_assert_eq(store_find(db, digit, &rec, &fix_err),
			     -E_NOT_FOUND);
	must(db_exec(db,
		     "update pastime.recording set uuid = "
		     "'12345678-1234-1234-1234-123456789abc' where "
		     "recording = 2",
		     &fix_err));
	cr_assert_eq(store_find(db, "1234567", &rec, &fix_err), -E_NOT_FOUND);
	must(store_find(db, "12345678", &rec, &fix_err));
	cr_assert_eq(rec, 2);
	must(store_find(db, "12345678-1", &rec, &fix_err));
	cr_assert_eq(store_find(db, "", &rec, &fix_err), -E_NOT_FOUND);

	must(query_rename(db, 1, "better", &fix_err));
	cr_assert_eq(query_rename(db, 1, "12", &fix_err), -E_USAGE);
	cr_assert_eq(query_rename(db, 9, "x", &fix_err), -E_NOT_FOUND);
	must(query_tag(db, 1, "k", "v", &fix_err));
	must(query_tag(db, 1, "b", "w", &fix_err));
	must(query_tag(db, 1, "b", NULL, &fix_err));
	must(query_recording(db, 1, &a, &row, &fix_err));
	cr_assert_str_eq(row.name, "better");
	cr_assert_str_eq(row.tags, "k=v");

	must(query_remove(db, 1, &fix_err));
	cr_assert_eq(query_remove(db, 1, &fix_err), -E_NOT_FOUND);
	cr_assert_eq(store_find(db, "1", &rec, &fix_err), -E_NOT_FOUND);
	must(query_recordings(db, &a, &rows, &n, &fix_err));
	cr_assert_eq(n, 1);
	arena_free(&a);
	store_close(db);
}

Test(store_query, an_ambiguous_prefix_is_refused)
{
	struct arena a = { 0 };
	uint64_t rec;
	struct db *db;

	fix_record("x", 1, 10);
	fix_record("y", 1, 10);
	db = fix_connect();
	must(db_exec(db,
		     "update pastime.recording set uuid = case recording "
		     "when 1 then 'aabb0000-0000-4000-8000-000000000001' "
		     "else 'aabc0000-0000-4000-8000-000000000002' end::uuid",
		     &fix_err));
	cr_assert_eq(store_find(db, "aab", &rec, &fix_err), -E_AMBIGUOUS);
	must(store_find(db, "aabb", &rec, &fix_err));
	cr_assert_eq(rec, 1);
	must(store_find(db, "AABC", &rec, &fix_err));
	cr_assert_eq(rec, 2);
	arena_free(&a);
	store_close(db);
}

Test(store_query, gc_removes_what_nobody_needs_and_no_more)
{
	uint64_t blobs, bytes;
	struct sink *s;
	struct blob_id id;
	struct db *db;

	s = fix_open("first");
	must(sink_blob(s, span_str("only the first"), &id, &fix_err));
	fix_put(s, 1, 1, 10);
	must(s->ops->close(s, &fix_err));
	s = fix_open("second");
	must(sink_blob(s, span_str("only the second"), &id, &fix_err));
	fix_put(s, 1, 1, 10);
	must(s->ops->close(s, &fix_err));
	db = fix_connect();
	must(query_fill_rows(db, 1, NULL, NULL, &fix_err));
	must(query_gc(db, &blobs, &bytes, &fix_err));
	cr_assert_eq(blobs, 0);
	must(query_remove(db, 1, &fix_err));
	/* Queries do not see it any more; a replay still finds all it needs. */
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.event"), 0);
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.task"), 0);
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.chunk where "
				 "recording = 1"),
		     1);
	must(query_gc(db, &blobs, &bytes, &fix_err));
	cr_assert_eq(blobs, 1);
	cr_assert_gt(bytes, 0);
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.chunk where "
				 "recording = 1"),
		     0);
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.event"), 0);
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.blob"), 1);
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.recording"), 1);
	fix_check(db, 2, 1, 10);
	store_close(db);
}

Test(store_query, gc_waits_for_no_reader)
{
	struct db *db, *reader;
	uint64_t blobs, bytes;

	fix_record("x", 1, 10);
	db = fix_connect();
	reader = fix_connect();
	must(query_fill_rows(db, 1, NULL, NULL, &fix_err));
	must(db_exec(reader, "begin; select count(*) from pastime.event",
		     &fix_err));
	must(query_remove(db, 1, &fix_err));
	must(query_gc(db, &blobs, &bytes, &fix_err));
	/* It could not go now; it goes when nobody looks. */
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.recording"), 1);
	must(db_exec(reader, "commit", &fix_err));
	must(query_gc(db, &blobs, &bytes, &fix_err));
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.recording"), 0);
	store_close(reader);
	store_close(db);
}

Test(store_query, gc_leaves_what_is_still_recorded)
{
	struct sink *s;
	struct db *db;
	uint64_t blobs, bytes;

	s = fix_open("x");
	fix_put(s, 1, 1, 10);
	must(s->ops->flush(s, &fix_err));
	db = fix_connect();
	while (fix_sql(db, "select coalesce(max(events), 0) from "
			   "pastime.recording") < 10)
		sched_yield();
	must(query_remove(db, 1, &fix_err));
	must(query_gc(db, &blobs, &bytes, &fix_err));
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.recording"), 1);
	fix_put(s, 1, 11, 20);
	must(s->ops->close(s, &fix_err));
	must(query_gc(db, &blobs, &bytes, &fix_err));
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.recording"), 0);
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.chunk"), 0);
	store_close(db);
}

Test(store_query, text_need_not_be_utf8)
{
	struct recording_row row;
	struct arena a = { 0 };
	struct db *db;
	uint64_t rec;

	fix_record("x", 1, 10);
	db = fix_connect();
	must(query_rename(db, 1, "na\xffme", &fix_err));
	must(query_recording(db, 1, &a, &row, &fix_err));
	cr_assert_str_eq(row.name, "na\\xffme");
	must(store_find(db, "na\xffme", &rec, &fix_err));
	cr_assert_eq(rec, 1);
	cr_assert_eq(store_find(db, "\xfe", &rec, &fix_err), -E_NOT_FOUND);
	arena_free(&a);
	store_close(db);
}

Test(store_query, bookmarks)
{
	struct mark_row *rows;
	struct arena a = { 0 };
	struct db *db;
	size_t n;

	fix_record("x", 1, 10);
	db = fix_connect();
	must(query_mark_set(db, 1, "here", "e5", 5, "note", &fix_err));
	must(query_mark_set(db, 1, "before", "e3", 3, NULL, &fix_err));
	must(query_mark_set(db, 1, "here", "e6", 6, "moved", &fix_err));
	must(query_marks(db, 1, &a, &rows, &n, &fix_err));
	cr_assert_eq(n, 2);
	cr_assert_str_eq(rows[0].name, "before");
	cr_assert_str_eq(rows[1].pos, "e6");
	cr_assert_str_eq(rows[1].note, "moved");
	must(query_mark_del(db, 1, "here", &fix_err));
	cr_assert_eq(query_mark_del(db, 1, "here", &fix_err), -E_NOT_FOUND);
	arena_free(&a);
	store_close(db);
}

/* ---- events */

/* All events of gen(seed) that a filter lets through, by looking at each. */
static size_t
matching(const char *filter, uint64_t seed, uint64_t *seqs)
{
	struct event_filter *f = NULL;
	struct event ev;
	struct gen g;
	size_t n = 0;

	must(event_filter_parse(filter, &f, &fix_err));
	gen_init(&g, seed);
	for (uint64_t i = 0; i < N; i++) {
		gen_next(&g, &ev);
		if (event_filter_match(f, &ev))
			seqs[n++] = ev.seq;
	}
	gen_free(&g);
	event_filter_free(f);
	return n;
}

/* The same by pages of query_events, in one direction. */
static size_t
paged(struct db *db, const char *filter, bool back, size_t page, uint64_t *seqs)
{
	uint64_t at = back ? N + 1 : 0, scanned;
	struct event_filter *f = NULL;
	size_t n = 0;

	must(event_filter_parse(filter, &f, &fix_err));
	for (;;) {
		struct arena a = { 0 };
		struct event *ev;
		size_t got;

		must(query_events(db, 1, at, back, page, f, &a, &ev, &got,
				  &scanned, &fix_err));
		for (size_t i = 0; i < got; i++)
			seqs[n++] = ev[i].seq;
		arena_free(&a);
		if (back ? scanned <= 1 || scanned >= at : scanned <= at)
			break;
		at = scanned;
	}
	event_filter_free(f);
	return n;
}

static void
check_filter(struct db *db, const char *filter, size_t at_least, size_t page)
{
	uint64_t *want = mem_calloc(N, sizeof(*want));
	uint64_t *got = mem_calloc(2 * N, sizeof(*got));
	size_t n = matching(filter, 1, want);

	cr_assert_geq(n, at_least, "%s: %zu", filter, n);
	cr_assert_eq(paged(db, filter, false, page, got), n, "%s", filter);
	cr_assert_eq(memcmp(got, want, n * sizeof(*got)), 0, "%s", filter);
	cr_assert_eq(paged(db, filter, true, page, got), n, "%s back", filter);
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(got[i], want[n - 1 - i], "%s back", filter);
	mem_free(want);
	mem_free(got);
}

Test(store_query, pages_of_events_are_those_that_match)
{
	struct db *db;

	fix_record("x", 1, N);
	db = fix_connect();
	check_filter(db, "", N, 7000);
	check_filter(db, "task:3", 100, 999);
	check_filter(db, "task:3 call:openat", 10, 50);
	check_filter(db, "call:openat,close !error:any", 100, 500);
	check_filter(db, "call:net", 0, 50);
	check_filter(db, "group:file fd:3", 100, 5000);
	check_filter(db, "error:ENOENT", 10, 100);
	check_filter(db, "error:any !error:ENOENT", 10, 100);
	check_filter(db, "path:package7", 1, 10);
	check_filter(db, "path:*/package7/*", 1, 10);
	check_filter(db, "text:client", 100, 5000);
	check_filter(db, "kind:signal", 0, 10);
	check_filter(db, "kind:syscall", N, 10000);
	check_filter(db, "!task:1 !task:2", 100, 10000);
	check_filter(db, "!path:package7 call:openat", 10, 1000);
	check_filter(db, "path:*/packag[a-f]7*", 0, 10);
	check_filter(db, "path:*[7]*", 1, 10);
	check_filter(db, "path:p?ckage7", 0, 10);
	check_filter(db, "path:*/p?ckage7/*", 1, 10);
	check_filter(db, "text:open", 10, 1000);
	check_filter(db, "text:no-such-text-at-all", 0, 10);
	check_filter(db, "path:/no/such/file", 0, 10);
	check_filter(db, "error:EXDEV", 0, 10);
	check_filter(db, "task:3 kind:signal text:nothing", 0, 10);
	store_close(db);
}

/* A condition is asked of a window after the other; words say the same. */
Test(store_query, a_condition_finds_the_same_in_both_directions)
{
	uint64_t *words = mem_calloc(2 * N, sizeof(*words));
	uint64_t *sql = mem_calloc(2 * N, sizeof(*sql));
	struct db *db;

	fix_record("x", 1, N);
	db = fix_connect();
	for (int back = 0; back < 2; back++) {
		size_t n = paged(db, "task:3 call:openat", back, 77, words);

		cr_assert_gt(n, 77);
		cr_assert_eq(
			paged(db, "task = 3 and call = 257", back, 77, sql), n);
		cr_assert_eq(memcmp(sql, words, n * sizeof(*sql)), 0);
		cr_assert_eq(paged(db, "task = 333", back, 77, sql), 0);
	}
	mem_free(words);
	mem_free(sql);
	store_close(db);
}

Test(store_query, events_come_with_their_payloads)
{
	struct arena a = { 0 };
	struct event *ev, want;
	uint64_t scanned;
	struct gen g;
	struct db *db;
	size_t n;

	fix_record("x", 1, N);
	db = fix_connect();
	must(query_events(db, 1, 0, false, N, NULL, &a, &ev, &n, &scanned,
			  &fix_err));
	cr_assert_eq(n, N);
	cr_assert_eq(scanned, N);
	gen_init(&g, 1);
	for (size_t i = 0; i < n; i++) {
		gen_next(&g, &want);
		cr_assert(event_equal(&ev[i], &want));
	}
	gen_free(&g);
	arena_free(&a);
	store_close(db);
}

Test(store_query, a_condition_in_sql_is_a_filter)
{
	struct event_filter *f = NULL;
	struct arena a = { 0 };
	struct event *ev;
	uint64_t scanned;
	struct db *db;
	size_t n;

	fix_record("x", 1, N);
	db = fix_connect();
	must(event_filter_parse("call = 257 and error is not null", &f,
				&fix_err));
	must(query_events(db, 1, 0, false, 5, f, &a, &ev, &n, &scanned,
			  &fix_err));
	cr_assert_eq(n, 5);
	for (size_t i = 0; i < n; i++) {
		cr_assert_eq(ev[i].call, SYS_openat);
		cr_assert(ev[i].flags & EVF_ERROR);
	}
	cr_assert_eq(scanned, ev[4].seq);
	must(query_events(db, 1, N + 1, true, 2, f, &a, &ev, &n, &scanned,
			  &fix_err));
	cr_assert_eq(n, 2);
	cr_assert_gt(ev[0].seq, ev[1].seq);
	event_filter_free(f);
	must(event_filter_parse("nonsense = 1", &f, &fix_err));
	cr_assert_eq(query_events(db, 1, 0, false, 5, f, &a, &ev, &n, &scanned,
				  &fix_err),
		     -E_DB);
	cr_assert_not_null(strstr(fix_err.hint, "pastime.event"));
	event_filter_free(f);
	/* The connection is as good as before. */
	cr_assert_eq(fix_sql(db, "select 3"), 3);
	arena_free(&a);
	store_close(db);
}

Test(store_query, wrong_filters_say_what_is_wrong)
{
	static const char *const wrong[] = {
		"call:nosuchcall", "task:x",	 "kind:nosuch", "error:EWHAT",
		"group:nosuch",	   "colour:red", "call:"
	};
	struct event_filter *f;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		cr_assert_eq(event_filter_parse(wrong[i], &f, &fix_err),
			     -E_USAGE, "%s", wrong[i]);
		cr_assert_not_null(strstr(fix_err.text, "filter"));
	}
}

Test(store_query, time_finds_the_last_event_before_it)
{
	uint64_t *times = mem_calloc(N + 1, sizeof(*times)), seq;
	struct event ev;
	struct db *db;
	struct gen g;

	fix_record("x", 1, N);
	gen_init(&g, 1);
	for (uint64_t i = 1; i <= N; i++) {
		gen_next(&g, &ev);
		times[i] = ev.time_ns;
	}
	gen_free(&g);
	db = fix_connect();
	for (uint64_t i = 1; i <= N; i += 997) {
		must(query_seq_at_time(db, 1, times[i], &seq, &fix_err));
		cr_assert_eq(seq, i);
		must(query_seq_at_time(db, 1, times[i] - 1, &seq, &fix_err));
		cr_assert_eq(seq, i - 1);
	}
	must(query_seq_at_time(db, 1, UINT64_MAX >> 1, &seq, &fix_err));
	cr_assert_eq(seq, N);
	must(query_seq_at_time(db, 1, 0, &seq, &fix_err));
	cr_assert_eq(seq, 0);
	store_close(db);
	mem_free(times);
}

Test(store_query, lanes_count_every_event_once)
{
	uint32_t tasks[] = { 1, 2, 3, 4, 5, 6 }, counts[6 * 50];
	uint64_t sum = 0, one = 0;
	struct db *db;

	fix_record("x", 1, N);
	db = fix_connect();
	must(query_lanes(db, 1, 0, UINT64_C(1) << 40, 50, tasks, 6, counts,
			 &fix_err));
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		sum += counts[i];
	cr_assert_eq(sum, N);
	must(query_lanes(db, 1, 0, UINT64_C(1) << 40, 50, tasks + 2, 1, counts,
			 &fix_err));
	for (size_t i = 0; i < 50; i++)
		one += counts[i];
	cr_assert_eq((int64_t)one,
		     fix_sql(db, "select 0") +
			     (int64_t)matching("task:3", 1, mem_calloc(N, 8)));
	store_close(db);
}

/* ---- a small program: sh starts ls, whose output goes to a file */

static struct buf payload;
static uint64_t next_seq;

static void
put(struct sink *s, struct event ev)
{
	ev.seq = ++next_seq;
	ev.time_ns = next_seq * 1000;
	ev.payload = buf_span(&payload);
	must(sink_put(s, &ev, &fix_err));
	buf_clear(&payload);
}

static void
put_call(struct sink *s, uint32_t task, int nr, int64_t ret, uint64_t a0,
	 uint64_t a1, uint64_t a2)
{
	put(s, (struct event){ .task = task,
			       .kind = EV_syscall,
			       .call = (int16_t)nr,
			       .flags = EVF_RUNS | (ret < 0 ? EVF_ERROR : 0),
			       .dur_ns = 10,
			       .ret = ret,
			       .args = { a0, a1, a2 } });
}

static void
put_kind(struct sink *s, unsigned kind, uint32_t task, uint64_t a0, uint64_t a1,
	 uint64_t a2)
{
	put(s, (struct event){ .task = task,
			       .kind = (uint16_t)kind,
			       .call = -1,
			       .args = { a0, a1, a2, 0, 1, 1 } });
}

static void
put_write(struct sink *s, uint32_t task, int fd, const char *text)
{
	item_put_bytes(&payload, ITEM_IN, 1, span_str(text));
	put_call(s, task, SYS_write, (int64_t)strlen(text), (uint64_t)fd,
		 0x1000, strlen(text));
}

static void
small_begin(struct sink *s)
{
	for (uint64_t fd = 0; fd < 3; fd++)
		item_put_bytes(&payload, ITEM_FD, fd, span_str("pipe:[1]"));
	item_put_kv(&payload, "argv", span_of("sh\0-c\0ls", 8));
	put_kind(s, EV_header, 0, 0, 1, 0);
	item_put_kv(&payload, "comm", span_str("sh"));
	put_kind(s, EV_birth, 1, 100, 1, 0);
	put_write(s, 1, 1, "one ");
	item_put_kv(&payload, "comm", span_str("sh"));
	put_kind(s, EV_birth, 2, 101, 2, 1); /* e4 */
	item_put_bytes(&payload, ITEM_IN, 1, span_str("/tmp/out"));
	put_call(s, 2, SYS_openat, 3, (uint64_t)-100, 0x1000, 0x41);
	put_call(s, 2, SYS_dup2, 1, 3, 1, 0);
	put_call(s, 2, SYS_close, 0, 3, 0, 0); /* e7 */
	item_put_kv(&payload, "exe", span_str("/bin/ls"));
	item_put_kv(&payload, "argv", span_of("ls\0-l", 5));
	item_put_kv(&payload, "comm", span_str("ls"));
	put_kind(s, EV_exec, 2, 2, 2, 0);
	put_write(s, 2, 1, "into the file"); /* e9 */
	put_write(s, 2, 2, "two ");
}

static void
small_end(struct sink *s)
{
	put_kind(s, EV_death, 2, 0x100, 0x100, 1);
	put_write(s, 1, 1, "three");
	put_kind(s, EV_death, 1, 11, 11, 1);
	put_kind(s, EV_end, 0, 11, next_seq + 1, 0);
}

Test(store_query, tasks_descriptors_and_output_of_a_small_program)
{
	struct sink *s = fix_open("sh -c ls");
	struct recording_row rec;
	struct task_row *tasks;
	struct fd_row *fds;
	struct arena a = { 0 };
	struct buf out = { 0 };
	struct db *db;
	size_t n;

	small_begin(s);
	small_end(s);
	must(s->ops->close(s, &fix_err));
	db = fix_connect();
	must(query_recording(db, 1, &a, &rec, &fix_err));
	cr_assert_eq(rec.status, 11);
	cr_assert_eq(rec.tasks, 2);

	must(query_tasks(db, 1, &a, &tasks, &n, &fix_err));
	cr_assert_eq(n, 2);
	cr_assert_eq(tasks[1].tid, 101);
	cr_assert_eq(tasks[1].parent, 1);
	cr_assert_eq(tasks[1].status, 0x100);
	cr_assert_str_eq(tasks[1].comm, "ls");
	cr_assert_str_eq(tasks[1].cmdline, "ls -l");
	cr_assert_eq(tasks[0].status, 11);

	must(query_fds(db, 1, 2, 5, &a, &fds, &n, &fix_err));
	cr_assert_eq(n, 4);
	cr_assert_str_eq(fds[3].target, "/tmp/out");
	must(query_fds(db, 1, 2, 9, &a, &fds, &n, &fix_err));
	cr_assert_eq(n, 3);
	cr_assert_str_eq(fds[1].target, "/tmp/out");
	cr_assert_str_eq(fds[1].kind, "file");
	must(query_fds(db, 1, 1, 9, &a, &fds, &n, &fix_err));
	cr_assert_str_eq(fds[1].target, "pipe:[1]");

	must(query_output(db, 1, 0, 100, 1000, &out, &fix_err));
	cr_assert_str_eq(buf_cstr(&out), "one two three");
	buf_clear(&out);
	must(query_output(db, 1, 0, 10, 1000, &out, &fix_err));
	cr_assert_str_eq(buf_cstr(&out), "one two ");
	buf_clear(&out);
	must(query_output(db, 1, 0, 100, 7, &out, &fix_err));
	cr_assert_str_eq(buf_cstr(&out), "o three");
	buf_clear(&out);
	must(query_output(db, 1, 2, 100, 1000, &out, &fix_err));
	cr_assert_str_eq(buf_cstr(&out), "into the filetwo ");
	buf_free(&out);
	arena_free(&a);
	store_close(db);
}

static void
wait_for_events(struct db *db, int64_t n)
{
	while (fix_sql(db, "select coalesce(max(events), 0) from "
			   "pastime.recording") < n)
		;
}

Test(store_query, intervals_and_rows_go_on_where_they_stopped)
{
	struct sink *s = fix_open("sh -c ls");
	struct db *db = fix_connect();
	struct task_row *tasks;
	struct arena a = { 0 };
	size_t n;

	small_begin(s);
	wait_for_events(db, 10);
	must(query_fill_rows(db, 1, NULL, NULL, &fix_err));
	must(query_tasks(db, 1, &a, &tasks, &n, &fix_err));
	cr_assert_eq(n, 2);
	cr_assert_eq(tasks[1].died_seq, 0);
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.event"), 10);
	small_end(s);
	must(s->ops->close(s, &fix_err));
	must(query_fill_rows(db, 1, NULL, NULL, &fix_err));
	must(query_fill_rows(db, 1, NULL, NULL, &fix_err));
	must(query_tasks(db, 1, &a, &tasks, &n, &fix_err));
	cr_assert_eq(n, 2);
	cr_assert_eq(tasks[1].died_seq, 11);
	cr_assert_str_eq(tasks[1].cmdline, "ls -l");
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.event"), 14);
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.descriptor "
				 "where to_seq is null"),
		     0);
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.image where "
				 "argv = '{ls,-l}' and to_seq = 11"),
		     1);
	arena_free(&a);
	store_close(db);
}

/* ---- the user's SQL */

Test(store_query, sql_sees_the_bound_recording_and_all)
{
	struct sql_result r;
	struct arena a = { 0 };
	struct db *db;

	fix_record("x", 1, 10);
	fix_record("y", 1, 20);
	db = fix_connect();
	must(query_fill_rows(db, 1, NULL, NULL, &fix_err));
	must(query_fill_rows(db, 2, NULL, NULL, &fix_err));
	must(query_sql(db, 1,
		       "select count(*) as n, 'text' as t, null as x "
		       "from event",
		       &a, &r, &fix_err));
	cr_assert_eq(r.rows, 1);
	cr_assert_eq(r.cols, 3);
	cr_assert_str_eq(r.names[0], "n");
	cr_assert_str_eq(r.cells[0], "10");
	cr_assert(r.numeric[0]);
	cr_assert_not(r.numeric[1]);
	cr_assert_null(r.cells[2]);
	cr_assert_str_eq(r.tag, "SELECT 1");
	must(query_sql(db, 2, "select count(*) from pastime.event", &a, &r,
		       &fix_err));
	cr_assert_str_eq(r.cells[0], "30");
	must(query_sql(db, 2, "select pastime.rec()", &a, &r, &fix_err));
	cr_assert_str_eq(r.cells[0], "2");
	cr_assert_eq(query_sql(db, 1, "select nonsense", &a, &r, &fix_err),
		     -E_DB);
	must(query_sql(db, 1, "begin; select 1", &a, &r, &fix_err));
	cr_assert_eq(query_sql(db, 1,
			       "copy (select pg_catalog.generate_series(1, "
			       "1000000)) to stdout",
			       &a, &r, &fix_err),
		     -E_USAGE);
	cr_assert_eq(query_sql(db, 1, "copy pastime.mark from stdin", &a, &r,
			       &fix_err),
		     -E_USAGE);
	/* Whatever the user did, our own questions work. */
	must(query_rename(db, 1, "name", &fix_err));
	arena_free(&a);
	store_close(db);
}

static void *
cancel_soon(void *arg)
{
	struct db *watch = ((struct db **)arg)[1];
	struct arena a = { 0 };
	struct db_rows r = { 0 };

	while (db_query(watch,
			"select count(*) from pg_catalog.pg_stat_activity "
			"where query like 'select pg_sleep%' "
			"and state = 'active'",
			DB_NONE, &a, &r, NULL) == 0 &&
	       db_get_int(&r, 0, 0) == 0)
		arena_clear(&a);
	query_cancel(((struct db **)arg)[0]);
	arena_free(&a);
	return NULL;
}

Test(store_query, sql_can_be_cancelled)
{
	struct db *both[2];
	struct sql_result r;
	struct arena a = { 0 };
	pthread_t t;

	fix_record("x", 1, 10);
	both[0] = fix_connect();
	both[1] = fix_connect();
	pthread_create(&t, NULL, cancel_soon, both);
	cr_assert_eq(
		query_sql(both[0], 1, "select pg_sleep(60)", &a, &r, &fix_err),
		-E_CANCELLED);
	pthread_join(t, NULL);
	must(query_sql(both[0], 1, "select 1", &a, &r, &fix_err));
	arena_free(&a);
	store_close(both[0]);
	store_close(both[1]);
}
