#include "sql/fdw/relation.h"

#include <access/relscan.h>
#include <access/table.h>
#include <access/tableam.h>
#include <catalog/namespace.h>
#include <utils/lsyscache.h>
#include <utils/rel.h>

void
relation_open_keyed(struct relation *r, const char *name, int nkeys,
		    Snapshot snapshot)
{
	Oid namespace = get_namespace_oid("pastime", false);
	Oid table = get_relname_relid(name, namespace);

	if (!OidIsValid(table))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
				errmsg("there is no table pastime.%s", name)));
	r->heap = table_open(table, AccessShareLock);
	list_free(RelationGetIndexList(r->heap));
	if (!OidIsValid(r->heap->rd_pkindex))
		ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("table pastime.%s has no primary key", name)));
	r->index = index_open(r->heap->rd_pkindex, AccessShareLock);
	r->context = CurrentMemoryContext;
	r->slot = table_slot_create(r->heap, NULL);
	r->scan = index_beginscan(r->heap, r->index, snapshot, nkeys, 0);
}

void
relation_columns(const struct relation *r, const struct column *want, int n,
		 AttrNumber *out)
{
	TupleDesc desc = RelationGetDescr(r->heap);

	for (int i = 0; i < n; i++) {
		AttrNumber at =
			get_attnum(RelationGetRelid(r->heap), want[i].name);

		if (at == InvalidAttrNumber ||
		    TupleDescAttr(desc, at - 1)->atttypid != want[i].type)
			ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("table pastime.%s has no column %s "
					"of the right type",
					RelationGetRelationName(r->heap),
					want[i].name)));
		out[i] = at;
	}
}

void
relation_rescan(struct relation *r, ScanKey keys, int n)
{
	MemoryContext was = MemoryContextSwitchTo(r->context);

	index_rescan(r->scan, keys, n, NULL, 0);
	MemoryContextSwitchTo(was);
}

/* What the scan allocates on the way (a list of dead entries) lives as long as
 * it does, not as long as a row. */
bool
relation_next(struct relation *r, ScanDirection direction)
{
	MemoryContext was = MemoryContextSwitchTo(r->context);
	bool found = index_getnext_slot(r->scan, direction, r->slot);

	MemoryContextSwitchTo(was);
	return found;
}

void
relation_close_keyed(struct relation *r)
{
	if (r->scan)
		index_endscan(r->scan);
	if (r->slot)
		ExecDropSingleTupleTableSlot(r->slot);
	if (r->index)
		index_close(r->index, AccessShareLock);
	if (r->heap)
		table_close(r->heap, AccessShareLock);
	*r = (struct relation){ 0 };
}
