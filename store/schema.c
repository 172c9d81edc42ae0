#include "store/schema.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/mem.h"
#include "config.h"
#include "event/event.h"
#include "store/copy.h"
#include "store/db.h"
#include "store/keys.h"

#define SQL_FILE(version, name, path)                                          \
	extern const char sql_##name[], sql_##name##_end[];
#include "store/sqlfiles.def"
#undef SQL_FILE

struct sql_file {
	int version; /* 0: made again when it changed */
	const char *name;
	const char *text, *end;
};

static const struct sql_file files[] = {
/* clang-format off */
#define SQL_FILE(version, name, path) \
	{ (version), #name, sql_##name, sql_##name##_end },
#include "store/sqlfiles.def"
#undef SQL_FILE
	/* clang-format on */
};

static uint64_t
file_hash(const struct sql_file *f)
{
	return XXH3_64bits(f->text, (size_t)(f->end - f->text));
}

static int
newest(void)
{
	int v = 0;

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		v = files[i].version > v ? files[i].version : v;
	return v;
}

/* What is in the database. */
struct state {
	int version; /* 0 = nothing */
	uint64_t version_hash;
	uint64_t derived; /* hash of views, functions, seeds */
};

static int
look(struct db *db, struct state *out, struct err *err)
{
	struct arena a = { 0 };
	struct db_rows r;
	int rc;

	*out = (struct state){ 0 };
	rc = db_query(db,
		      "select pg_catalog.to_regclass('pastime.schema_version')"
		      " is not null",
		      DB_NONE, &a, &r, err);
	if (rc < 0 || !db_get_int(&r, 0, 0))
		goto out;
	rc = db_query(db,
		      "select v.version, v.hash, "
		      "coalesce((select s.value from pastime.setting s "
		      "where s.name = 'derived'), '0') "
		      "from pastime.schema_version v "
		      "order by v.version desc limit 1",
		      DB_NONE, &a, &r, err);
	if (rc < 0 || r.n == 0)
		goto out;
	out->version = (int)db_get_int(&r, 0, 0);
	out->version_hash = (uint64_t)db_get_int(&r, 0, 1);
	out->derived = strtoull(db_get_text(&r, 0, 2, &a), NULL, 16);
out:
	arena_free(&a);
	return rc;
}

static int
check(const struct state *s, struct err *err)
{
	if (s->version > newest()) {
		err_set(err, E_SCHEMA_NEWER,
			"the database has schema version %d, this pastime "
			"knows versions up to %d",
			s->version, newest());
		err_hint(err, "install the pastime that wrote it, or a newer "
			      "one");
		return -E_SCHEMA_NEWER;
	}
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (files[i].version == 0 || files[i].version != s->version ||
		    file_hash(&files[i]) == s->version_hash)
			continue;
		err_set(err, E_SCHEMA_NEWER,
			"the database was made by a development version of "
			"pastime whose schema %d is another",
			s->version);
		err_hint(err, "drop schema pastime and let it be made again, "
			      "or use another database");
		return -E_SCHEMA_NEWER;
	}
	return 0;
}

struct name_row {
	int64_t id;
	const char *name, *what;
};

static int
load_names(struct db *db, const char *table, const struct name_row *rows,
	   size_t n, struct err *err)
{
	struct buf b = { 0 };
	char sql[128];
	int rc;

	snprintf(sql, sizeof(sql), "truncate pastime.%s", table);
	rc = db_exec(db, sql, err);
	if (rc < 0)
		return rc;
	snprintf(sql, sizeof(sql), "copy pastime.%s from stdin (format binary)",
		 table);
	rc = db_copy_begin(db, sql, err);
	if (rc < 0)
		return rc;
	copy_start(&b);
	for (size_t i = 0; i < n; i++) {
		copy_row(&b, 3);
		copy_int2(&b, (int16_t)rows[i].id);
		copy_text(&b, span_str(rows[i].name));
		copy_text(&b, span_str(rows[i].what));
	}
	copy_finish(&b);
	rc = db_copy_put(db, buf_span(&b), err);
	if (rc == 0)
		rc = db_copy_end(db, NULL, err);
	buf_free(&b);
	return rc;
}

static const struct name_row kinds[] = {
/* clang-format off */
#define EVENT_KIND(id, name, what) { (id), #name, (what) },
#include "event/kind.def"
#undef EVENT_KIND
	/* clang-format on */
};

static int
load_errors(struct db *db, struct err *err)
{
	struct name_row rows[160];
	size_t n = 0;

	for (int i = 1; i < (int)ARRAY_LEN(rows); i++) {
		if (strerrorname_np(i))
			rows[n++] = (struct name_row){ i, strerrorname_np(i),
						       strerrordesc_np(i) };
	}
	return load_names(db, "errno", rows, n, err);
}

static int
load_signals(struct db *db, struct err *err)
{
	struct name_row rows[64];
	char names[64][16];
	size_t n = 0;

	for (int i = 1; i <= 64; i++) {
		const char *abbrev = i < 32 ? sigabbrev_np(i) : NULL;
		const char *what = i < 32 ? sigdescr_np(i) : NULL;

		if (abbrev)
			snprintf(names[n], sizeof(names[n]), "SIG%s", abbrev);
		else
			snprintf(names[n], sizeof(names[n]), "SIGRT%d", i - 32);
		rows[n] = (struct name_row){ i, names[n],
					     what ? what : "Real-time signal" };
		n++;
	}
	return load_names(db, "signal", rows, n, err);
}

/* Changes when any text or table that schema_ensure loads does. */
static uint64_t
derived_hash(void)
{
	uint64_t h = 0;

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (files[i].version == 0)
			h = h * 31 + file_hash(&files[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		h = h * 31 + XXH3_64bits(kinds[i].what, strlen(kinds[i].what));
	return h;
}

static int
migrate(struct db *db, int from, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		const struct sql_file *f = &files[i];
		int rc;

		if (f->version <= from)
			continue;
		rc = db_exec(db, f->text, err);
		if (rc < 0) {
			err_wrap(err, "schema version %d (%s)", f->version,
				 f->name);
			return rc;
		}
		rc = db_query(db,
			      "insert into pastime.schema_version (version, "
			      "name, hash, program) values ($1, $2, $3, $4)",
			      DB_ARGS(DB_INT(f->version), DB_TEXT(f->name),
				      DB_INT(file_hash(f)),
				      DB_TEXT(PACKAGE_VERSION)),
			      NULL, NULL, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int
derived_texts(struct db *db, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		int rc;

		if (files[i].version != 0)
			continue;
		rc = db_exec(db, files[i].text, err);
		if (rc < 0) {
			err_wrap(err, "sql/%s", files[i].name);
			return rc;
		}
	}
	return 0;
}

/* Views cannot be replaced by ones with other columns. They go then, and what
 * users built upon them goes too; only then. */
static int
drop_views(struct db *db, struct err *err)
{
	return db_exec(db,
		       "do $$ declare v record; begin "
		       "for v in select pg_catalog.format('%I.%I', n.nspname, "
		       "c.relname) as name "
		       "from pg_catalog.pg_class c "
		       "join pg_catalog.pg_namespace n on n.oid = "
		       "c.relnamespace "
		       "where n.nspname in ('pastime', 'this') "
		       "and c.relkind = 'v' loop "
		       "execute pg_catalog.format('drop view if exists %s "
		       "cascade', v.name); "
		       "end loop; end $$",
		       err);
}

static int
derive(struct db *db, struct err *err)
{
	char text[32];
	int rc;

	rc = load_names(db, "kind", kinds, ARRAY_LEN(kinds), err);
	if (rc == 0)
		rc = load_errors(db, err);
	if (rc == 0)
		rc = load_signals(db, err);
	if (rc == 0)
		rc = db_exec(db, "savepoint views", err);
	if (rc == 0 && derived_texts(db, NULL) < 0) {
		rc = db_exec(db, "rollback to savepoint views", err);
		if (rc == 0)
			rc = drop_views(db, err);
		if (rc == 0)
			rc = derived_texts(db, err);
	}
	if (rc < 0)
		return rc;
	snprintf(text, sizeof(text), "%llx",
		 (unsigned long long)derived_hash());
	return db_query(db,
			"insert into pastime.setting values ('derived', $1) "
			"on conflict (name) do update set value = "
			"excluded.value",
			DB_ARGS(DB_TEXT(text)), NULL, NULL, err);
}

int
schema_ensure(struct db *db, struct err *err)
{
	struct state s;
	int rc;

	rc = look(db, &s, err);
	if (rc == 0)
		rc = check(&s, err);
	if (rc < 0 || (s.version == newest() && s.derived == derived_hash()))
		return rc;
	rc = db_begin(db, err);
	if (rc == 0)
		rc = db_query(db, "select pg_catalog.pg_advisory_xact_lock($1)",
			      DB_ARGS(DB_INT(KEY_SCHEMA)), NULL, NULL, err);
	/* Somebody else may have done it while we waited. */
	if (rc == 0)
		rc = look(db, &s, err);
	if (rc == 0)
		rc = check(&s, err);
	if (rc == 0 && s.version < newest())
		rc = migrate(db, s.version, err);
	if (rc == 0 && s.derived != derived_hash())
		rc = derive(db, err);
	if (rc == 0)
		rc = db_commit(db, err);
	if (rc < 0)
		db_rollback(db);
	return rc;
}
