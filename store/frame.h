#ifndef STORE_FRAME_H
#define STORE_FRAME_H

/* What the frames of a spool contain: facts in front of an encoded chunk. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "event/codec.h"

struct chunk_head {
	struct chunk_info info;
	uint32_t codec;
	uint32_t tasks_seen; /* in the recording so far */
	int16_t *kinds;	     /* that occur in it, each once, ascending */
	int16_t *calls;
	int32_t *tasks;
	size_t n_kinds, n_calls, n_tasks;
};

/* Collect what a chunk's index columns say about events; arrays in a. */
void chunk_head_of(const struct event *ev, size_t n, struct arena *a,
		   struct chunk_head *out);
void chunk_head_put(struct buf *b, const struct chunk_head *h);
/* Reads the head; *out_data is the encoded chunk after it. -E_FORMAT. */
int chunk_head_get(struct span frame, struct arena *a, struct chunk_head *out,
		   struct span *out_data, struct err *err);

/* Meta and end frames: keys and values, each NUL-terminated. */
void facts_put(struct buf *b, const char *key, const char *value);
/* The value for a key, or "". Borrowed. */
const char *facts_get(struct span facts, const char *key);
/* The i-th pair; false = no more. */
bool facts_at(struct span facts, size_t i, const char **key,
	      const char **value);

#endif
