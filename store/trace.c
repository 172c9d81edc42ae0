/* Traces: their rows and what these cover. */
#include "store/trace.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "config.h"
#include "store/copy.h"
#include "store/db.h"
#include "store/keys.h"

#define INT8_OID 20
#define TRACES_MAX 16u

struct trace_put {
	struct db *db;
	uint64_t rec;
	uint32_t traces[TRACES_MAX];
	size_t n_traces;
	struct trace_range range;
	struct buf writes, calls;
	bool has_writes, has_calls;
	struct arena arena;
	VEC(struct trace_call) ends;
};

int
trace_open(struct db *db, uint64_t rec, const char *kind, const char *subject,
	   uint32_t len, uint32_t *out, struct err *err)
{
	struct arena a = { 0 };
	struct db_rows r;
	int rc;

	/* One at a time: numbers are dense. */
	rc = db_begin(db, err);
	if (rc == 0)
		rc = db_query(db, "select pg_catalog.pg_advisory_xact_lock($1)",
			      DB_ARGS(DB_INT(KEY_ROWS(rec))), &a, &r, err);
	if (rc == 0)
		rc = db_query(db,
			      "insert into pastime.trace (recording, trace, "
			      "kind, subject, len, program) select $1, "
			      "coalesce(max(trace), 0) + 1, $2, $3, $4, $5 "
			      "from pastime.trace where recording = $1 "
			      "on conflict (recording, kind, subject, len) "
			      "do nothing",
			      DB_ARGS(DB_INT(rec), DB_TEXT(kind),
				      DB_TEXT(subject), DB_INT(len),
				      DB_TEXT(PACKAGE_VERSION)),
			      NULL, NULL, err);
	if (rc == 0)
		rc = db_query(db,
			      "select trace from pastime.trace where recording "
			      "= $1 and kind = $2 and subject = $3 "
			      "and len = $4",
			      DB_ARGS(DB_INT(rec), DB_TEXT(kind),
				      DB_TEXT(subject), DB_INT(len)),
			      &a, &r, err);
	if (rc == 0)
		*out = (uint32_t)db_get_int(&r, 0, 0);
	if (rc == 0)
		rc = db_commit(db, err);
	if (rc < 0)
		db_rollback(db);
	arena_free(&a);
	return rc;
}

int
trace_drop(struct db *db, uint64_t rec, uint32_t trace, struct err *err)
{
	static const char *const deletes[] = {
		"delete from pastime.coverage where recording = $1 and "
		"trace = $2",
		"delete from pastime.traced_write where recording = $1 and "
		"trace = $2",
		"delete from pastime.traced_call where recording = $1 and "
		"trace = $2",
		"delete from pastime.trace where recording = $1 and trace = $2",
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(deletes); i++)
		rc = db_query(db, deletes[i],
			      DB_ARGS(DB_INT(rec), DB_INT(trace)), NULL, NULL,
			      err);
	return rc;
}

int
trace_coverage(struct db *db, uint64_t rec, uint32_t trace, struct arena *a,
	       struct trace_range **out, size_t *n, struct err *err)
{
	struct db_rows r;
	struct trace_range *v;
	int rc;

	rc = db_query(db,
		      "select from_seq, to_seq from pastime.coverage where "
		      "recording = $1 and trace = $2 order by from_seq",
		      DB_ARGS(DB_INT(rec), DB_INT(trace)), a, &r, err);
	if (rc < 0)
		return rc;
	v = arena_alloc(a, (r.n + 1) * sizeof(*v));
	for (size_t i = 0; i < r.n; i++) {
		v[i].from = (uint64_t)db_get_int(&r, i, 0);
		v[i].to = (uint64_t)db_get_int(&r, i, 1);
	}
	*out = v;
	*n = r.n;
	return 0;
}

int
trace_open_calls(struct db *db, uint64_t rec, uint32_t trace, uint64_t at,
		 struct arena *a, struct trace_call **out, size_t *n,
		 struct err *err)
{
	struct trace_call *v;
	struct db_rows r;
	int rc;

	rc = db_query(db,
		      "select c.seq, c.nth, c.pc, c.visit, c.task, c.process, "
		      "c.depth, c.tail, c.sp, c.caller_pc from "
		      "pastime.traced_call c join pastime.coverage v on "
		      "v.recording = c.recording and v.trace = c.trace and "
		      "v.from_seq <= c.seq and v.to_seq = $3 where "
		      "c.recording = $1 and c.trace = $2 and c.ended = 0 and "
		      "c.seq < $3 order by c.task, c.seq, c.nth",
		      DB_ARGS(DB_INT(rec), DB_INT(trace), DB_INT(at)), a, &r,
		      err);
	if (rc < 0)
		return rc;
	v = arena_alloc(a, (r.n + 1) * sizeof(*v));
	for (size_t i = 0; i < r.n; i++) {
		v[i] = (struct trace_call){
			.trace = trace,
			.seq = (uint64_t)db_get_int(&r, i, 0),
			.nth = (uint32_t)db_get_int(&r, i, 1),
			.pc = (uint64_t)db_get_int(&r, i, 2),
			.visit = (uint64_t)db_get_int(&r, i, 3),
			.task = (uint32_t)db_get_int(&r, i, 4),
			.process = (uint32_t)db_get_int(&r, i, 5),
			.depth = (uint32_t)db_get_int(&r, i, 6),
			.tail = db_get_int(&r, i, 7) != 0,
			.sp = (uint64_t)db_get_int(&r, i, 8),
			.caller_pc = (uint64_t)db_get_int(&r, i, 9),
		};
	}
	*out = v;
	*n = r.n;
	return 0;
}

/* ---- rows */

struct trace_put *
trace_put_new(struct db *db, uint64_t rec)
{
	struct trace_put *p = mem_zalloc(sizeof(*p));

	p->db = db;
	p->rec = rec;
	return p;
}

static void
clear(struct trace_put *p)
{
	buf_clear(&p->writes);
	buf_clear(&p->calls);
	p->has_writes = p->has_calls = false;
	vec_clear(&p->ends);
	arena_clear(&p->arena);
}

void
trace_put_free(struct trace_put *p)
{
	if (!p)
		return;
	buf_free(&p->writes);
	buf_free(&p->calls);
	vec_free(&p->ends);
	arena_free(&p->arena);
	mem_free(p);
}

int
trace_put_begin(struct trace_put *p, const uint32_t *traces, size_t n,
		struct trace_range range, struct err *err)
{
	int rc = 0;

	ASSERT(n <= TRACES_MAX);
	clear(p);
	p->range = range;
	p->n_traces = n;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		p->traces[i] = traces[i];
		rc = db_query(p->db,
			      "delete from pastime.traced_write where "
			      "recording = $1 and trace = $2 and seq >= $3 and "
			      "seq <= $4 and (seq > $3 or nth > 0) and "
			      "(seq < $4 or nth = 0)",
			      DB_ARGS(DB_INT(p->rec), DB_INT(traces[i]),
				      DB_INT(range.from), DB_INT(range.to)),
			      NULL, NULL, err);
		if (rc == 0)
			rc = db_query(p->db,
				      "delete from pastime.traced_call where "
				      "recording = $1 and trace = $2 and "
				      "seq >= $3 and seq < $4",
				      DB_ARGS(DB_INT(p->rec), DB_INT(traces[i]),
					      DB_INT(range.from),
					      DB_INT(range.to)),
				      NULL, NULL, err);
	}
	return rc;
}

static void
text_or_null(struct buf *b, const char *s)
{
	if (s)
		copy_text(b, span_of(s, strlen(s)));
	else
		copy_null(b);
}

void
trace_put_write(struct trace_put *p, const struct trace_write *w)
{
	struct buf *b = &p->writes;

	if (!p->has_writes)
		copy_start(b);
	p->has_writes = true;
	copy_row(b, 19);
	copy_int8(b, (int64_t)p->rec);
	copy_int4(b, (int32_t)w->trace);
	copy_int8(b, (int64_t)w->seq);
	copy_int4(b, (int32_t)w->nth);
	copy_int8_or_null(b, w->pc, w->pc);
	copy_int8_or_null(b, w->pc, w->visit);
	copy_int4(b, (int32_t)w->task);
	copy_int4(b, (int32_t)w->process);
	copy_bool(b, w->by_kernel);
	copy_int8(b, (int64_t)w->addr);
	copy_int4(b, (int32_t)w->len);
	copy_bytes(b, w->old);
	copy_bytes(b, w->new);
	copy_int8_or_null(b, w->insn, w->insn);
	text_or_null(b, w->module);
	text_or_null(b, w->function);
	copy_int8_or_null(b, w->function, w->offset);
	text_or_null(b, w->source);
	copy_int4_or_null(b, w->source, w->line);
}

void
trace_put_call(struct trace_put *p, const struct trace_call *c)
{
	struct buf *b = &p->calls;
	bool returned = c->ended == 1;

	if (!p->has_calls)
		copy_start(b);
	p->has_calls = true;
	copy_row(b, 28);
	copy_int8(b, (int64_t)p->rec);
	copy_int4(b, (int32_t)c->trace);
	copy_int8(b, (int64_t)c->seq);
	copy_int4(b, (int32_t)c->nth);
	copy_int8(b, (int64_t)c->pc);
	copy_int8(b, (int64_t)c->visit);
	copy_int8_or_null(b, returned, c->exit_seq);
	copy_int4_or_null(b, returned, (int)c->exit_nth);
	copy_int8_or_null(b, returned, c->exit_visit);
	copy_int4(b, (int32_t)c->task);
	copy_int4(b, (int32_t)c->process);
	copy_int4(b, (int32_t)c->depth);
	copy_bool(b, c->tail);
	copy_int2(b, (int16_t)c->ended);
	copy_int8(b, (int64_t)c->sp);
	copy_int8(b, (int64_t)c->caller_pc);
	copy_array(b, INT8_OID, 6, 12);
	for (unsigned i = 0; i < 6; i++)
		copy_int8(b, (int64_t)c->args[i]);
	text_or_null(b, c->arguments ? c->arguments : "");
	copy_int8_or_null(b, returned, c->ret);
	text_or_null(b, returned ? c->result : NULL);
	text_or_null(b, c->module);
	text_or_null(b, c->function);
	text_or_null(b, c->source);
	copy_int4_or_null(b, c->source, c->line);
	text_or_null(b, c->caller_module);
	text_or_null(b, c->caller);
	text_or_null(b, c->caller_source);
	copy_int4_or_null(b, c->caller_source, c->caller_line);
}

void
trace_put_end(struct trace_put *p, const struct trace_call *c)
{
	struct trace_call e = *c;

	e.result = c->result ? arena_strdup(&p->arena, c->result) : NULL;
	vec_push(&p->ends, e);
}

static int
copy(struct trace_put *p, const char *sql, struct buf *b, struct err *err)
{
	uint64_t n;
	int rc = db_copy_begin(p->db, sql, err);

	copy_finish(b);
	if (rc == 0)
		rc = db_copy_put(p->db, buf_span(b), err);
	if (rc == 0)
		rc = db_copy_end(p->db, &n, err);
	return rc;
}

static int
put_end(struct trace_put *p, const struct trace_call *c, struct err *err)
{
	struct buf text = { 0 };
	int rc;

	if (c->ended != 1)
		return db_query(p->db,
				"update pastime.traced_call set ended = $6 "
				"where recording = $1 and trace = $2 and "
				"seq = $3 and nth = $4 and task = $5",
				DB_ARGS(DB_INT(p->rec), DB_INT(c->trace),
					DB_INT(c->seq), DB_INT(c->nth),
					DB_INT(c->task), DB_INT(c->ended)),
				NULL, NULL, err);
	if (c->result)
		utf8_put(&text, span_of(c->result, strlen(c->result)));
	rc = db_query(p->db,
		      "update pastime.traced_call set ended = 1, "
		      "exit_seq = $6, exit_nth = $7, exit_visit = $8, "
		      "ret = $9, result = $10 where recording = $1 and "
		      "trace = $2 and seq = $3 and nth = $4 and task = $5",
		      DB_ARGS(DB_INT(p->rec), DB_INT(c->trace), DB_INT(c->seq),
			      DB_INT(c->nth), DB_INT(c->task),
			      DB_INT(c->exit_seq), DB_INT(c->exit_nth),
			      DB_INT(c->exit_visit), DB_INT(c->ret),
			      DB_TEXT(c->result ? buf_cstr(&text) : NULL)),
		      NULL, NULL, err);
	buf_free(&text);
	return rc;
}

/* One range out of those that the new one touches. */
static int
cover(struct trace_put *p, uint32_t trace, uint64_t upto, struct err *err)
{
	return db_query(p->db,
			"with gone as (delete from pastime.coverage where "
			"recording = $1 and trace = $2 and from_seq <= $4 and "
			"to_seq >= $3 returning from_seq, to_seq) "
			"insert into pastime.coverage select $1, $2, "
			"least(min(from_seq), $3), greatest(max(to_seq), $4) "
			"from gone",
			DB_ARGS(DB_INT(p->rec), DB_INT(trace),
				DB_INT(p->range.from), DB_INT(upto)),
			NULL, NULL, err);
}

int
trace_put_upto(struct trace_put *p, uint64_t seq, bool covered, struct err *err)
{
	int rc = db_begin(p->db, err);

	if (rc == 0 && p->has_writes)
		rc = copy(p,
			  "copy pastime.traced_write from stdin (format "
			  "binary)",
			  &p->writes, err);
	if (rc == 0 && p->has_calls)
		rc = copy(p,
			  "copy pastime.traced_call from stdin (format binary)",
			  &p->calls, err);
	for (size_t i = 0; rc == 0 && i < p->ends.len; i++)
		rc = put_end(p, &p->ends.v[i], err);
	for (size_t i = 0;
	     rc == 0 && covered && seq > p->range.from && i < p->n_traces; i++)
		rc = cover(p, p->traces[i], seq, err);
	if (rc == 0)
		rc = db_commit(p->db, err);
	if (rc < 0)
		db_rollback(p->db);
	clear(p);
	return rc;
}
