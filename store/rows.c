/*
 * Rows of pastime.event, one partition per recording: made apart, filled by
 * COPY in the same transaction (so that neither WAL nor a later vacuum has to
 * look at them again), indexed, then attached.
 */
#include <stdio.h>

#include "base/mem.h"
#include "event/facts.h"
#include "store/blob.h"
#include "store/copy.h"
#include "store/db.h"
#include "store/derive.h"
#include "store/keys.h"
#include "store/partition.h"
#include "store/reader.h"
#include "store/wrapper.h"

#define COPY_PIECE (256u * 1024)

struct rows {
	struct db *db;	   /* the transaction and the COPY */
	struct db *source; /* chunks and blobs */
	struct chunk_reader *chunks;
	struct blob_cache *blobs;
	uint64_t rec, from, to; /* events after from, up to to */
	bool is_new;		/* there is no partition yet */
	bool damaged;
	struct buf out;
	struct arena arena;
	derive_progress *progress;
	void *ctx;
};

static int
get_blob(void *ctx, const struct blob_id *id, struct buf *out)
{
	struct rows *r = ctx;
	int rc = chunk_reader_idle(r->chunks, NULL);

	return rc < 0 ? rc : blob_cache_get(r->blobs, id, out, NULL);
}

static void
text_or_null(struct buf *b, struct span s)
{
	if (s.len)
		copy_text(b, s);
	else
		copy_null(b);
}

static void
put_row(struct rows *r, const struct event *ev)
{
	const struct blob_fetch blobs = { get_blob, r };
	struct buf *b = &r->out;
	struct facts f;

	facts_of(ev, &blobs, &r->arena, &f);
	copy_row(b, 24);
	copy_int8(b, (int64_t)r->rec);
	copy_int8(b, (int64_t)ev->seq);
	copy_int8(b, (int64_t)ev->time_ns);
	copy_int8_or_null(b, ev->dur_ns, ev->dur_ns);
	for (unsigned i = 0; i < 6; i++)
		copy_int8_or_null(b, i < f.nargs, ev->args[i]);
	copy_int8_or_null(b, f.has_ret, (uint64_t)ev->ret);
	copy_int8(b, (int64_t)ev->pc);
	copy_int8(b, (int64_t)ev->sp);
	copy_int4(b, (int32_t)ev->task);
	copy_int4(b, (int32_t)ev->flags);
	if (f.fd >= 0)
		copy_int4(b, f.fd);
	else
		copy_null(b);
	copy_int2(b, (int16_t)ev->kind);
	if (ev->call >= 0)
		copy_int2(b, ev->call);
	else
		copy_null(b);
	if (f.error)
		copy_int2(b, (int16_t)f.error);
	else
		copy_null(b);
	text_or_null(b, f.path);
	text_or_null(b, f.path2);
	text_or_null(b, f.addr);
	if (f.has_data)
		copy_bytes(b, f.data);
	else
		copy_null(b);
	text_or_null(b, f.note);
	arena_clear(&r->arena);
}

static int
flush(struct rows *r, struct err *err)
{
	int rc = db_copy_put(r->db, buf_span(&r->out), err);

	buf_clear(&r->out);
	return rc;
}

static int
copy_chunks(struct rows *r, struct err *err)
{
	uint64_t seq = r->from + 1;
	int rc = 0;

	copy_start(&r->out);
	while (rc == 0 && seq <= r->to) {
		struct chunk c;

		rc = chunk_reader_get(r->chunks, seq, true, &c, err);
		if (rc == 0)
			rc = err_set(err, E_FORMAT,
				     "recording %lu lacks event %lu in the "
				     "database",
				     (unsigned long)r->rec, (unsigned long)seq);
		if (rc == -E_FORMAT) {
			/* What lies before the damage is usable. */
			r->to = seq - 1;
			r->damaged = true;
			rc = 0;
			break;
		}
		if (rc < 0)
			break;
		rc = 0;
		for (size_t i = seq - c.first_seq; i < c.n && seq <= r->to;
		     i++, seq++)
			put_row(r, &c.ev[i]);
		if (r->out.len >= COPY_PIECE)
			rc = flush(r, err);
		if (rc == 0 && r->progress &&
		    !r->progress(r->ctx, seq - 1, r->to))
			rc = err_set(err, E_CANCELLED, "interrupted");
	}
	if (rc == 0) {
		copy_finish(&r->out);
		rc = flush(r, err);
	}
	return rc;
}

static int
make_partition(struct rows *r, struct err *err)
{
	char like[160];

	/* The check lets ATTACH trust it without reading it. */
	snprintf(like, sizeof(like),
		 "(like pastime.event including defaults including storage, "
		 "check (recording = %lu))",
		 (unsigned long)r->rec);
	return partition_sql(r->db, r->rec, "create table", like, err);
}

static int
attach_partition(struct rows *r, struct err *err)
{
	int rc;

	rc = partition_sql(r->db, r->rec, "create index on", "(seq)", err);
	if (rc == 0)
		rc = partition_sql(r->db, r->rec, "create index on",
				   "using brin (time_ns)", err);
	return rc < 0 ? rc : partition_attach(r->db, r->rec, err);
}

/* What there is to do; false: nothing. */
static bool
look(struct rows *r, const struct partition *p)
{
	r->is_new = p->kind != PARTITION_ROWS;
	r->from = r->is_new ? 0 : p->upto;
	r->to = p->events;
	return r->from < r->to;
}

static int
fill_locked(struct rows *r, struct err *err)
{
	struct partition p;
	int rc;

	rc = db_query(r->db, "select pg_catalog.pg_advisory_xact_lock($1)",
		      DB_ARGS(DB_INT(KEY_ROWS(r->rec))), NULL, NULL, err);
	if (rc == 0)
		rc = partition_look(r->db, r->rec, &p, err);
	if (rc < 0 || !look(r, &p))
		return rc;
	if (p.kind == PARTITION_CHUNKS)
		rc = partition_drop(r->db, r->rec, err);
	if (rc == 0 && r->is_new)
		rc = make_partition(r, err);
	if (rc == 0) {
		char *sql = mem_printf("copy pastime_rows.event_%lu from stdin "
				       "(format binary%s)",
				       (unsigned long)r->rec,
				       r->is_new ? ", freeze" : "");

		rc = db_copy_begin(r->db, sql, err);
		mem_free(sql);
	}
	if (rc == 0)
		rc = copy_chunks(r, err);
	if (rc == 0)
		rc = db_copy_end(r->db, NULL, err);
	if (rc == 0 && r->is_new)
		rc = attach_partition(r, err);
	if (rc == 0)
		rc = db_query(r->db,
			      "update pastime.recording set rows_upto = $2 "
			      "where recording = $1",
			      DB_ARGS(DB_INT(r->rec), DB_INT(r->to)), NULL,
			      NULL, err);
	return rc;
}

static int
fill(struct rows *r, struct err *err)
{
	int rc;

	rc = db_connect(db_conninfo(r->db), &r->source, err);
	if (rc < 0)
		return rc;
	r->chunks = chunk_reader_new(r->source, r->rec);
	r->blobs = blob_cache_new(r->source);
	rc = db_begin(r->db, err);
	if (rc == 0)
		rc = fill_locked(r, err);
	if (rc == 0)
		rc = db_commit(r->db, err);
	if (rc < 0)
		db_rollback(r->db);
	/* Statistics: without them every plan is a guess. */
	if (rc == 0 && r->to > r->from)
		rc = partition_sql(r->db, r->rec, "analyze", "", err);
	chunk_reader_free(r->chunks);
	blob_cache_free(r->blobs);
	db_close(r->source);
	buf_free(&r->out);
	arena_free(&r->arena);
	return rc;
}

int
derive_rows(struct db *db, uint64_t rec, derive_progress *progress, void *ctx,
	    struct err *err)
{
	struct rows r = {
		.db = db, .rec = rec, .progress = progress, .ctx = ctx
	};
	struct partition p;
	bool chunks = false;
	int rc;

	rc = derive_intervals(db, rec, NULL, NULL, err);
	if (rc == 0)
		rc = partition_look(db, rec, &p, err);
	if (rc == 0)
		rc = wrapper_ensure(db, p.library, &chunks, err);
	/* A server that has the library needs no program that brings it. */
	if (rc == 0 && (chunks || (p.kind == PARTITION_CHUNKS &&
				   wrapper_mode() != WRAPPER_ROWS))) {
		rc = partition_chunks(db, rec, err);
		if (rc != -E_BUSY || p.kind != PARTITION_ROWS)
			return rc;
		/* Another time; rows do as well. */
		rc = 0;
	}
	return rc < 0 || !look(&r, &p) ? rc : fill(&r, err);
}
