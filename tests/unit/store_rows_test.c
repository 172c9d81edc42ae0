#include <criterion/criterion.h>
#include <pthread.h>

#include "base/mem.h"
#include "store/db.h"
#include "store/query.h"
#include "tests/unit/store_fix.h"
#include "tests/unit/store_gen.h"

TestSuite(store_rows, .init = fix_db, .fini = fix_remove, .timeout = 120);

#define N 30000u

/* All events of gen(seed) that a filter lets through, by looking at each. */
static int64_t
matching(const char *filter, uint64_t seed)
{
	struct event_filter *f = NULL;
	struct event ev;
	struct gen g;
	int64_t n = 0;

	must(event_filter_parse(filter, &f, &fix_err));
	gen_init(&g, seed);
	for (uint64_t i = 0; i < N; i++) {
		gen_next(&g, &ev);
		if (event_filter_match(f, &ev))
			n++;
	}
	gen_free(&g);
	event_filter_free(f);
	return n;
}

Test(store_rows, are_the_events)
{
	struct db *db;

	fix_record("x", 1, N);
	db = fix_connect();
	must(query_fill_rows(db, 1, NULL, NULL, &fix_err));
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.event"), N);
	cr_assert_eq(fix_sql(db, "select count(distinct seq) from "
				 "pastime.event"),
		     N);
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.event where "
				 "call = 257 and error = 2"),
		     matching("call:openat error:ENOENT", 1));
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.event where "
				 "call = 257 and path not like "
				 "'/usr/share/doc/package%'"),
		     0);
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.event where "
				 "call = 1 and pg_catalog.octet_length(data) "
				 "<> ret"),
		     0);
	/* read has three arguments; the registers beyond mean nothing. */
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.event where "
				 "call = 0 and (a2 is null or a3 is not null)"),
		     0);
	cr_assert_eq(fix_sql(db, "select rows_upto from pastime.recording"), N);
	store_close(db);
}

struct cancel {
	int calls;
};

static bool
stop_soon(void *ctx, uint64_t at, uint64_t to)
{
	struct cancel *c = ctx;

	cr_assert_leq(at, to);
	return ++c->calls < 2;
}

Test(store_rows, can_be_cancelled_and_begun_again)
{
	struct cancel c = { 0 };
	struct db *db;

	fix_record("x", 1, N);
	db = fix_connect();
	cr_assert_eq(query_fill_rows(db, 1, stop_soon, &c, &fix_err),
		     -E_CANCELLED);
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.event"), 0);
	must(query_fill_rows(db, 1, NULL, NULL, &fix_err));
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.event"), N);
	store_close(db);
}

static void *
fill(void *arg)
{
	struct db *db = NULL;
	int *rc = arg;

	*rc = store_open(NULL, &db, NULL);
	if (*rc == 0)
		*rc = query_fill_rows(db, 1, NULL, NULL, NULL);
	store_close(db);
	return NULL;
}

Test(store_rows, several_who_fill_at_once_make_one_set)
{
	pthread_t t[4];
	struct db *db;
	int rc[4];

	fix_record("x", 1, N);
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, fill, &rc[i]);
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], NULL);
		cr_assert_eq(rc[i], 0);
	}
	db = fix_connect();
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.event"), N);
	store_close(db);
}

Test(store_rows, end_before_a_damaged_chunk)
{
	struct db *db;
	int64_t first;

	fix_record("x", 1, N);
	db = fix_connect();
	first = fix_sql(db, "select first_seq from pastime.chunk "
			    "order by first_seq offset 2 limit 1");
	must(db_exec(db,
		     "update pastime.chunk set crc = crc + 1 where first_seq "
		     "= (select first_seq from pastime.chunk "
		     "order by first_seq offset 2 limit 1)",
		     &fix_err));
	must(query_fill_rows(db, 1, NULL, NULL, &fix_err));
	cr_assert_eq(fix_sql(db, "select max(seq) from pastime.event"),
		     first - 1);
	store_close(db);
}
