#ifndef STORE_SHIP_H
#define STORE_SHIP_H

/*
 * From the spool to the server: whole frames, in order, several to a
 * transaction; repeated from the last committed one after any failure. What the
 * server has is dropped from the spool only when it is on its disk.
 */
#include "base/err.h"
#include "event/item.h"
#include "store/spool.h"

struct db;
struct shipper;

/*
 * Find or make the recording that sp belongs to. live: its recorder is us; the
 * session holds KEY_LIVE, by which others see that it runs. Others see it from
 * its first events on. db and sp are borrowed.
 */
int ship_open(struct db *db, struct spool *sp, bool live, struct shipper **out,
	      struct err *err);
void ship_close(struct shipper *s);
uint64_t ship_recording(const struct shipper *s);

/*
 * Hold what the server has of this, when it is all of it: for this recording,
 * whether it has events yet or not. Any number of times between begin and end,
 * which takes what the ones between returned; only what end returns 0 for is
 * held.
 */
int ship_hold_begin(struct shipper *s, struct err *err);
int ship_hold(struct shipper *s, const struct blob_id *ids, size_t n,
	      bool *out_held, struct err *err);
int ship_hold_end(struct shipper *s, int rc, struct err *err);
/* Store one blob at once. */
int ship_blob(struct shipper *s, const struct blob_id *id, struct span bytes,
	      struct err *err);
/* The recording has no events and will have none: nothing stays of it. */
int ship_forget(struct shipper *s, struct err *err);

/*
 * One transaction with frames before offset upto. durable: wait until the
 * server has it on its disk (else that happens once a second). 1 = there is
 * more before upto, 0 = all of it is stored. After an error ship_step may be
 * called again, unless the connection broke.
 */
int ship_step(struct shipper *s, uint64_t upto, bool durable, struct err *err);
/* All of a spool whose recorder is gone; without an end frame the recording is
 * marked as cut off. The spool may be removed after it. */
int ship_rest(struct shipper *s, struct err *err);

/* Ship what killed recorders left in dir for this server (spool_where). What
 * cannot be shipped stays; what is no spool is renamed. Returns how many. */
int ship_leftovers(struct db *db, const char *dir, const char *where,
		   struct err *err);

#endif
