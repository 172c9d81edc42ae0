#include "store/wrapper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/mem.h"
#include "event/codec.h"
#include "store/db.h"
#include "store/keys.h"
#define LOG_DOMAIN "store"
#include "base/log.h"

/* store/fdwblob.S, or fdwblob_none.c, where both are one. */
extern const char fdw_library[], fdw_library_end[];

/* A file of ours that a power cut left half written stays; others are tried. */
#define NAMES 8

enum wrapper_mode
wrapper_mode(void)
{
	const char *v = getenv("PASTIME_EVENTS");

	if (v && strcmp(v, "rows") == 0)
		return WRAPPER_ROWS;
	return v && strcmp(v, "chunks") == 0 ? WRAPPER_CHUNKS : WRAPPER_AUTO;
}

static struct span
library(void)
{
	return span_of(fdw_library, (size_t)(fdw_library_end - fdw_library));
}

bool
wrapper_is_built(void)
{
	return library().len > 0;
}

/* Put the bytes at path, below the server's data directory. */
static int
write_file(struct db *db, const char *path, struct err *err)
{
	struct arena a = { 0 };
	struct db_rows r;
	int64_t oid;
	int rc;

	rc = db_query(db, "select pg_catalog.lo_from_bytea(0, $1)::bigint",
		      DB_ARGS(DB_BYTEA(library())), &a, &r, err);
	if (rc < 0)
		goto out;
	oid = db_get_int(&r, 0, 0);
	rc = db_query(db, "select pg_catalog.lo_export($1::bigint::oid, $2)",
		      DB_ARGS(DB_INT(oid), DB_TEXT(path)), &a, &r, err);
	if (rc == 0)
		rc = db_query(db,
			      "select pg_catalog.lo_unlink($1::bigint::oid)",
			      DB_ARGS(DB_INT(oid)), &a, &r, err);
out:
	arena_free(&a);
	return rc;
}

/* A file with our bytes: one that is there, or a new one. Files are never
 * written again: some backend may run what is in them. Each database has its
 * own, because locks are a database's. */
static int
place_file(struct db *db, uint64_t hash, char *path, size_t size,
	   struct err *err)
{
	struct arena a = { 0 };
	struct db_rows r;
	unsigned oid;
	int rc;

	rc = db_query(db,
		      "select oid::bigint from pg_catalog.pg_database "
		      "where datname = pg_catalog.current_database()",
		      DB_NONE, &a, &r, err);
	oid = rc == 0 ? (unsigned)db_get_int(&r, 0, 0) : 0;
	for (unsigned i = 0; rc == 0 && i < NAMES; i++) {
		snprintf(path, size, "./pastime_fdw-%016llx-%u-%u.so",
			 (unsigned long long)hash, oid, i);
		rc = db_query(db,
			      "select case when pg_catalog.pg_stat_file($1, "
			      "true) is null then 0 when pg_catalog."
			      "pg_read_binary_file($1) = $2 then 1 else 2 end",
			      DB_ARGS(DB_TEXT(path), DB_BYTEA(library())), &a,
			      &r, err);
		if (rc < 0 || db_get_int(&r, 0, 0) == 1)
			break;
		if (db_get_int(&r, 0, 0) == 0) {
			rc = write_file(db, path, err);
			break;
		}
	}
	arena_free(&a);
	return rc;
}

/* Functions, wrapper and server. The first call of a function proves that the
 * library can be loaded. */
static int
make_known(struct db *db, const char *path, struct err *err)
{
	struct arena a = { 0 };
	struct db_rows r;
	char *sql;
	int rc;

	sql = mem_printf(
		"create or replace function pastime_rows.chunks_codec() "
		"returns int language c as '%s', 'pastime_fdw_codec'; "
		"create or replace function pastime_rows.chunks_handler() "
		"returns fdw_handler language c as '%s', "
		"'pastime_fdw_handler'; "
		"do $$ begin if not exists (select from "
		"pg_catalog.pg_foreign_server where srvname = '" WRAPPER_SERVER
		"') then create foreign data wrapper " WRAPPER_SERVER
		" handler pastime_rows.chunks_handler; "
		"create server " WRAPPER_SERVER
		" foreign data wrapper " WRAPPER_SERVER "; "
		"end if; end $$",
		path, path);
	rc = db_exec(db, sql, err);
	mem_free(sql);
	if (rc == 0)
		rc = db_query(db, "select pastime_rows.chunks_codec()", DB_NONE,
			      &a, &r, err);
	if (rc == 0 && db_get_int(&r, 0, 0) != CHUNK_CODEC)
		rc = err_set(err, E_DB,
			     "the library reads another form of "
			     "chunks");
	arena_free(&a);
	return rc;
}

static int
remember(struct db *db, const char *value, struct err *err)
{
	return db_query(db,
			"insert into pastime.setting values ('library', $1) "
			"on conflict (name) do update set value = "
			"excluded.value",
			DB_ARGS(DB_TEXT(value)), NULL, NULL, err);
}

static int
install(struct db *db, uint64_t hash, const char *value, struct err *err)
{
	char path[64];
	int rc = db_begin(db, err);

	if (rc == 0)
		rc = db_query(db, "select pg_catalog.pg_advisory_xact_lock($1)",
			      DB_ARGS(DB_INT(KEY_SCHEMA)), NULL, NULL, err);
	if (rc == 0)
		rc = place_file(db, hash, path, sizeof(path), err);
	if (rc == 0)
		rc = make_known(db, path, err);
	if (rc == 0)
		rc = remember(db, value, err);
	if (rc == 0)
		rc = db_commit(db, err);
	if (rc < 0)
		db_rollback(db);
	return rc;
}

int
wrapper_ensure(struct db *db, const char *setting, bool *out_usable,
	       struct err *err)
{
	enum wrapper_mode mode = wrapper_mode();
	uint64_t hash = XXH3_64bits(fdw_library, library().len);
	struct err why = { 0 };
	char good[32], bad[32];
	int rc;

	*out_usable = false;
	if (mode == WRAPPER_CHUNKS && library().len == 0) {
		err_set(err, E_UNSUPPORTED,
			"this pastime was built without the library that "
			"reads chunks in the server");
		err_hint(err, "unset PASTIME_EVENTS: rows are made in place "
			      "of it; or build with PostgreSQL's server "
			      "headers");
		return -E_UNSUPPORTED;
	}
	if (library().len == 0 || mode == WRAPPER_ROWS ||
	    (mode == WRAPPER_AUTO && !db_is_private(db)))
		return 0;
	snprintf(good, sizeof(good), "%016llx", (unsigned long long)hash);
	snprintf(bad, sizeof(bad), "no %016llx", (unsigned long long)hash);
	*out_usable = strcmp(setting, good) == 0;
	if (*out_usable || (mode == WRAPPER_AUTO && strcmp(setting, bad) == 0))
		return 0;
	rc = install(db, hash, good, &why);
	*out_usable = rc == 0;
	if (rc == 0)
		return 0;
	if (rc == -E_DB_UNREACHABLE || mode == WRAPPER_CHUNKS) {
		if (err)
			*err = why;
		return rc;
	}
	log_debug("rows in place of chunks: %s", why.text);
	return remember(db, bad, err);
}

int
wrapper_remove(struct db *db, struct err *err)
{
	return db_exec(db,
		       "drop foreign data wrapper if exists " WRAPPER_SERVER
		       " cascade; "
		       "drop function if exists pastime_rows.chunks_codec(), "
		       "pastime_rows.chunks_handler(); "
		       "do $$ begin if pg_catalog.to_regclass("
		       "'pastime.setting') is not null then "
		       "delete from pastime.setting where name = 'library'; "
		       "end if; end $$",
		       err);
}
