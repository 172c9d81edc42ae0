#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/copy.h"
#include "store/db.h"
#include "store/schema.h"
#include "tests/unit/store_fix.h"

#define SCHEMA_LAST 6 /* number of sql/00N_*.sql */

static void
fresh(void)
{
	fix_empty_db();
}

TestSuite(store_db, .init = fresh, .fini = fix_remove, .timeout = 60);

static struct db *
connect_to(void)
{
	struct db *db = NULL;

	must(db_connect(getenv("PASTIME_DB"), &db, &fix_err));
	return db;
}

Test(store_db, every_kind_of_parameter_comes_back)
{
	static const uint8_t uuid[32] = { 1, 2, 3, [16] = 9 };
	static const int32_t i4[] = { -1, 7 };
	static const int64_t i8[] = { INT64_MIN, 5, 6 };
	struct db *db = connect_to();
	struct arena a = { 0 };
	struct db_rows r;

	must(db_query(db,
		      "select $1, $2, $3::text, $4, $5, $6, $7, $8, $9::text",
		      DB_ARGS(DB_INT(-5), DB_BOOL(true), DB_TEXT("t'\"\\x"),
			      DB_BYTEA(span_of("\0\xff", 2)), DB_UUID(uuid),
			      DB_UUIDS(uuid, 2), DB_INT4S(i4, 2),
			      DB_INT8S(i8, 3), DB_TEXT(NULL)),
		      &a, &r, &fix_err));
	cr_assert_eq(r.n, 1);
	cr_assert_eq(db_get_int(&r, 0, 0), -5);
	cr_assert_eq(db_get_int(&r, 0, 1), 1);
	cr_assert_str_eq(db_get_text(&r, 0, 2, &a), "t'\"\\x");
	cr_assert(span_eq(db_get_bytes(&r, 0, 3), span_of("\0\xff", 2)));
	cr_assert(span_eq(db_get_bytes(&r, 0, 4), span_of(uuid, 16)));
	cr_assert_eq(db_get_array_len(&r, 0, 5), 2);
	cr_assert_eq(db_get_array_int(&r, 0, 6, 0), -1);
	cr_assert_eq(db_get_array_int(&r, 0, 6, 1), 7);
	cr_assert_eq(db_get_array_int(&r, 0, 7, 0), INT64_MIN);
	cr_assert_eq(db_get_array_len(&r, 0, 7), 3);
	cr_assert(db_get_null(&r, 0, 8));
	arena_free(&a);
	db_close(db);
}

Test(store_db, a_refused_statement_says_why_with_its_sqlstate)
{
	struct db *db = connect_to();

	cr_assert_eq(db_query(db, "select 1/0", DB_NONE, NULL, NULL, &fix_err),
		     -E_DB);
	cr_assert_not_null(strstr(fix_err.text, "22012"));
	cr_assert_not_null(strstr(fix_err.text, "division by zero"));
	cr_assert_str_eq(db_sqlstate(db), "22012");
	cr_assert_not(db_is_broken(db));
	cr_assert_eq(fix_sql(db, "select 42"), 42);
	db_close(db);
}

Test(store_db, an_unreachable_server_says_what_to_type)
{
	struct db *db = NULL;

	cr_assert_eq(db_connect("host=/no/such/folder", &db, &fix_err),
		     -E_DB_UNREACHABLE);
	cr_assert_null(db);
	cr_assert_not_null(strstr(fix_err.hint, "pastime db"));
}

Test(store_db, a_killed_backend_breaks_the_connection_and_says_so)
{
	struct db *db = connect_to(), *other = connect_to();
	int64_t pid = fix_sql(db, "select pg_catalog.pg_backend_pid()");
	struct arena a = { 0 };
	struct db_rows r;

	must(db_query(other, "select pg_catalog.pg_terminate_backend($1::int)",
		      DB_ARGS(DB_INT(pid)), &a, &r, &fix_err));
	/* The backend is gone when it is out of the list. */
	while (fix_sql(other, "select count(*) from "
			      "pg_catalog.pg_stat_activity "
			      "where datname = pg_catalog.current_database() "
			      "and backend_type = 'client backend'") > 1)
		;
	cr_assert_eq(db_query(db, "select 1", DB_NONE, NULL, NULL, &fix_err),
		     -E_DB_UNREACHABLE);
	cr_assert(db_is_broken(db));
	db_rollback(db);
	arena_free(&a);
	db_close(db);
	db_close(other);
}

/* The connection that watches was made by the test itself. */
struct canceller {
	struct db *db, *watch;
};

static void *
cancel(void *arg)
{
	struct canceller *c = arg;
	struct arena a = { 0 };
	struct db_rows r = { 0 };

	/* Not before there is something to cancel. */
	while (db_query(c->watch,
			"select count(*) from pg_catalog.pg_stat_activity "
			"where query like 'select pg_catalog.pg_sleep%' "
			"and state = 'active'",
			DB_NONE, &a, &r, NULL) == 0 &&
	       db_get_int(&r, 0, 0) == 0)
		arena_clear(&a);
	db_cancel(c->db);
	arena_free(&a);
	return NULL;
}

Test(store_db, another_thread_cancels_a_statement)
{
	struct canceller c = { connect_to(), connect_to() };
	struct db *db = c.db;
	uint64_t start = clock_now_ns();
	pthread_t t;

	pthread_create(&t, NULL, cancel, &c);
	cr_assert_eq(db_query(db, "select pg_catalog.pg_sleep(50)", DB_NONE,
			      NULL, NULL, &fix_err),
		     -E_CANCELLED);
	pthread_join(t, NULL);
	cr_assert_lt(clock_now_ns() - start, UINT64_C(20000000000));
	cr_assert_eq(fix_sql(db, "select 7"), 7);
	db_close(c.watch);
	db_close(db);
}

Test(store_db, copy_stores_every_type_of_field)
{
	struct db *db = connect_to();
	struct buf b = { 0 };
	uint64_t n = 0;

	must(db_exec(db,
		     "create table public.t (a bigint, b int, c smallint, "
		     "d text, e bytea, f int[], g boolean, h int)",
		     &fix_err));
	copy_start(&b);
	copy_row(&b, 8);
	copy_int8(&b, INT64_MIN);
	copy_int4(&b, -2);
	copy_int2(&b, -3);
	copy_text(&b, span_of("a\0\xff\xc3\xa9z", 6));
	copy_bytes(&b, span_of("\0\1", 2));
	copy_array(&b, 23, 2, 8);
	copy_int4(&b, 4);
	copy_int4(&b, 5);
	copy_bool(&b, true);
	copy_null(&b);
	copy_finish(&b);
	must(db_copy_begin(db, "copy public.t from stdin (format binary)",
			   &fix_err));
	must(db_copy_put(db, buf_span(&b), &fix_err));
	must(db_copy_end(db, &n, &fix_err));
	cr_assert_eq(n, 1);
	cr_assert_eq(fix_sql(db, "select count(*) from public.t where "
				 "a = -9223372036854775808 and b = -2 and "
				 "c = -3 and d = E'a\\\\x00\\\\xff\\u00e9z' "
				 "and e = '\\x0001' and f = '{4,5}' and g "
				 "and h is null"),
		     1);
	buf_free(&b);
	db_close(db);
}

Test(store_db, a_copy_that_fails_half_way_stores_nothing)
{
	struct db *db;
	struct buf b = { 0 };

	setenv("PASTIME_FAULT", "db_copy:2", 1);
	db = connect_to();
	must(db_exec(db, "create table public.t (a int)", &fix_err));
	must(db_begin(db, &fix_err));
	must(db_copy_begin(db, "copy public.t from stdin (format binary)",
			   &fix_err));
	copy_start(&b);
	copy_row(&b, 1);
	copy_int4(&b, 1);
	must(db_copy_put(db, buf_span(&b), &fix_err));
	must(db_copy_put(db, buf_span(&b), &fix_err));
	cr_assert_lt(db_copy_end(db, NULL, &fix_err), 0);
	db_rollback(db);
	cr_assert_eq(fix_sql(db, "select count(*) from public.t"), 0);
	buf_free(&b);
	db_close(db);
}

Test(store_db, the_session_finds_nothing_by_an_unqualified_name)
{
	struct db *db = connect_to();

	must(db_exec(db, "create table public.t (a int)", &fix_err));
	cr_assert_eq(db_exec(db, "select * from t", &fix_err), -E_DB);
	db_close(db);
}

/* ---- the schema */

Test(store_schema, comes_into_an_empty_database_once, .init = fresh,
     .fini = fix_remove)
{
	struct db *db = connect_to();

	must(schema_ensure(db, &fix_err));
	must(schema_ensure(db, &fix_err));
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.schema_version"),
		     SCHEMA_LAST);
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.kind where "
				 "kind = 5 and name = 'syscall'"),
		     1);
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.errno "
				 "where error = 2 and name = 'ENOENT'"),
		     1);
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.signal "
				 "where signo = 9 and name = 'SIGKILL'"),
		     1);
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.syscall "
				 "where call = 257 and name = 'openat'"),
		     1);
	db_close(db);
}

static void *
ensure(void *arg)
{
	struct db *db = NULL;
	int *rc = arg;

	*rc = db_connect(getenv("PASTIME_DB"), &db, NULL);
	if (*rc == 0)
		*rc = schema_ensure(db, NULL);
	db_close(db);
	return NULL;
}

Test(store_schema, several_at_once_make_one, .init = fresh, .fini = fix_remove)
{
	pthread_t t[4];
	struct db *db;
	int rc[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, ensure, &rc[i]);
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], NULL);
		cr_assert_eq(rc[i], 0);
	}
	db = connect_to();
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.schema_version"),
		     SCHEMA_LAST);
	db_close(db);
}

Test(store_schema, a_newer_one_is_refused_and_left_alone, .init = fresh,
     .fini = fix_remove)
{
	struct db *db = connect_to(), *opened = NULL;

	must(schema_ensure(db, &fix_err));
	must(db_exec(db,
		     "insert into pastime.schema_version (version, name, hash, "
		     "program) values (999, 'future', 1, '9.9')",
		     &fix_err));
	cr_assert_eq(schema_ensure(db, &fix_err), -E_SCHEMA_NEWER);
	cr_assert_not_null(strstr(fix_err.text, "999"));
	cr_assert_neq(fix_err.hint[0], '\0');
	cr_assert_eq(store_open(NULL, &opened, &fix_err), -E_SCHEMA_NEWER);
	cr_assert_null(opened);
	db_close(db);
}

Test(store_schema, changed_views_are_made_again_and_others_kept, .init = fresh,
     .fini = fix_remove)
{
	struct db *db = connect_to();

	must(schema_ensure(db, &fix_err));
	/* As an older program would have left it: another column set. */
	must(db_exec(db,
		     "drop view this.call; create view this.call as "
		     "select 1 as only; "
		     "update pastime.setting set value = '0' "
		     "where name = 'derived'; "
		     "create view public.mine as select recording "
		     "from pastime.recording",
		     &fix_err));
	must(schema_ensure(db, &fix_err));
	cr_assert_eq(fix_sql(db, "select count(*) from this.call"), 0);
	cr_assert_eq(fix_sql(db, "select count(*) from public.mine"), 0);
	cr_assert_eq(fix_sql(db, "select count(*) from "
				 "information_schema.columns where "
				 "table_schema = 'this' and table_name = "
				 "'call' and column_name = 'only'"),
		     0);
	db_close(db);
}

Test(store_schema, bytes_are_text_where_they_are_utf_8, .init = fresh,
     .fini = fix_remove)
{
	struct db *db = connect_to();

	must(schema_ensure(db, &fix_err));
	cr_assert_eq(fix_sql(db,
			     "select count(*) from (values "
			     "('', ''), ('6162', 'ab'), ('c3a9', U&'\\00e9'), "
			     "('e282ac', U&'\\20ac'), "
			     "('f09f9880', U&'\\+01f600'), "
			     "('00', E'\\\\000'), ('ff', E'\\\\377'), "
			     "('c3', E'\\\\303'), "
			     "('eda080', E'\\\\355\\\\240\\\\200'), "
			     "('f4908080', "
			     "E'\\\\364\\\\220\\\\200\\\\200'), "
			     "('c080', E'\\\\300\\\\200')) v (h, t) "
			     "where pastime.text(pg_catalog.decode(h, 'hex')) "
			     "= t"),
		     11);
	db_close(db);
}

Test(store_schema, everything_that_people_query_is_described, .init = fresh,
     .fini = fix_remove)
{
	struct db *db = connect_to();

	must(schema_ensure(db, &fix_err));
	cr_assert_eq(fix_sql(db, "select count(*) from pg_catalog.pg_class c "
				 "join pg_catalog.pg_namespace n "
				 "on n.oid = c.relnamespace "
				 "where n.nspname = 'pastime' "
				 "and c.relkind in ('r', 'v', 'p') "
				 "and pg_catalog.obj_description(c.oid, "
				 "'pg_class') is null"),
		     0);
	cr_assert_eq(fix_sql(db,
			     "select count(*) from pg_catalog.pg_class c "
			     "join pg_catalog.pg_namespace n "
			     "on n.oid = c.relnamespace "
			     "join pg_catalog.pg_attribute a "
			     "on a.attrelid = c.oid and a.attnum > 0 "
			     "and not a.attisdropped "
			     "where n.nspname in ('pastime', 'this') "
			     "and c.relkind in ('r', 'v', 'p') "
			     "and pg_catalog.col_description(c.oid, a.attnum) "
			     "is null"),
		     0);
	db_close(db);
}
