/* Which server, and a connection to it that is ready for use. */
#include "store/open.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/mem.h"
#include "store/cluster.h"
#include "store/db.h"
#include "store/schema.h"
#include "store/ship.h"
#define LOG_DOMAIN "store"
#include "base/log.h"

static bool
env_set(const char *name)
{
	const char *v = getenv(name);

	return v && v[0];
}

int
store_where(const char *url, struct store_where *out, struct err *err)
{
	struct cluster c;
	int rc;

	*out = (struct store_where){ 0 };
	if (!url && env_set("PASTIME_DB"))
		url = getenv("PASTIME_DB");
	if (!url && (env_set("PGHOST") || env_set("PGSERVICE") ||
		     env_set("PGDATABASE")))
		url = "";
	if (url) {
		out->url = mem_strdup(url);
		return 0;
	}
	rc = cluster_locate(&c, err);
	if (rc < 0)
		return rc;
	rc = cluster_conninfo(&c, CLUSTER_DATABASE, &out->url, err);
	if (rc == 0) {
		out->embedded = true;
		out->dir = mem_strdup(c.dir ? c.dir : c.home);
	}
	cluster_release(&c);
	return rc;
}

void
store_where_free(struct store_where *w)
{
	mem_free(w->url);
	mem_free(w->dir);
	*w = (struct store_where){ 0 };
}

char *
store_where_key(const struct store_where *w)
{
	static const char *const vars[] = { "PGSERVICE", "PGHOST", "PGPORT",
					    "PGDATABASE" };
	struct buf b = { 0 };
	uint64_t hash;

	if (w->embedded)
		return mem_strdup("embedded");
	buf_str(&b, w->url);
	for (size_t i = 0; !w->url[0] && i < ARRAY_LEN(vars); i++) {
		const char *v = getenv(vars[i]);

		buf_printf(&b, "%s\n", v ? v : "");
	}
	/* A URL may hold a password, which has no business in a spool. */
	hash = XXH3_64bits(b.p, b.len);
	buf_free(&b);
	return mem_printf("%016llx", (unsigned long long)hash);
}

int
store_spool_dir(char **out, struct err *err)
{
	return home_make("spool", out, err);
}

int
store_connect(const struct store_where *w, struct db **out, struct err *err)
{
	struct store_where now = { 0 };
	struct db *db;
	int rc = 0;

	/* A server that was started since has said where its socket is. */
	if (w->embedded)
		rc = store_where(NULL, &now, err);
	if (rc == 0)
		rc = db_connect(w->embedded ? now.url : w->url, &db, err);
	store_where_free(&now);
	if (rc < 0)
		return rc;
	if (w->embedded)
		db_set_private(db);
	rc = schema_ensure(db, err);
	if (rc < 0) {
		db_close(db);
		return rc;
	}
	*out = db;
	return 0;
}

int
store_open(const char *url, struct db **out, struct err *err)
{
	struct store_where w;
	struct err first = { 0 };
	char *dir = NULL, *key = NULL;
	int rc;

	rc = store_where(url, &w, err);
	if (rc < 0)
		return rc;
	rc = store_connect(&w, out, w.embedded ? &first : err);
	if (rc < 0 && w.embedded) {
		/* Not there, or not fit to be used: cluster_start mends what
		 * can be mended and says what cannot. */
		if (rc == -E_DB_UNREACHABLE)
			rc = cluster_start(err);
		else if (err)
			*err = first;
		if (rc == 0)
			rc = store_connect(&w, out, err);
	}
	if (rc == 0 && store_spool_dir(&dir, NULL) == 0) {
		key = store_where_key(&w);
		if (ship_leftovers(*out, dir, key, err) < 0) {
			rc = -E_DB_UNREACHABLE;
			db_close(*out);
			*out = NULL;
		}
	}
	mem_free(key);
	mem_free(dir);
	store_where_free(&w);
	return rc;
}

void
store_close(struct db *db)
{
	db_close(db);
}

/* The recording whose column says so; sets *out_n to how many there are. */
static int
find_by(struct db *db, const char *sql, const char *rec, uint64_t *out,
	size_t *out_n, struct err *err)
{
	struct arena a = { 0 };
	struct db_rows r;
	int rc;

	rc = db_query(db, sql, DB_ARGS(DB_TEXT(rec)), &a, &r, err);
	if (rc == 0) {
		*out_n = r.n;
		if (r.n)
			*out = (uint64_t)db_get_int(&r, 0, 0);
	}
	arena_free(&a);
	return rc;
}

#define LIVING "select recording from pastime.recording where not removed "

/* What may be the beginning of a UUID. A short number never is: when recording
 * 3 is gone, "rm 3" shall not find another one whose UUID begins so. */
static bool
is_prefix(const char *rec)
{
	size_t digits = strspn(rec, "0123456789");

	return rec[0] && (rec[digits] || digits >= 8) &&
	       strspn(rec, "0123456789abcdefABCDEF-") == strlen(rec);
}

int
store_find(struct db *db, const char *rec, uint64_t *out, struct err *err)
{
	size_t n = 0;
	int rc;

	if (!rec) {
		rc = find_by(db,
			     LIVING "and $1::text is null "
				    "order by started_ns desc, recording desc "
				    "limit 1",
			     NULL, out, &n, err);
		if (rc == 0 && n == 0) {
			err_set(err, E_NOT_FOUND, "there is no recording yet");
			err_hint(err, "pastime record COMMAND makes one");
			return -E_NOT_FOUND;
		}
		return rc;
	}
	/* A number; the newest of a name; a prefix of a UUID. */
	if (rec[0] && strspn(rec, "0123456789") == strlen(rec) &&
	    strlen(rec) < 18) {
		rc = find_by(db, LIVING "and recording = $1::text::bigint", rec,
			     out, &n, err);
		if (rc < 0 || n)
			return rc;
	}
	rc = find_by(db,
		     LIVING "and name = $1 "
			    "order by started_ns desc, recording desc limit 1",
		     rec, out, &n, err);
	if (rc < 0 || n)
		return rc;
	if (is_prefix(rec)) {
		rc = find_by(db,
			     LIVING "and uuid::text like "
				    "pg_catalog.lower($1) || '%' limit 2",
			     rec, out, &n, err);
		if (rc < 0 || n == 1)
			return rc;
		if (n == 2) {
			err_set(err, E_AMBIGUOUS,
				"%s begins more than one recording's UUID",
				rec);
			err_hint(err, "give more of it, or the number that "
				      "'pastime ls' shows");
			return -E_AMBIGUOUS;
		}
	}
	err_set(err, E_NOT_FOUND, "there is no recording %s", rec);
	err_hint(err, "'pastime ls' lists the recordings");
	return -E_NOT_FOUND;
}
