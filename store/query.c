/* Questions that one short statement answers. */
#include "store/query.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/db.h"
#include "store/derive.h"
#include "store/keys.h"
#include "store/open.h"
#include "store/spool.h"

#define ARRIVALS_AT_ONCE 1000u

/* ---- recordings */

/* A recorder that ships holds a lock named after the recording. */
#define RECORDING_COLUMNS                                                      \
	"r.recording, r.uuid::text, r.name, r.command, r.host, "               \
	"coalesce((select pg_catalog.string_agg(t.key || '=' || t.value, "     \
	"' ' order by t.key) from pg_catalog.jsonb_each_text(r.tags) t), "     \
	"''), r.started_ns, r.duration_ns, r.events, r.tasks, r.bytes, "       \
	"coalesce(r.status, -1), r.ended, exists (select 1 from "              \
	"pg_catalog.pg_locks l where l.locktype = 'advisory' and "             \
	"l.database = (select d.oid from pg_catalog.pg_database d where "      \
	"d.datname = pg_catalog.current_database()) and "                      \
	"l.classid::bigint = $1 and l.objid::bigint = r.recording and "        \
	"l.objsubid = 1), coalesce((select pg_catalog.sum(c.bytes) from "      \
	"pastime.checkpoint c where c.recording = r.recording), 0)::bigint "   \
	"from pastime.recording r "

static void
take_recording(const struct db_rows *r, size_t i, const char *spool_dir,
	       struct arena *a, struct recording_row *out)
{
	bool live = db_get_int(r, i, 13);

	*out = (struct recording_row){
		.recording = (uint64_t)db_get_int(r, i, 0),
		.uuid = db_get_text(r, i, 1, a),
		.name = db_get_text(r, i, 2, a),
		.command = db_get_text(r, i, 3, a),
		.host = db_get_text(r, i, 4, a),
		.tags = db_get_text(r, i, 5, a),
		.started_real_ns = (uint64_t)db_get_int(r, i, 6),
		.duration_ns = (uint64_t)db_get_int(r, i, 7),
		.events = (uint64_t)db_get_int(r, i, 8),
		.tasks = (uint64_t)db_get_int(r, i, 9),
		.bytes = (uint64_t)db_get_int(r, i, 10),
		.status = (int)db_get_int(r, i, 11),
		.indexed = (uint64_t)db_get_int(r, i, 14),
	};
	if (db_get_int(r, i, 12) == 1)
		out->state = "done";
	else if (live || (spool_dir && spool_is_live(spool_dir, out->uuid)))
		out->state = "running";
	else
		out->state = "cut off";
}

int
query_recordings(struct db *db, struct arena *a, struct recording_row **out,
		 size_t *n, struct err *err)
{
	struct recording_row *rows;
	struct db_rows r;
	char *dir = NULL;
	int rc;

	rc = db_query(db,
		      "select " RECORDING_COLUMNS
		      "where not r.removed order by r.recording",
		      DB_ARGS(DB_INT(KEY_BASE >> 32)), a, &r, err);
	if (rc < 0)
		return rc;
	store_spool_dir(&dir, NULL);
	rows = arena_alloc(a, (r.n + 1) * sizeof(*rows));
	for (size_t i = 0; i < r.n; i++)
		take_recording(&r, i, dir, a, &rows[i]);
	mem_free(dir);
	*out = rows;
	*n = r.n;
	return 0;
}

static int
no_recording(uint64_t rec, struct err *err)
{
	err_set(err, E_NOT_FOUND, "there is no recording %lu",
		(unsigned long)rec);
	err_hint(err, "'pastime ls' lists the recordings");
	return -E_NOT_FOUND;
}

int
query_recording(struct db *db, uint64_t rec, struct arena *a,
		struct recording_row *out, struct err *err)
{
	struct db_rows r;
	char *dir = NULL;
	int rc;

	rc = db_query(db,
		      "select " RECORDING_COLUMNS
		      "where not r.removed and r.recording = $2",
		      DB_ARGS(DB_INT(KEY_BASE >> 32), DB_INT(rec)), a, &r, err);
	if (rc < 0)
		return rc;
	if (r.n == 0)
		return no_recording(rec, err);
	store_spool_dir(&dir, NULL);
	take_recording(&r, 0, dir, a, out);
	mem_free(dir);
	return 0;
}

/* A statement that must change exactly the row of rec. */
static int
change(struct db *db, uint64_t rec, const char *sql, const struct db_arg *args,
       size_t n, struct err *err)
{
	struct db_rows r;
	int rc = db_query(db, sql, args, n, NULL, &r, err);

	if (rc == 0 && r.affected == 0)
		return no_recording(rec, err);
	return rc;
}

int
query_check_name(const char *name, struct err *err)
{
	if (name[0] && strspn(name, "0123456789") != strlen(name))
		return 0;
	err_set(err, E_USAGE, "'%s' cannot be the name of a recording", name);
	err_hint(err, "a name is not empty and no number");
	return -E_USAGE;
}

int
query_rename(struct db *db, uint64_t rec, const char *name, struct err *err)
{
	int rc = query_check_name(name, err);

	if (rc < 0)
		return rc;
	return change(db, rec,
		      "update pastime.recording set name = $2 "
		      "where recording = $1 and not removed",
		      DB_ARGS(DB_INT(rec), DB_TEXT(name)), err);
}

int
query_tag(struct db *db, uint64_t rec, const char *key, const char *value,
	  struct err *err)
{
	if (!value)
		return change(db, rec,
			      "update pastime.recording set tags = tags - $2 "
			      "where recording = $1 and not removed",
			      DB_ARGS(DB_INT(rec), DB_TEXT(key)), err);
	return change(db, rec,
		      "update pastime.recording set tags = tags || "
		      "pg_catalog.jsonb_build_object($2, $3) "
		      "where recording = $1 and not removed",
		      DB_ARGS(DB_INT(rec), DB_TEXT(key), DB_TEXT(value)), err);
}

/* ---- tasks, descriptors */

int
query_tasks(struct db *db, uint64_t rec, struct arena *a, struct task_row **out,
	    size_t *n, struct err *err)
{
	struct task_row *rows;
	struct db_rows r;
	int rc;

	rc = derive_intervals(db, rec, NULL, NULL, err);
	if (rc == 0)
		rc = db_query(db,
			      "select t.task, t.process, "
			      "coalesce(t.parent, 0), t.space, t.share_group, "
			      "t.tid, t.from_seq, coalesce(t.to_seq, 0), "
			      "t.from_ns, coalesce(t.to_ns, 0), "
			      "coalesce(t.status, -1), coalesce(t.comm, ''), "
			      "coalesce(p.command, '') from pastime.task t "
			      "left join pastime.process p on p.recording = "
			      "t.recording and p.process = t.process "
			      "where t.recording = $1 order by t.task",
			      DB_ARGS(DB_INT(rec)), a, &r, err);
	if (rc < 0)
		return rc;
	rows = arena_alloc(a, (r.n + 1) * sizeof(*rows));
	for (size_t i = 0; i < r.n; i++) {
		rows[i] = (struct task_row){
			.task = (uint32_t)db_get_int(&r, i, 0),
			.process = (uint32_t)db_get_int(&r, i, 1),
			.parent = (uint32_t)db_get_int(&r, i, 2),
			.space = (uint32_t)db_get_int(&r, i, 3),
			.group = (uint32_t)db_get_int(&r, i, 4),
			.tid = (int)db_get_int(&r, i, 5),
			.born_seq = (uint64_t)db_get_int(&r, i, 6),
			.died_seq = (uint64_t)db_get_int(&r, i, 7),
			.born_ns = (uint64_t)db_get_int(&r, i, 8),
			.died_ns = (uint64_t)db_get_int(&r, i, 9),
			.status = (int)db_get_int(&r, i, 10),
			.comm = db_get_text(&r, i, 11, a),
			.cmdline = db_get_text(&r, i, 12, a),
		};
	}
	*out = rows;
	*n = r.n;
	return 0;
}

int
query_fds(struct db *db, uint64_t rec, uint32_t process, uint64_t seq,
	  struct arena *a, struct fd_row **out, size_t *n, struct err *err)
{
	struct fd_row *rows;
	struct db_rows r;
	int rc;

	rc = derive_intervals(db, rec, NULL, NULL, err);
	if (rc == 0)
		rc = db_query(
			db,
			"select d.fd, f.kind, coalesce(f.peer, f.local, "
			"f.name), d.from_seq, d.cloexec "
			"from pastime.descriptor d "
			"join pastime.open_file f on f.recording = "
			"d.recording and f.file = d.file "
			"where d.recording = $1 and d.process = $2 "
			"and d.from_seq <= $3 and "
			"(d.to_seq is null or d.to_seq > $3) "
			"order by d.fd",
			DB_ARGS(DB_INT(rec), DB_INT(process), DB_INT(seq)), a,
			&r, err);
	if (rc < 0)
		return rc;
	rows = arena_alloc(a, (r.n + 1) * sizeof(*rows));
	for (size_t i = 0; i < r.n; i++) {
		rows[i] = (struct fd_row){
			.fd = (int)db_get_int(&r, i, 0),
			.kind = db_get_text(&r, i, 1, a),
			.target = db_get_text(&r, i, 2, a),
			.opened_seq = (uint64_t)db_get_int(&r, i, 3),
			.cloexec = db_get_int(&r, i, 4),
		};
	}
	*out = rows;
	*n = r.n;
	return 0;
}

/* ---- bookmarks */

int
query_marks(struct db *db, uint64_t rec, struct arena *a, struct mark_row **out,
	    size_t *n, struct err *err)
{
	struct mark_row *rows;
	struct db_rows r;
	int rc;

	rc = db_query(db,
		      "select name, coalesce(note, ''), pos, seq "
		      "from pastime.mark where recording = $1 "
		      "order by seq, name",
		      DB_ARGS(DB_INT(rec)), a, &r, err);
	if (rc < 0)
		return rc;
	rows = arena_alloc(a, (r.n + 1) * sizeof(*rows));
	for (size_t i = 0; i < r.n; i++) {
		rows[i] = (struct mark_row){
			.name = db_get_text(&r, i, 0, a),
			.note = db_get_text(&r, i, 1, a),
			.pos = db_get_text(&r, i, 2, a),
			.seq = (uint64_t)db_get_int(&r, i, 3),
		};
	}
	*out = rows;
	*n = r.n;
	return 0;
}

int
query_mark_set(struct db *db, uint64_t rec, const char *name, const char *pos,
	       uint64_t seq, const char *note, struct err *err)
{
	return db_query(db,
			"insert into pastime.mark (recording, name, pos, seq, "
			"note) values ($1, $2, $3, $4, $5) "
			"on conflict (recording, name) do update set "
			"pos = excluded.pos, seq = excluded.seq, "
			"note = excluded.note, made = now()",
			DB_ARGS(DB_INT(rec), DB_TEXT(name), DB_TEXT(pos),
				DB_INT(seq), DB_TEXT(note)),
			NULL, NULL, err);
}

int
query_arrivals_put(struct db *db, uint64_t rec, const struct arrival_row *v,
		   size_t n, struct err *err)
{
	struct buf sql = { 0 };
	int rc = 0;

	for (size_t at = 0; rc == 0 && at < n; at += ARRIVALS_AT_ONCE) {
		size_t end =
			at + ARRIVALS_AT_ONCE < n ? at + ARRIVALS_AT_ONCE : n;

		buf_clear(&sql);
		buf_str(&sql, "insert into pastime.arrival (recording, seq, "
			      "arrivals) values ");
		for (size_t i = at; i < end; i++)
			buf_printf(&sql,
				   "%s(%" PRIu64 ", %" PRIu64 ", %" PRIu64 ")",
				   i > at ? ", " : "", rec, v[i].seq,
				   v[i].arrivals);
		buf_str(&sql, " on conflict (recording, seq) do nothing");
		rc = db_exec(db, buf_cstr(&sql), err);
	}
	buf_free(&sql);
	return rc;
}

int
query_mark_del(struct db *db, uint64_t rec, const char *name, struct err *err)
{
	struct db_rows r;
	int rc;

	rc = db_query(db,
		      "delete from pastime.mark where recording = $1 "
		      "and name = $2",
		      DB_ARGS(DB_INT(rec), DB_TEXT(name)), NULL, &r, err);
	if (rc == 0 && r.affected == 0)
		rc = err_set(err, E_NOT_FOUND, "there is no bookmark @%s",
			     name);
	return rc;
}

/* ---- the user's SQL */

static bool
is_number_type(uint32_t oid)
{
	switch (oid) {
	case 20:   /* int8 */
	case 21:   /* int2 */
	case 23:   /* int4 */
	case 26:   /* oid */
	case 700:  /* float4 */
	case 701:  /* float8 */
	case 1700: /* numeric */
		return true;
	}
	return false;
}

int
query_sql(struct db *db, uint64_t rec, const char *text, struct arena *a,
	  struct sql_result *out, struct err *err)
{
	struct db_rows r = { 0 };
	const char **cells;
	char number[24];
	bool *numeric;
	int rc, back;

	snprintf(number, sizeof(number), "%llu", (unsigned long long)rec);
	rc = db_query(db,
		      "select pg_catalog.set_config('search_path', "
		      "'this, pastime, public', false), "
		      "pg_catalog.set_config('pastime.rec', $1, false)",
		      DB_ARGS(DB_TEXT(rec ? number : "")), NULL, NULL, err);
	if (rc == 0)
		rc = db_query_text(db, text, a, &r, &out->names, &out->tag,
				   err);
	/* The user may have begun a transaction; ours never spans calls. */
	db_rollback(db);
	back = db_exec(db,
		       "select pg_catalog.set_config('search_path', '', "
		       "false)",
		       NULL);
	if (rc < 0)
		return rc;
	if (back < 0)
		return err_set(err, E_DB_UNREACHABLE,
			       "the database connection was lost");
	cells = arena_alloc(a, (r.n * r.cols + 1) * sizeof(*cells));
	numeric = arena_alloc(a, (r.cols + 1) * sizeof(*numeric));
	for (size_t i = 0; i < r.n * r.cols; i++)
		cells[i] = r.cells[i].null ? NULL
					   : (const char *)r.cells[i].bytes.p;
	for (size_t c = 0; c < r.cols; c++)
		numeric[c] = is_number_type(r.types[c]);
	out->rows = r.n;
	out->cols = r.cols;
	out->cells = cells;
	out->numeric = numeric;
	return 0;
}

void
query_cancel(struct db *db)
{
	db_cancel(db);
}

int
query_fill_rows(struct db *db, uint64_t rec,
		bool (*progress)(void *, uint64_t at, uint64_t to), void *ctx,
		struct err *err)
{
	return derive_rows(db, rec, progress, ctx, err);
}
