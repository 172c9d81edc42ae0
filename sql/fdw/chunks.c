#include "sql/fdw/chunks.h"

#include <access/genam.h>
#include <access/relscan.h>
#include <access/table.h>
#include <access/tableam.h>
#include <catalog/namespace.h>
#include <catalog/pg_type.h>
#include <executor/tuptable.h>
#include <utils/fmgroids.h>
#include <utils/lsyscache.h>
#include <utils/rel.h>

#include "base/mem.h"
#include "event/codec.h"
#include "sql/fdw/relation.h"

enum chunk_att {
	AT_RECORDING,
	AT_FIRST_SEQ,
	AT_N,
	AT_T_MIN,
	AT_T_MAX,
	AT_N_ERRORS,
	AT_KINDS,
	AT_CALLS,
	AT_TASKS,
	AT_CODEC,
	AT_CRC,
	AT_DATA,
	AT_COUNT,
};

static const struct column columns[AT_COUNT] = {
	[AT_RECORDING] = { "recording", INT8OID },
	[AT_FIRST_SEQ] = { "first_seq", INT8OID },
	[AT_N] = { "n", INT4OID },
	[AT_T_MIN] = { "t_min", INT8OID },
	[AT_T_MAX] = { "t_max", INT8OID },
	[AT_N_ERRORS] = { "n_errors", INT4OID },
	[AT_KINDS] = { "kinds", INT2ARRAYOID },
	[AT_CALLS] = { "calls", INT2ARRAYOID },
	[AT_TASKS] = { "tasks", INT4ARRAYOID },
	[AT_CODEC] = { "codec", INT2OID },
	[AT_CRC] = { "crc", INT8OID },
	[AT_DATA] = { "data", BYTEAOID },
};

struct chunk_table {
	struct relation rel;
	AttrNumber at[AT_COUNT];
	int64 recording;
	ScanDirection direction;
};

struct chunk_table *
chunk_table_open(int64 recording, Snapshot snapshot)
{
	struct chunk_table *t = palloc0(sizeof(*t));

	t->recording = recording;
	relation_open_keyed(&t->rel, "chunk", 3, snapshot);
	relation_columns(&t->rel, columns, AT_COUNT, t->at);
	return t;
}

void
chunk_table_close(struct chunk_table *t)
{
	if (!t)
		return;
	relation_close_keyed(&t->rel);
	pfree(t);
}

void
chunk_table_seek(struct chunk_table *t, int64 lo, int64 hi,
		 ScanDirection direction)
{
	ScanKeyData key[3];

	/* A chunk that holds lo begins less than a chunk's length before. */
	lo = lo > CHUNK_EVENTS ? lo - (int64)CHUNK_EVENTS + 1 : 1;
	ScanKeyInit(&key[0], 1, BTEqualStrategyNumber, F_INT8EQ,
		    Int64GetDatum(t->recording));
	ScanKeyInit(&key[1], 2, BTGreaterEqualStrategyNumber, F_INT8GE,
		    Int64GetDatum(lo));
	ScanKeyInit(&key[2], 2, BTLessEqualStrategyNumber, F_INT8LE,
		    Int64GetDatum(hi));
	t->direction = direction;
	relation_rescan(&t->rel, key, 3);
}

static Datum
get(struct chunk_table *t, enum chunk_att which)
{
	bool isnull;
	Datum d = slot_getattr(t->rel.slot, t->at[which], &isnull);

	if (isnull)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
				errmsg("recording " INT64_FORMAT
				       " is damaged: a chunk has no %s",
				       t->recording, columns[which].name)));
	return d;
}

/* The numbers of an array without nulls; NULL when it is none. */
static const void *
numbers(struct chunk_table *t, enum chunk_att which, Oid elem, int *out_n)
{
	ArrayType *a = DatumGetArrayTypeP(get(t, which));

	if (ARR_NDIM(a) > 1 || ARR_HASNULL(a) || ARR_ELEMTYPE(a) != elem)
		return NULL;
	*out_n = ArrayGetNItems(ARR_NDIM(a), ARR_DIMS(a));
	return array_data(a);
}

bool
chunk_table_next(struct chunk_table *t, struct chunk_meta *out)
{
	if (!relation_next(&t->rel, t->direction))
		return false;
	*out = (struct chunk_meta){
		.first_seq = DatumGetInt64(get(t, AT_FIRST_SEQ)),
		.t_min = DatumGetInt64(get(t, AT_T_MIN)),
		.t_max = DatumGetInt64(get(t, AT_T_MAX)),
		.crc = DatumGetInt64(get(t, AT_CRC)),
		.n = DatumGetInt32(get(t, AT_N)),
		.n_errors = DatumGetInt32(get(t, AT_N_ERRORS)),
		.codec = DatumGetInt16(get(t, AT_CODEC)),
	};
	out->kinds = numbers(t, AT_KINDS, INT2OID, &out->n_kinds);
	out->calls = numbers(t, AT_CALLS, INT2OID, &out->n_calls);
	out->tasks = numbers(t, AT_TASKS, INT4OID, &out->n_tasks);
	return true;
}

struct span
chunk_table_data(struct chunk_table *t)
{
	return varlena_span(PG_DETOAST_DATUM_PACKED(get(t, AT_DATA)));
}
