#ifndef STORE_READER_H
#define STORE_READER_H

/*
 * Chunks from the server, decoded: sequential reading asks for the next ones
 * while the current one is used; jumping keeps the last few decoded.
 */
#include "event/codec.h"
#include "event/item.h"

struct db;
struct chunk_reader;

/* A decoded chunk, borrowed until the next call on its reader. */
struct chunk {
	uint64_t first_seq;
	size_t n;
	const struct event *ev;
};

/* db is borrowed; while the reader is used nobody else may use it, except
 * after chunk_reader_idle. */
struct chunk_reader *chunk_reader_new(struct db *db, uint64_t recording);
void chunk_reader_free(struct chunk_reader *r);
/* The chunk that has event seq. 1, or 0 when it is not stored (yet); sequential
 * tells that the following ones will be wanted. -E_FORMAT: it is damaged. */
int chunk_reader_get(struct chunk_reader *r, uint64_t seq, bool sequential,
		     struct chunk *out, struct err *err);
/* -E_FORMAT, and what of the recording is lost. */
struct raw_chunk;
int chunk_damaged(uint64_t recording, const struct raw_chunk *raw,
		  const char *how, struct err *err);
/* Take in what was asked for ahead, so that the connection is free. */
int chunk_reader_idle(struct chunk_reader *r, struct err *err);

#endif
