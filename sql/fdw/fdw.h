#ifndef SQL_FDW_FDW_H
#define SQL_FDW_FDW_H

/*
 * The wrapper's two halves: what the planner asks (plan.c) and what the
 * executor asks (scan.c), with the plan's private list between them.
 */
#include "sql/fdw/server.h"

#include <foreign/fdwapi.h>

#include "sql/fdw/quals.h"

/* The recording that a foreign table's option names. */
int64 fdw_recording(Oid table);

/*
 * fdw_private, as lists of integers; the n-th condition compares with the n-th
 * expression of fdw_exprs, where tests for null have a null constant.
 */
enum plan_private {
	PLAN_ATTS,   /* attributes of the condition */
	PLAN_OPS,    /* enum qual_op */
	PLAN_WANTED, /* attributes that the query wants */
	PLAN_BACK,   /* one: read backwards */
	PLAN_CHUNKS, /* two: chunks that the plan reckons with, and all */
};

void plan_size(PlannerInfo *root, RelOptInfo *rel, Oid table);
void plan_paths(PlannerInfo *root, RelOptInfo *rel, Oid table);
ForeignScan *plan_scan(PlannerInfo *root, RelOptInfo *rel, Oid table,
		       ForeignPath *path, List *tlist, List *clauses,
		       Plan *outer);

void scan_begin(ForeignScanState *node, int flags);
TupleTableSlot *scan_next(ForeignScanState *node);
void scan_again(ForeignScanState *node);
void scan_end(ForeignScanState *node);
void scan_explain(ForeignScanState *node, ExplainState *es);
Size scan_dsm_size(ForeignScanState *node, ParallelContext *pcxt);
void scan_dsm_init(ForeignScanState *node, ParallelContext *pcxt,
		   void *coordinate);
void scan_dsm_again(ForeignScanState *node, ParallelContext *pcxt,
		    void *coordinate);
void scan_dsm_worker(ForeignScanState *node, shm_toc *toc, void *coordinate);
void scan_shutdown(ForeignScanState *node);

/* ANALYZE. */
bool sample_table(Relation table, AcquireSampleRowsFunc *func,
		  BlockNumber *pages);

#endif
