#ifndef SQL_FDW_RELATION_H
#define SQL_FDW_RELATION_H

/* A table of schema pastime, read by its primary key. */
#include "sql/fdw/server.h"

#include <access/genam.h>
#include <executor/tuptable.h>
#include <utils/relcache.h>
#include <utils/snapshot.h>

struct relation {
	Relation heap, index;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	MemoryContext context; /* where it was opened */
};

struct column {
	const char *name;
	Oid type;
};

/* nkeys: how many scan keys a rescan gives. */
void relation_open_keyed(struct relation *r, const char *name, int nkeys,
			 Snapshot snapshot);
/* Where columns are; an error when one is missing or of another type. */
void relation_columns(const struct relation *r, const struct column *want,
		      int n, AttrNumber *out);
/* Begin anew with these keys. */
void relation_rescan(struct relation *r, ScanKey keys, int n);
bool relation_next(struct relation *r, ScanDirection direction);
void relation_close_keyed(struct relation *r);

#endif
