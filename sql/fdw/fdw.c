/* The foreign-data wrapper's entries; made known by store/wrapper.c. */
#include "sql/fdw/fdw.h"

#include <dlfcn.h>
#include <storage/fd.h>
#include <utils/builtins.h>

#include "event/codec.h"

PG_MODULE_MAGIC;

PGDLLEXPORT Datum pastime_fdw_handler(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum pastime_fdw_codec(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(pastime_fdw_handler);
PG_FUNCTION_INFO_V1(pastime_fdw_codec);

static bool
is_parallel_safe(PlannerInfo *root, RelOptInfo *rel, RangeTblEntry *rte)
{
	return true;
}

Datum
pastime_fdw_handler(PG_FUNCTION_ARGS)
{
	FdwRoutine *r = makeNode(FdwRoutine);

	r->GetForeignRelSize = plan_size;
	r->GetForeignPaths = plan_paths;
	r->GetForeignPlan = plan_scan;
	r->BeginForeignScan = scan_begin;
	r->IterateForeignScan = scan_next;
	r->ReScanForeignScan = scan_again;
	r->EndForeignScan = scan_end;
	r->ExplainForeignScan = scan_explain;
	r->AnalyzeForeignTable = sample_table;
	r->IsForeignScanParallelSafe = is_parallel_safe;
	r->EstimateDSMForeignScan = scan_dsm_size;
	r->InitializeDSMForeignScan = scan_dsm_init;
	r->ReInitializeDSMForeignScan = scan_dsm_again;
	r->InitializeWorkerForeignScan = scan_dsm_worker;
	r->ShutdownForeignScan = scan_shutdown;
	PG_RETURN_POINTER(r);
}

/*
 * Which form of chunks this library reads. Called once, when it is made known:
 * that it can be is the proof that it works here. The file was written by
 * lo_export, which leaves it to the kernel when it reaches the disk.
 */
Datum
pastime_fdw_codec(PG_FUNCTION_ARGS)
{
	Dl_info here;

	if (dladdr(&Pg_magic_func, &here) && here.dli_fname) {
		fsync_fname(here.dli_fname, false);
		fsync_fname(".", true);
	}
	PG_RETURN_INT32((int32)CHUNK_CODEC);
}
