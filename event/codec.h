#ifndef EVENT_CODEC_H
#define EVENT_CODEC_H

/*
 * Events to bytes and back: columns, each value as the difference from the
 * previous event of the same kind and call, then zstd level 1. Up to
 * CHUNK_EVENTS consecutive events make a chunk. This file is used by the
 * writer, the reader and the server-side wrapper: caller's memory only, no
 * mem_*, no die() in decoding. Input is hostile.
 */
#include "base/buf.h"
#include "base/err.h"
#include "event/event.h"

#define CHUNK_EVENTS 8000u
#define CHUNK_CODEC 1u /* stored; append-only */
/* More payload than this in one chunk is refused; a writer closes a chunk long
 * before, when its payloads reach CHUNK_PAYLOAD. */
#define CHUNK_PAYLOAD_MAX (256u * 1024 * 1024)
#define CHUNK_PAYLOAD (4u * 1024 * 1024)

struct chunk_info {
	uint64_t first_seq;
	uint32_t n;
	uint32_t n_errors;
	uint64_t t_min, t_max; /* time_ns */
	uint32_t raw_len;      /* before compression */
};

/*
 * Encode n events with consecutive seq into out (appended), and fill *info.
 * Memory beyond out is the encoder's own and kept between calls.
 */
struct encoder;
struct encoder *encoder_new(void);
void encoder_free(struct encoder *e);
int encoder_chunk(struct encoder *e, const struct event *ev, size_t n,
		  struct buf *out, struct chunk_info *info, struct err *err);

/* What decode needs: bytes of scratch and number of events for a chunk. */
int chunk_peek(struct span bytes, struct chunk_info *out, size_t *out_scratch,
	       struct err *err);
/*
 * Decode into ev[info.n]; payloads point into scratch (of the size that
 * chunk_peek gave). Errors: E_FORMAT.
 */
int chunk_decode(struct span bytes, struct event *ev, size_t n, void *scratch,
		 size_t scratch_len, struct err *err);
/* The same without unpacking payloads, which come out empty: for queries. */
int chunk_decode_fields(struct span bytes, struct event *ev, size_t n,
			void *scratch, size_t scratch_len, struct err *err);
/*
 * Some columns only, a set of EVENT_COL_ bits: the other fields of ev keep what
 * they hold, but for those that the wanted ones are computed from (seq, task,
 * kind, call) and an empty payload. For queries inside the database server.
 */
#define EVENT_COL_TIME (1u << 0)
#define EVENT_COL_TASK (1u << 1)
#define EVENT_COL_KIND (1u << 2)
#define EVENT_COL_CALL (1u << 3)
#define EVENT_COL_FLAGS (1u << 4)
#define EVENT_COL_REGHASH (1u << 5)
#define EVENT_COL_DUR (1u << 6)
#define EVENT_COL_PAYLOAD (1u << 7)
#define EVENT_COL_PC (1u << 8)
#define EVENT_COL_SP (1u << 9)
#define EVENT_COL_ARG(i) (1u << (10 + (i)))
#define EVENT_COL_RET (1u << 16)
int chunk_decode_some(struct span bytes, uint32_t cols, struct event *ev,
		      size_t n, void *scratch, size_t scratch_len,
		      struct err *err);

#endif
