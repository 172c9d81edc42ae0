/* Removing: rm marks, gc drops what is marked and what nobody needs. */
#include <string.h>

#include "base/mem.h"
#include "store/db.h"
#include "store/keys.h"
#include "store/partition.h"
#include "store/query.h"

#define LOCK_TIMEOUT "set local lock_timeout = '2s'"
#define LOCK_NOT_AVAILABLE "55P03"

/* What is made from chunks, and can be made again. */
static const char *const derived[] = {
	"task", "process", "image",    "descriptor",   "open_file",   "mapping",
	"file", "warning", "coverage", "traced_write", "traced_call", "trace",
};

static const char *const sources[] = {
	"chunk", "recording_pack", "mark", "arrival", "checkpoint", "recording",
};

static int
delete_from(struct db *db, const char *const *tables, size_t n, uint64_t rec,
	    struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++) {
		char *sql = mem_printf("delete from pastime.%s where "
				       "recording = %lu",
				       tables[i], (unsigned long)rec);

		rc = db_exec(db, sql, err);
		mem_free(sql);
	}
	return rc;
}

/* The rows of one recording that people query. Its partition goes last: DROP
 * waits for who reads pastime.event, but not for long. */
static int
drop_derived(struct db *db, uint64_t rec, struct err *err)
{
	int rc;

	rc = delete_from(db, derived, ARRAY_LEN(derived), rec, err);
	if (rc == 0)
		rc = partition_drop(db, rec, err);
	if (rc == 0)
		rc = db_query(db,
			      "update pastime.recording set rows_upto = 0, "
			      "intervals_upto = 0 where recording = $1",
			      DB_ARGS(DB_INT(rec)), NULL, NULL, err);
	return rc;
}

/* End the transaction that began with rc; what is locked goes another time. */
static int
end(struct db *db, int rc, struct err *err)
{
	if (rc == 0)
		rc = db_commit(db, err);
	if (rc == 0)
		return 0;
	db_rollback(db);
	return strcmp(db_sqlstate(db), LOCK_NOT_AVAILABLE) == 0 ? 0 : rc;
}

/*
 * Queries stop seeing it at once; chunks and packs stay until gc, because a
 * replay or a recorder may be at work on them.
 */
int
query_remove(struct db *db, uint64_t rec, struct err *err)
{
	struct db_rows r;
	int rc;

	rc = db_query(db,
		      "update pastime.recording set removed = true "
		      "where recording = $1 and not removed",
		      DB_ARGS(DB_INT(rec)), NULL, &r, err);
	if (rc == 0 && r.affected == 0) {
		err_set(err, E_NOT_FOUND, "there is no recording %lu",
			(unsigned long)rec);
		err_hint(err, "'pastime ls' lists the recordings");
		rc = -E_NOT_FOUND;
	}
	if (rc < 0)
		return rc;
	rc = db_exec(db, "begin; " LOCK_TIMEOUT, err);
	if (rc == 0)
		rc = drop_derived(db, rec, err);
	return end(db, rc, err);
}

/* False while a recorder still stores it. */
static int
is_free(struct db *db, uint64_t rec, struct err *err)
{
	struct arena a = { 0 };
	struct db_rows r;
	int rc;

	rc = db_query(db, "select pg_catalog.pg_try_advisory_xact_lock($1)",
		      DB_ARGS(DB_INT(KEY_LIVE(rec))), &a, &r, err);
	if (rc == 0)
		rc = (int)db_get_int(&r, 0, 0);
	arena_free(&a);
	return rc;
}

static int
drop_recording(struct db *db, uint64_t rec, struct err *err)
{
	int rc = is_free(db, rec, err);

	if (rc <= 0)
		return rc;
	rc = delete_from(db, sources, ARRAY_LEN(sources), rec, err);
	return rc < 0 ? rc : drop_derived(db, rec, err);
}

/* One transaction for each. */
static int
drop_removed(struct db *db, struct err *err)
{
	struct arena a = { 0 };
	struct db_rows r;
	int rc;

	rc = db_query(db,
		      /* Without events: its recorder has not shipped any yet,
		       * and what it holds must stay, but not for ever. */
		      "select recording from pastime.recording where removed "
		      "and (events > 0 or started_ns < 1e9 * extract(epoch "
		      "from pg_catalog.now() - interval '7 days'))",
		      DB_NONE, &a, &r, err);
	for (size_t i = 0; rc == 0 && i < r.n; i++) {
		uint64_t rec = (uint64_t)db_get_int(&r, i, 0);

		rc = db_exec(db, "begin; " LOCK_TIMEOUT, err);
		if (rc == 0)
			rc = drop_recording(db, rec, err);
		rc = end(db, rc, err);
	}
	arena_free(&a);
	return rc;
}

static int
drop_packs(struct db *db, uint64_t *out_blobs, uint64_t *out_bytes,
	   struct err *err)
{
	struct arena a = { 0 };
	struct db_rows r;
	int rc;

	rc = db_query(db, "select pg_catalog.pg_try_advisory_xact_lock($1)",
		      DB_ARGS(DB_INT(KEY_GC)), &a, &r, err);
	if (rc == 0 && !db_get_int(&r, 0, 0)) {
		err_set(err, E_BUSY, "a recording is being stored right now");
		err_hint(err, "try again in a moment");
		rc = -E_BUSY;
	}
	if (rc == 0)
		rc = db_query(db,
			      "with gone as (delete from pastime.pack p "
			      "where not exists (select 1 from "
			      "pastime.recording_pack r where r.pack = p.pack)"
			      " returning p.pack, "
			      "pg_catalog.octet_length(p.data) as bytes), "
			      "blobs as (delete from pastime.blob b "
			      "using gone where b.pack = gone.pack "
			      "returning 1) select (select count(*) from "
			      "blobs), coalesce((select sum(bytes) from gone),"
			      " 0)::bigint",
			      DB_NONE, &a, &r, err);
	if (rc == 0) {
		*out_blobs = (uint64_t)db_get_int(&r, 0, 0);
		*out_bytes = (uint64_t)db_get_int(&r, 0, 1);
	}
	arena_free(&a);
	return rc;
}

int
query_gc(struct db *db, uint64_t *out_blobs, uint64_t *out_bytes,
	 struct err *err)
{
	int rc;

	rc = drop_removed(db, err);
	if (rc == 0)
		rc = db_begin(db, err);
	if (rc == 0)
		rc = drop_packs(db, out_blobs, out_bytes, err);
	if (rc == 0)
		rc = db_commit(db, err);
	if (rc < 0)
		db_rollback(db);
	/* Space for others: at the tables' ends it goes back to the system. */
	if (rc == 0)
		rc = db_exec(db,
			     "vacuum pastime.chunk, pastime.pack, "
			     "pastime.blob, pastime.recording_pack",
			     err);
	return rc;
}
