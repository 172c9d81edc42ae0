#ifndef STORE_CHECKPOINT_H
#define STORE_CHECKPOINT_H

/*
 * Checkpoints in the database. Their blobs go the way of all blobs, into packs,
 * which the recording needs for them alone: dropping them leaves garbage for
 * gc.
 */
#include "base/buf.h"
#include "base/err.h"
#include "event/item.h"
#include "event/source.h"

struct db;
struct blob_cache;
struct checkpoint_put;

struct checkpoint_put *checkpoint_put_new(struct db *db, uint64_t rec);
void checkpoint_put_free(struct checkpoint_put *p); /* NULL allowed */
/* A blob of the next one. Large ones do not wait in memory for the others. */
int checkpoint_put_blob(struct checkpoint_put *p, const struct blob_id *id,
			struct span bytes, struct err *err);
/* All of it is there: it is stored, in the place of another one at that event.
 */
int checkpoint_put_done(struct checkpoint_put *p,
			const struct source_stored *at, struct span state,
			struct err *err);
/* This one is not to be: what was not stored yet is forgotten. */
void checkpoint_put_cancel(struct checkpoint_put *p);

/* Those that this program can use, in order; *out is mem_free'd. */
int checkpoint_list(struct db *db, uint64_t rec, struct source_stored **out,
		    size_t *n, struct err *err);
/* Append its state. */
int checkpoint_state(struct db *db, struct blob_cache *blobs, uint64_t rec,
		     const struct source_stored *at, struct buf *out,
		     struct err *err);
/* All of them. */
int checkpoint_drop_stored(struct db *db, uint64_t rec, uint64_t *out_n,
			   struct err *err);

#endif
