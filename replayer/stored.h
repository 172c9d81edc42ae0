#ifndef REPLAYER_STORED_H
#define REPLAYER_STORED_H

/*
 * Checkpoints that outlive the replayer: all of a world at an event, as bytes.
 * Contents of memory are blobs, in pieces by address, so that what did not
 * change since the last one is the same blob. Everything that a replay does to
 * its processes is in struct world or in their mappings: signals, descriptors,
 * timers and the like are the recording's.
 */
#include "base/buf.h"
#include "base/err.h"
#include "event/item.h"

struct replayer;

typedef int stored_put_fn(void *ctx, const struct blob_id *id,
			  struct span bytes, struct err *err);

/*
 * What the replayer stands at, an event or code that takes long. Blobs go to
 * put before, some of them again and again. -E_UNSUPPORTED: of this moment
 * there can be none, err says why.
 */
int stored_save(struct replayer *r, stored_put_fn *put, void *ctx,
		struct buf *out, struct err *err);
/* The code before the next event, when it takes long: run some of it, ns or so.
 * 1: it stands there, where stored_save can be used; 0: go on to the event. */
int stored_go_inside(struct replayer *r, uint64_t ns, struct err *err);
/* Replay time from the start to here, ns. */
uint64_t stored_work(const struct replayer *r);

/* checkpoint.c's: stand at the one that was saved as state. After an error the
 * replayer stands at the start. */
int stored_load(struct replayer *r, struct span state, struct err *err);

/* Why stored checkpoints are not used any more; NULL: they are. */
const char *stored_problem(const struct replayer *r);

#endif
