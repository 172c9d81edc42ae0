#include "store/partition.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "store/db.h"
#include "store/keys.h"
#include "store/wrapper.h"

/* Enough for the frequent calls, kinds and errors; an ANALYZE of some ms. */
#define STATISTICS "40"
#define LOCK_NOT_AVAILABLE "55P03"

int
partition_look(struct db *db, uint64_t rec, struct partition *out,
	       struct err *err)
{
	struct arena a = { 0 };
	struct db_rows r;
	int rc;

	rc = db_query(db,
		      "select r.rows_upto, r.events, coalesce(c.relkind::text, "
		      "''), coalesce((select s.value from pastime.setting s "
		      "where s.name = 'library'), '') "
		      "from pastime.recording r left join pg_catalog.pg_class "
		      "c on c.oid = pg_catalog.to_regclass("
		      "'pastime_rows.event_' || r.recording) "
		      "where r.recording = $1",
		      DB_ARGS(DB_INT(rec)), &a, &r, err);
	if (rc == 0 && r.n == 0)
		rc = err_set(err, E_NOT_FOUND, "there is no recording %lu",
			     (unsigned long)rec);
	if (rc == 0) {
		const char *kind = db_get_text(&r, 0, 2, &a);

		*out = (struct partition){
			.kind = kind[0] == '\0'	 ? PARTITION_NONE
				: kind[0] == 'f' ? PARTITION_CHUNKS
						 : PARTITION_ROWS,
			.upto = (uint64_t)db_get_int(&r, 0, 0),
			.events = (uint64_t)db_get_int(&r, 0, 1),
		};
		snprintf(out->library, sizeof(out->library), "%s",
			 db_get_text(&r, 0, 3, &a));
	}
	arena_free(&a);
	return rc;
}

int
partition_sql(struct db *db, uint64_t rec, const char *before,
	      const char *after, struct err *err)
{
	char *sql = mem_printf("%s pastime_rows.event_%lu %s", before,
			       (unsigned long)rec, after);
	int rc = db_exec(db, sql, err);

	mem_free(sql);
	return rc;
}

int
partition_drop(struct db *db, uint64_t rec, struct err *err)
{
	unsigned long n = (unsigned long)rec;
	char *sql = mem_printf(
		"do $$ declare k text; begin "
		"select c.relkind into k from pg_catalog.pg_class c where "
		"c.oid = pg_catalog.to_regclass('pastime_rows.event_%lu'); "
		"if k = 'f' then drop foreign table pastime_rows.event_%lu; "
		"elsif k is not null then drop table pastime_rows.event_%lu; "
		"end if; end $$",
		n, n, n);
	int rc = db_exec(db, sql, err);

	mem_free(sql);
	return rc;
}

int
partition_attach(struct db *db, uint64_t rec, struct err *err)
{
	char values[64];

	snprintf(values, sizeof(values), "for values in (%lu)",
		 (unsigned long)rec);
	return partition_sql(db, rec,
			     "alter table pastime.event attach partition",
			     values, err);
}

/* CREATE FOREIGN TABLE has no LIKE. */
static int
make_foreign(struct db *db, uint64_t rec, struct err *err)
{
	unsigned long n = (unsigned long)rec;
	char *sql = mem_printf(
		"do $$ begin execute (select pg_catalog.format("
		"'create foreign table pastime_rows.event_%lu (%%s) "
		"server " WRAPPER_SERVER " options (recording ''%lu'')', "
		"pg_catalog.string_agg(pg_catalog.format('%%I %%s%%s', "
		"a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), "
		"case when a.attnotnull then ' not null' end), ', ' "
		"order by a.attnum)) from pg_catalog.pg_attribute a "
		"where a.attrelid = 'pastime.event'::pg_catalog.regclass "
		"and a.attnum > 0 and not a.attisdropped); end $$; "
		"alter foreign table pastime_rows.event_%lu "
		"alter column data set statistics 0",
		n, n, n);
	int rc = db_exec(db, sql, err);

	mem_free(sql);
	return rc;
}

static bool
is_done(const struct partition *p)
{
	return p->kind == PARTITION_CHUNKS && p->upto > 0 &&
	       p->upto >= p->events / 2;
}

static int
locked(struct db *db, uint64_t rec, struct err *err)
{
	struct partition p;
	int rc;

	rc = db_query(db, "select pg_catalog.pg_advisory_xact_lock($1)",
		      DB_ARGS(DB_INT(KEY_ROWS(rec))), NULL, NULL, err);
	if (rc == 0)
		rc = partition_look(db, rec, &p, err);
	if (rc < 0 || is_done(&p) || p.events == 0)
		return rc;
	if (p.kind == PARTITION_ROWS)
		rc = partition_drop(db, rec, err);
	if (rc == 0 && p.kind != PARTITION_CHUNKS) {
		rc = make_foreign(db, rec, err);
		if (rc == 0)
			rc = partition_attach(db, rec, err);
	}
	if (rc == 0)
		rc = db_exec(
			db, "set local default_statistics_target = " STATISTICS,
			err);
	/* Statistics fail where a chunk is damaged; queries may not meet it. */
	if (rc == 0)
		rc = db_exec(db, "savepoint statistics", err);
	if (rc == 0 && partition_sql(db, rec, "analyze", "", NULL) < 0)
		rc = db_exec(db, "rollback to savepoint statistics", err);
	if (rc == 0)
		rc = db_query(db,
			      "update pastime.recording set rows_upto = $2 "
			      "where recording = $1",
			      DB_ARGS(DB_INT(rec), DB_INT(p.events)), NULL,
			      NULL, err);
	return rc;
}

int
partition_chunks(struct db *db, uint64_t rec, struct err *err)
{
	struct partition p;
	int rc = partition_look(db, rec, &p, err);

	if (rc < 0 || is_done(&p) || p.events == 0)
		return rc;
	rc = db_exec(db, "begin; set local lock_timeout = '2s'", err);
	if (rc == 0)
		rc = locked(db, rec, err);
	if (rc == 0)
		rc = db_commit(db, err);
	if (rc < 0)
		db_rollback(db);
	if (rc == -E_DB && strcmp(db_sqlstate(db), LOCK_NOT_AVAILABLE) == 0)
		rc = err_set(err, E_BUSY, "the rows of recording %lu are read",
			     (unsigned long)rec);
	return rc;
}
