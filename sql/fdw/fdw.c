/* The foreign-data wrapper's entries; made known by store/wrapper.c. */
#include "sql/fdw/fdw.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

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

static void
sync_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int rc = fd < 0 ? -1 : fsync(fd);

	if (rc < 0)
		ereport(ERROR,
			(errcode_for_file_access(),
			 errmsg("could not fsync file \"%s\": %m", path)));
	close(fd);
}

/*
 * Which form of chunks this library reads. Called once, when it is made known:
 * that it can be is the proof that it works here. The file was written by
 * lo_export, which leaves it to the kernel when it reaches the disk. (Exported
 * names may be those of another library, so they do not say where this one is;
 * PostgreSQL's own fsync_fname ends the server when it fails.)
 */
Datum
pastime_fdw_codec(PG_FUNCTION_ARGS)
{
	Dl_info here;

	if (dladdr((void *)(uintptr_t)sync_file, &here) && here.dli_fname) {
		sync_file(here.dli_fname);
		sync_file(".");
	}
	PG_RETURN_INT32((int32)CHUNK_CODEC);
}
