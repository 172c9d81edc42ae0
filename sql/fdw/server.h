#ifndef SQL_FDW_SERVER_H
#define SQL_FDW_SERVER_H

/*
 * PostgreSQL's headers, and what differs between its versions 15 to 17. First
 * include of every file here. Code below this folder runs inside a server's
 * process: memory is palloc's, errors are ereport's, nothing is kept that an
 * error would leak (sql/fdw/memory.c).
 */
#include <postgres.h>

#include <commands/explain.h>
#include <fmgr.h>
#include <optimizer/pathnode.h>
#include <utils/array.h>

#include "base/span.h"

/* The bytes of a bytea, which may be short. PostgreSQL's macros mix signed and
 * unsigned numbers. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
static inline struct span
varlena_span(struct varlena *v)
{
	return span_of(VARDATA_ANY(v), VARSIZE_ANY_EXHDR(v));
}

static inline const void *
array_data(ArrayType *a)
{
	return ARR_DATA_PTR(a);
}
#pragma GCC diagnostic pop

#if PG_VERSION_NUM >= 170000
#define FOREIGNSCAN_PATH(root, rel, rows, start, total, keys, outer, private)  \
	create_foreignscan_path(root, rel, NULL, rows, start, total, keys,     \
				outer, NULL, NIL, private)
#else
#define FOREIGNSCAN_PATH(root, rel, rows, start, total, keys, outer, private)  \
	create_foreignscan_path(root, rel, NULL, rows, start, total, keys,     \
				outer, NULL, private)
#endif

#endif
