#ifndef EVENT_PARTING_H
#define EVENT_PARTING_H

/*
 * The first event at which two recordings of a command part. Tasks are paired
 * by their places in the tree, and each task's events one by one, whatever
 * others do meanwhile; event/alike.h says what counts. Both are read once; kept
 * in memory is what one of them is ahead of the other.
 */
#include "base/err.h"
#include "event/alike.h"
#include "event/source.h"
#include <stdbool.h>

struct parting {
	/* The events; 0: this recording has none there, the task ended before
	 * or was never born. */
	uint64_t seq[2];
	uint32_t task[2];  /* the pair; 0: never born */
	uint64_t alike[2]; /* the last events before that are alike; 0: none */
	unsigned parts;	   /* enum alike_part; 0: one of them has no event */
	/* Of all tasks */
	uint64_t compared; /* pairs of events */
	bool cut[2];	   /* it does not end in order: what would come next is
			      not known, and nothing is concluded from it */
};

/*
 * 1: they part, at the event that comes first in recording 0 (of tasks that
 * part independently of each other); 0: they do not. -E_CANCELLED: progress
 * returned false.
 */
int parting_find(struct source *const src[2],
		 bool (*progress)(void *ctx, uint64_t at, uint64_t to),
		 void *ctx, struct parting *out, struct err *err);

#endif
