#ifndef STORE_CLAIM_H
#define STORE_CLAIM_H

/*
 * Contents of files that the server most likely has, from an earlier recording:
 * they need not be read, nor pass through the spool, once the server says that
 * it has them and holds them for this recording.
 *
 *	        server holds all: HELD
 *	OPEN ---> it lacks some, or
 *	        does not answer in time ---> the writer spools them: SPOOLED
 *
 * A chunk is spooled only when no claim before it is open, so that what a spool
 * refers to is in it or held. Files stay open to the end: a server that loses
 * what it held (it crashed before it was on its disk) gets them anew.
 */
#include "base/err.h"
#include "base/vec.h"
#include "event/item.h"
#include <pthread.h>

struct shipper;
struct spool;
struct claim;

struct claims {
	pthread_mutex_t lock;
	pthread_cond_t answered;
	VEC(struct claim *) v;
	size_t asked; /* of v; the rest is open */
	bool away;    /* the server did not answer: nobody waits for it */
};

void claims_init(struct claims *c);
void claims_release(struct claims *c);

/* A copy of fd, whose contents have these ids, one for each BLOB_PIECE. NULL:
 * no more files can be kept open. */
struct claim *claim_new(int fd, const struct blob_id *ids, size_t n);
void claim_free(struct claim *c);

/* Writer thread: claim something; takes it over. */
void claims_add(struct claims *c, struct claim *new_claim);
/* Writer thread: nothing is open afterwards. -E_SPOOL also when contents do not
 * have the ids that they were claimed to have. */
int claims_settle(struct claims *c, struct spool *spool, struct err *err);

/* Shipper thread: */
bool claims_are_open(struct claims *c);
void claims_server_is_away(struct claims *c);
/* Ask for what is open. */
int claims_ask(struct claims *c, struct shipper *sh, struct err *err);
/* On a new connection: what was held must be held still, or is stored anew. */
int claims_renew(struct claims *c, struct shipper *sh, struct err *err);

#endif
