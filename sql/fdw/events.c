#include "sql/fdw/events.h"

#include <catalog/pg_type.h>
#include <mb/pg_wchar.h>
#include <utils/memutils.h>

#include "base/utf8.h"
#include "event/codec.h"

static const Oid types[ATT_END] = {
	[ATT_RECORDING] = INT8OID, [ATT_SEQ] = INT8OID,
	[ATT_TIME] = INT8OID,	   [ATT_DUR] = INT8OID,
	[ATT_A0] = INT8OID,	   [ATT_A0 + 1] = INT8OID,
	[ATT_A0 + 2] = INT8OID,	   [ATT_A0 + 3] = INT8OID,
	[ATT_A0 + 4] = INT8OID,	   [ATT_A5] = INT8OID,
	[ATT_RET] = INT8OID,	   [ATT_PC] = INT8OID,
	[ATT_SP] = INT8OID,	   [ATT_TASK] = INT4OID,
	[ATT_FLAGS] = INT4OID,	   [ATT_FD] = INT4OID,
	[ATT_KIND] = INT2OID,	   [ATT_CALL] = INT2OID,
	[ATT_ERROR] = INT2OID,	   [ATT_PATH] = TEXTOID,
	[ATT_PATH2] = TEXTOID,	   [ATT_ADDR] = TEXTOID,
	[ATT_DATA] = BYTEAOID,	   [ATT_NOTE] = TEXTOID,
};

/* Kind, call and flags decide which others mean something. */
#define FACTS_COLS (EVENT_COL_KIND | EVENT_COL_CALL | EVENT_COL_FLAGS)

void
events_check(TupleDesc desc)
{
	bool same = desc->natts == ATT_END - 1;

	for (int att = 1; same && att < ATT_END; att++)
		same = TupleDescAttr(desc, att - 1)->atttypid == types[att];
	if (!same)
		ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_COLUMN_NUMBER),
				errmsg("a table over chunks has the columns of "
				       "pastime.event, in their order")));
}

uint32_t
events_columns(uint32_t atts)
{
	uint32_t cols = 0;

	if (atts & ATT_BIT(ATT_TIME))
		cols |= EVENT_COL_TIME;
	if (atts & ATT_BIT(ATT_DUR))
		cols |= EVENT_COL_DUR;
	if (atts & ATT_BIT(ATT_TASK))
		cols |= EVENT_COL_TASK;
	if (atts & ATT_BIT(ATT_FLAGS))
		cols |= EVENT_COL_FLAGS;
	if (atts & ATT_BIT(ATT_KIND))
		cols |= EVENT_COL_KIND;
	if (atts & ATT_BIT(ATT_CALL))
		cols |= EVENT_COL_CALL;
	if (atts & ATT_BIT(ATT_PC))
		cols |= EVENT_COL_PC;
	if (atts & ATT_BIT(ATT_SP))
		cols |= EVENT_COL_SP;
	for (unsigned i = 0; i < 6; i++) {
		if (atts & ATT_BIT(ATT_A0 + i))
			cols |= EVENT_COL_ARG(i) | FACTS_COLS;
	}
	if (atts & ATT_BIT(ATT_RET))
		cols |= EVENT_COL_RET | FACTS_COLS;
	if (atts & ATT_BIT(ATT_ERROR))
		cols |= EVENT_COL_RET | FACTS_COLS;
	if (atts & ATT_BIT(ATT_FD))
		cols |= EVENT_COL_RET | FACTS_COLS | EVENT_COL_ARG(0) |
			EVENT_COL_ARG(1) | EVENT_COL_ARG(2) | EVENT_COL_ARG(3) |
			EVENT_COL_ARG(4) | EVENT_COL_ARG(5);
	if (atts & ATT_TEXTS)
		cols = UINT32_MAX;
	return cols;
}

void
events_facts(const struct event *ev, uint32_t atts,
	     const struct blob_fetch *blobs, struct arena *a, struct facts *out)
{
	if ((atts & ATT_TEXTS) ||
	    ((atts & ATT_BIT(ATT_FD)) && facts_fd_moves(ev->call)))
		facts_of(ev, atts & ATT_BIT(ATT_DATA) ? blobs : NULL, a, out);
	else if (atts & ATT_FACTS)
		facts_quick(ev, out);
}

bool
events_number(const struct event *ev, const struct facts *q, int64 recording,
	      int att, int64 *out)
{
	switch ((enum event_att)att) {
	case ATT_RECORDING:
		*out = recording;
		return true;
	case ATT_SEQ:
		*out = (int64)ev->seq;
		return true;
	case ATT_TIME:
		*out = (int64)ev->time_ns;
		return true;
	case ATT_DUR:
		*out = (int64)ev->dur_ns;
		return ev->dur_ns != 0;
	case ATT_RET:
		*out = ev->ret;
		return q->has_ret;
	case ATT_PC:
		*out = (int64)ev->pc;
		return true;
	case ATT_SP:
		*out = (int64)ev->sp;
		return true;
	case ATT_TASK:
		*out = (int32)ev->task;
		return true;
	case ATT_FLAGS:
		*out = (int32)ev->flags;
		return true;
	case ATT_FD:
		*out = q->fd;
		return q->fd >= 0;
	case ATT_KIND:
		*out = (int16)ev->kind;
		return true;
	case ATT_CALL:
		*out = ev->call;
		return ev->call >= 0;
	case ATT_ERROR:
		*out = (int16)q->error;
		return q->error != 0;
	default:
		*out = (int64)ev->args[att - ATT_A0];
		return (unsigned)(att - ATT_A0) < q->nargs;
	}
}

static Datum
number_datum(int att, int64 v)
{
	switch (types[att]) {
	case INT2OID:
		return Int16GetDatum((int16)v);
	case INT4OID:
		return Int32GetDatum((int32)v);
	default:
		return Int64GetDatum(v);
	}
}

static Datum
bytes_datum(struct event_row *r, const void *p, size_t len)
{
	struct varlena *v;

	if (len > MaxAllocSize - VARHDRSZ)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("a value of %zu bytes", len)));
	v = arena_alloc(&r->arena, VARHDRSZ + len);
	SET_VARSIZE(v, VARHDRSZ + len);
	if (len)
		memcpy(VARDATA(v), p, len);
	return PointerGetDatum(v);
}

static Datum
text_datum(struct event_row *r, struct span s)
{
	struct buf b = { 0 };
	char *text;
	Datum d;

	utf8_put(&b, s);
	text = (char *)(uintptr_t)buf_cstr(&b);
	if (GetDatabaseEncoding() != PG_UTF8)
		text = pg_any_to_server(text, (int)b.len, PG_UTF8);
	d = bytes_datum(r, text, strlen(text));
	if (text != (char *)b.p)
		pfree(text);
	buf_free(&b);
	return d;
}

static void
put_text(struct event_row *r, int att, struct span s, Datum *values,
	 bool *nulls)
{
	if (!(r->atts & ATT_BIT(att)) || s.len == 0)
		return;
	values[att - 1] = text_datum(r, s);
	nulls[att - 1] = false;
}

static void
put_texts(struct event_row *r, const struct facts *f, Datum *values,
	  bool *nulls)
{
	put_text(r, ATT_PATH, f->path, values, nulls);
	put_text(r, ATT_PATH2, f->path2, values, nulls);
	put_text(r, ATT_ADDR, f->addr, values, nulls);
	put_text(r, ATT_NOTE, f->note, values, nulls);
	if ((r->atts & ATT_BIT(ATT_DATA)) && f->has_data) {
		values[ATT_DATA - 1] = bytes_datum(r, f->data.p, f->data.len);
		nulls[ATT_DATA - 1] = false;
	}
}

void
events_row(struct event_row *r, const struct event *ev, Datum *values,
	   bool *nulls)
{
	MemoryContext was = MemoryContextSwitchTo(r->context);
	uint32_t numbers = r->atts & ~ATT_TEXTS;
	struct facts f;

	arena_clear(&r->arena);
	memset(nulls, true, ATT_END - 1);
	events_facts(ev, r->atts, r->blobs, &r->arena, &f);
	for (; numbers; numbers &= numbers - 1) {
		int att = __builtin_ctz(numbers);
		int64 v;

		if (!events_number(ev, &f, r->recording, att, &v))
			continue;
		values[att - 1] = number_datum(att, v);
		nulls[att - 1] = false;
	}
	if (r->atts & ATT_TEXTS)
		put_texts(r, &f, values, nulls);
	MemoryContextSwitchTo(was);
}
