#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/mem.h"
#include "event/codec_format.h"
#include "store/db.h"
#include "store/query.h"
#include "store/wrapper.h"
#include "tests/unit/store_fix.h"
#include "tests/unit/store_gen.h"

#define N 30000u

static void
begin(void)
{
	if (!wrapper_is_built())
		cr_skip_test("built without PostgreSQL's server headers");
	fix_db();
	setenv("PASTIME_EVENTS", "chunks", 1);
}

TestSuite(store_wrapper, .init = begin, .fini = fix_remove, .timeout = 120);

/* The whole answer as text, one line a row. */
static const char *
text_of(struct db *db, const char *sql, struct arena *a)
{
	struct buf b = { 0 };
	struct sql_result r;
	const char *text;

	must(query_sql(db, 1, sql, a, &r, &fix_err));
	for (size_t i = 0; i < r.rows * r.cols; i++)
		buf_printf(&b, "%s\n", r.cells[i] ? r.cells[i] : "");
	text = arena_strdup(a, buf_cstr(&b));
	buf_free(&b);
	return text;
}

static const char all[] = "select md5(string_agg(e::text, '|' order by seq)), "
			  "count(*) from pastime.event e";
static const char kind[] = "select relkind from pg_class where relname = "
			   "'event_1'";

static struct db *
recorded(uint64_t n)
{
	struct db *db;

	fix_record("x", 1, n);
	db = fix_connect();
	must(query_fill_rows(db, 1, NULL, NULL, &fix_err));
	return db;
}

Test(store_wrapper, gives_what_rows_have)
{
	struct db *db = recorded(N);
	struct arena a = { 0 };
	const char *chunks = text_of(db, all, &a);

	cr_assert_str_eq(text_of(db, kind, &a), "f\n");
	setenv("PASTIME_EVENTS", "rows", 1);
	must(query_fill_rows(db, 1, NULL, NULL, &fix_err));
	cr_assert_str_eq(text_of(db, kind, &a), "r\n");
	cr_assert_str_eq(text_of(db, all, &a), chunks);
	setenv("PASTIME_EVENTS", "chunks", 1);
	must(query_fill_rows(db, 1, NULL, NULL, &fix_err));
	cr_assert_str_eq(text_of(db, kind, &a), "f\n");
	cr_assert_str_eq(text_of(db, all, &a), chunks);
	arena_free(&a);
	store_close(db);
}

Test(store_wrapper, sees_what_was_stored_since)
{
	struct sink *s = fix_open("x");
	struct db *db;

	fix_put(s, 1, 1, 20000);
	while (fix_sql(db = fix_connect(),
		       "select coalesce(max(events), 0) from "
		       "pastime.recording") < 8000)
		store_close(db);
	must(query_fill_rows(db, 1, NULL, NULL, &fix_err));
	fix_put(s, 1, 20001, N);
	must(store_sink_finish(s, &fix_err));
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.event"), N);
	cr_assert_eq(fix_sql(db, "select max(seq) from pastime.event"), N);
	must(s->ops->close(s, &fix_err));
	store_close(db);
}

Test(store_wrapper, rows_that_are_read_stay_for_now)
{
	struct db *db, *reader;
	struct arena a = { 0 };

	fix_record("x", 1, 1000);
	db = fix_connect();
	setenv("PASTIME_EVENTS", "rows", 1);
	must(query_fill_rows(db, 1, NULL, NULL, &fix_err));
	reader = fix_connect();
	must(db_exec(reader, "begin; select count(*) from pastime.event",
		     &fix_err));
	setenv("PASTIME_EVENTS", "chunks", 1);
	must(query_fill_rows(db, 1, NULL, NULL, &fix_err));
	cr_assert_str_eq(text_of(db, kind, &a), "r\n");
	must(db_exec(reader, "commit", &fix_err));
	must(query_fill_rows(db, 1, NULL, NULL, &fix_err));
	cr_assert_str_eq(text_of(db, kind, &a), "f\n");
	arena_free(&a);
	store_close(reader);
	store_close(db);
}

Test(store_wrapper, goes_with_its_recording)
{
	struct db *db = recorded(1000);

	must(query_remove(db, 1, &fix_err));
	cr_assert_eq(fix_sql(db, "select count(*) from pg_catalog.pg_class "
				 "where relname = 'event_1'"),
		     0);
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.event"), 0);
	store_close(db);
}

Test(store_wrapper, can_be_taken_out_and_comes_back)
{
	struct db *db = recorded(1000);

	must(wrapper_remove(db, &fix_err));
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.event"), 0);
	must(query_fill_rows(db, 1, NULL, NULL, &fix_err));
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.event"), 1000);
	store_close(db);
}

/* ---- plans */

/* The number behind the first word in the plan of a query. */
static long
plan_says(struct db *db, const char *explain, const char *word)
{
	struct arena a = { 0 };
	const char *text = text_of(db, explain, &a);
	const char *at = strstr(text, word);
	long n;

	cr_assert_not_null(at, "no '%s' in:\n%s", word, text);
	n = strtol(at + strlen(word), NULL, 10);
	arena_free(&a);
	return n;
}

#define CHECK_READ(where, chunks)                                              \
	cr_assert_eq(plan_says(db,                                             \
			       "explain (analyze, timing off) select * from "  \
			       "event where " where,                           \
			       "Chunks Read: "),                               \
		     chunks, where)

Test(store_wrapper, reads_the_chunks_that_a_query_needs)
{
	struct db *db = recorded(N);

	/* 8,000 events to a chunk. */
	CHECK_READ("seq = 8000", 1);
	CHECK_READ("seq = 8001", 1);
	CHECK_READ("seq in (8000, 8001)", 2);
	CHECK_READ("8000 < seq and seq <= 16000", 1);
	CHECK_READ("seq > 29999", 1);
	CHECK_READ("seq <= 0", 0);
	CHECK_READ("seq = (select null::bigint)", 0);
	CHECK_READ("time_ns < 0", 0);
	CHECK_READ("call = 1000", 0);
	CHECK_READ("kind = 99", 0);
	CHECK_READ("task > 1000", 0);
	CHECK_READ("seq = (select min(seq) + 9000 from event)", 1);
	must(db_exec(
		db, "update pastime.chunk set n_errors = 0 where first_seq = 1",
		&fix_err));
	CHECK_READ("error = 2", 3);
	CHECK_READ("error is not null", 3);
	CHECK_READ("error is null", 4);
	cr_assert_eq(plan_says(db,
			       "explain (analyze, timing off) select * from "
			       "event where seq = 8000",
			       "Chunks Pruned: "),
		     3);
	store_close(db);
}

Test(store_wrapper, a_join_on_seq_reads_the_chunks_of_its_rows)
{
	static const char join[] =
		"explain (analyze, timing off) select e.ret from "
		"(values (7::bigint), (9000), (9001), (29999)) w (seq) "
		"join event e using (seq)";
	struct db *db = recorded(N);

	/* Each of the four is looked for in one chunk. */
	cr_assert_eq(plan_says(db, join, "Chunks Read: "), 4);
	cr_assert_eq(plan_says(db, join, "Chunks Pruned: "), 12);
	cr_assert_eq(fix_sql(db, "select sum(e.seq)::bigint from (values "
				 "(7::bigint), (9000), (9001), (29999)) w (seq)"
				 " join pastime.event e using (seq)"),
		     7 + 9000 + 9001 + 29999);
	store_close(db);
}

static void
check_estimate(struct db *db, const char *where, double within)
{
	char *explain =
		mem_printf("explain select * from event where %s", where);
	char *count = mem_printf("select count(*) from pastime.event where %s",
				 where);
	double guess = (double)plan_says(db, explain, "rows=");
	double is = (double)fix_sql(db, count);

	cr_assert(guess >= is / within - 1 && guess <= is * within + 1,
		  "%s: %g rows, not %g", where, is, guess);
	mem_free(explain);
	mem_free(count);
}

Test(store_wrapper, knows_how_many_rows_there_are)
{
	struct db *db = recorded(N);

	check_estimate(db, "true", 1.0001);
	check_estimate(db, "seq between 100 and 199", 1.0001);
	check_estimate(db, "seq = 77", 1.0001);
	check_estimate(db, "seq in (5, 6, 7)", 1.0001);
	check_estimate(db, "time_ns < 100000000", 1.2);
	check_estimate(db, "call = 1", 1.3);
	check_estimate(db, "error is not null", 1.3);
	check_estimate(db, "call = 1 and seq > 20000", 1.4);
	check_estimate(db, "kind = 99", 1.0001);
	store_close(db);
}

#define FORCE                                                                  \
	"set parallel_setup_cost = 0; set parallel_tuple_cost = 0; "           \
	"set min_parallel_table_scan_size = 0; "                               \
	"set max_parallel_workers_per_gather = 3; "
#define SUMS                                                                   \
	"select count(*), sum(seq), sum(ret), sum(length(path)), "             \
	"count(distinct call) from event where call is not null"

Test(store_wrapper, several_processes_share_a_scan)
{
	struct db *db = recorded(N);
	struct arena a = { 0 };
	const char *one = text_of(db, SUMS, &a);

	plan_says(db, FORCE "explain " SUMS, "Parallel Foreign Scan");
	cr_assert_str_eq(text_of(db, FORCE SUMS, &a), one);
	/* Each outer row scans anew. */
	plan_says(db,
		  FORCE "set enable_material = off; set enable_hashjoin = off; "
			"set enable_mergejoin = off; explain (analyze) "
			"select sum(n) from generate_series(1, 5) g, "
			"lateral (select count(*) as n from event "
			"where seq > g * 5000) n",
		  "Foreign Scan");
	cr_assert_str_eq(text_of(db,
				 FORCE
				 "select sum(n) from generate_series(1, 5) g, "
				 "lateral (select count(*) as n from event "
				 "where seq > g * 5000) n",
				 &a),
			 "75000\n");
	arena_free(&a);
	store_close(db);
}

Test(store_wrapper, a_query_can_be_stopped)
{
	struct db *db = recorded(N);
	struct arena a = { 0 };
	struct sql_result r;
	int rc;

	rc = query_sql(db, 1,
		       "set statement_timeout = 200; select count(*) from "
		       "generate_series(1, 100000000) g, lateral (select 1 "
		       "from event where a0 = -g) e",
		       &a, &r, &fix_err);
	cr_assert_eq(rc, -E_CANCELLED, "%d %s", rc, fix_err.text);
	arena_free(&a);
	store_close(db);
}

/* ---- damage */

Test(store_wrapper, says_which_events_are_damaged)
{
	struct db *db = recorded(N);
	struct arena a = { 0 };
	struct sql_result r;

	must(db_exec(db,
		     "update pastime.chunk set crc = crc + 1 "
		     "where first_seq = 8001",
		     &fix_err));
	cr_assert_eq(query_sql(db, 1, "select * from event", &a, &r, &fix_err),
		     -E_DB);
	cr_assert_not_null(strstr(fix_err.text, "recording 1 is damaged: "
						"events 8001 to 16000"),
			   "%s", fix_err.text);
	cr_assert_eq(fix_sql(db, "select count(path) + 1 > 0 from "
				 "pastime.event where seq <= 8000"),
		     1);
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.event where "
				 "seq > 16000 and pc is not null"),
		     N - 16000);
	arena_free(&a);
	store_close(db);
}

static uint64_t
random_u64(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	return *s ^= *s << 17;
}

/* Put bytes in place of the chunk's, with checksums that are right. */
static void
put_chunk(struct db *db, uint8_t *p, size_t len)
{
	uint32_t check = (uint32_t)XXH3_64bits(p + AT_CODEC, len - AT_CODEC);

	memcpy(p + AT_CHECK, &check, sizeof(check));
	must(db_query(
		db, "update pastime.chunk set data = $1, crc = $2",
		DB_ARGS(DB_BYTEA(span_of(p, len)), DB_INT(XXH3_64bits(p, len))),
		NULL, NULL, &fix_err));
}

/* Whatever is in a chunk, the server goes on: an answer or an error. */
Test(store_wrapper, damaged_bytes_never_end_the_server)
{
	struct db *db = recorded(300);
	struct arena a = { 0 }, b = { 0 };
	struct db_rows r;
	struct sql_result res;
	struct span good;
	uint64_t s = 42;
	int failed = 0, pid;
	uint8_t *p;

	must(db_query(db, "select data from pastime.chunk", DB_NONE, &a, &r,
		      &fix_err));
	good = db_get_bytes(&r, 0, 0);
	p = mem_alloc(good.len);
	pid = (int)fix_sql(db, "select pg_catalog.pg_backend_pid()");
	for (int i = 0; i < 400; i++) {
		size_t at = random_u64(&s) % good.len;

		/* The header and the lengths of columns more often. */
		if (i % 4 == 0)
			at = AT_CODEC + random_u64(&s) % (64 - AT_CODEC);
		memcpy(p, good.p, good.len);
		p[at] ^= (uint8_t)(1 + random_u64(&s) % 255);
		if (i % 3 == 0)
			p[(at + 1) % good.len] = (uint8_t)random_u64(&s);
		put_chunk(db, p, good.len);
		if (query_sql(db, 1, all, &b, &res, &fix_err) < 0) {
			cr_assert_not_null(
				strstr(fix_err.text, "recording 1 is damaged"),
				"byte %zu: %s", at, fix_err.text);
			failed++;
		}
		arena_clear(&b);
	}
	/* What zstd does not notice are other events. */
	cr_assert_gt(failed, 100);
	cr_assert_eq(fix_sql(db, "select pg_catalog.pg_backend_pid()"), pid);
	mem_free(p);
	arena_free(&a);
	arena_free(&b);
	store_close(db);
}

Test(store_wrapper, an_index_that_lies_is_noticed)
{
	static const char *const lies[] = {
		"n = 0",	  "n = -1",
		"n = 2147483647", "first_seq = first_seq + 5",
		"codec = 2",	  "data = ''",
		"data = '\\x00'", "crc = 0",
	};
	struct db *db = recorded(300);
	struct arena a = { 0 };
	struct sql_result r;

	must(db_exec(db, "create table pastime.saved as table pastime.chunk",
		     &fix_err));
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		char *sql = mem_printf("update pastime.chunk set %s", lies[i]);

		must(db_exec(db, sql, &fix_err));
		mem_free(sql);
		cr_assert_eq(query_sql(db, 1, all, &a, &r, &fix_err), -E_DB,
			     "%s", lies[i]);
		(void)query_sql(db, 1, "select count(*) from event", &a, &r,
				NULL);
		must(db_exec(db,
			     "delete from pastime.chunk; insert into "
			     "pastime.chunk table pastime.saved",
			     &fix_err));
	}
	/* Arrays that are none of numbers prune nothing. */
	must(db_exec(db,
		     "update pastime.chunk set kinds = '{null,5}', "
		     "calls = '{{1,2},{3,4}}', tasks = '{null}'",
		     &fix_err));
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.event "
				 "where call >= 0 and task >= 0 and kind > 0") >
			     100,
		     1);
	arena_free(&a);
	store_close(db);
}
