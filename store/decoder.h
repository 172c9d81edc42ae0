#ifndef STORE_DECODER_H
#define STORE_DECODER_H

/*
 * Chunks to events, by a thread of its own: the next ones while the events of
 * one are used. The thread comes with the first chunk that is given to it;
 * where there can be none, chunks are decoded as they are given.
 */
#include "base/err.h"
#include "event/event.h"
#include <stddef.h>

#define DECODER_DEPTH 2u /* so many chunks at once */

/* A chunk as the server gave it. */
struct raw_chunk {
	uint64_t first_seq, n;
	struct span data;
	uint64_t crc;
	uint32_t codec;
};

/* What becomes of it: n events, whose payloads lie in scratch. Reused. */
struct decoded_chunk {
	struct event *ev;
	uint8_t *scratch;
	size_t ev_room, scratch_room;
};

/* -E_FORMAT, and how it is damaged: "... have a wrong checksum". */
int decoded_chunk_fill(struct decoded_chunk *to, const struct raw_chunk *raw,
		       struct err *how);
/* Of those columns (EVENT_COL_) only; UINT32_MAX: all. */
int decoded_chunk_some(struct decoded_chunk *to, const struct raw_chunk *raw,
		       uint32_t cols, struct err *how);
void decoded_chunk_free(struct decoded_chunk *c);

struct decoder;

struct decoder *decoder_new(void);
/* What was given and not taken is dropped. */
void decoder_free(struct decoder *d);
/* How many were given and not taken: at most DECODER_DEPTH. */
size_t decoder_given(const struct decoder *d);
/* The oldest of them. */
const struct raw_chunk *decoder_oldest(const struct decoder *d);
/* data is copied, to belongs to the decoder until it is taken. */
void decoder_give(struct decoder *d, const struct raw_chunk *raw,
		  struct decoded_chunk *to);
/* The oldest: where it is; its result as of decoded_chunk_fill. */
int decoder_take(struct decoder *d, struct decoded_chunk **out,
		 struct err *how);

#endif
