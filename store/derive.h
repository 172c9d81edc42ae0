#ifndef STORE_DERIVE_H
#define STORE_DERIVE_H

/* What is derived from chunks, up to the last stored one: incremental, under an
 * advisory lock, one transaction. */
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct db;

typedef bool derive_progress(void *ctx, uint64_t at, uint64_t to);

/* The tables task, process, image, descriptor, open_file, file, mapping,
 * warning. progress may be NULL; false cancels (-E_CANCELLED). */
int derive_intervals(struct db *db, uint64_t rec, derive_progress *progress,
		     void *ctx, struct err *err);
/* The rows of pastime.event, and the intervals. */
int derive_rows(struct db *db, uint64_t rec, derive_progress *progress,
		void *ctx, struct err *err);

#endif
