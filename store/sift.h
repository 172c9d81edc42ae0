#ifndef STORE_SIFT_H
#define STORE_SIFT_H

/*
 * Chunks of a list, one after the other, without those that cannot have an
 * event that a filter lets through: that is told by a few columns, which cost a
 * fraction of all. While one lot is looked at the server works on the next.
 */
#include "store/reader.h"

struct event_filter;
struct sift;

/* The connection is borrowed, and busy between sift_list and sift_idle. */
struct sift *sift_new(struct db *db, uint64_t recording,
		      const struct event_filter *f);
void sift_free(struct sift *s); /* NULL allowed */
/* The chunks that begin with these events are wanted next; copied. */
int sift_list(struct sift *s, const uint64_t *first, size_t n, struct err *err);
/* The i-th of them, i growing: 1, or 0: nothing in it matches (or it is gone).
 * Borrowed until the next call. */
int sift_get(struct sift *s, size_t i, struct chunk *out, struct err *err);
/* Nothing more of the list is wanted. */
void sift_idle(struct sift *s);

#endif
