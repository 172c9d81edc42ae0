#ifndef STORE_SPOOL_H
#define STORE_SPOOL_H

/*
 * The spool of one recording: a file of framed, checksummed records. Its
 * recorder appends and holds a lock on it; a shipper reads it from the front,
 * and what the server has durably stored is dropped. A frame that was torn by
 * a crash, and all after it, is as if it had never been written.
 *
 * One thread appends; any other may read what lies before spool_end and drop.
 */
#include "base/buf.h"
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

enum frame_type {		   /* stored; append-only */
		  FRAME_META = 1,  /* facts about the recording: key NUL value
				      NUL ... */
		  FRAME_BLOB = 2,  /* id (16 bytes), contents */
		  FRAME_CHUNK = 3, /* head (store/frame.h), encoded chunk */
		  FRAME_END = 4,   /* the recording ended in order */
};

struct frame {
	uint32_t type;
	uint64_t next; /* offset of the following frame */
	struct span bytes;
};

struct spool;

/* Make dir/UUID.spool with meta as its first frame; locked from the start. */
int spool_create(const char *dir, const char *uuid, struct span meta,
		 struct spool **out, struct err *err);
/* Open what a recorder left. -E_BUSY: it still lives. -ENOENT: it is gone. */
int spool_open(const char *path, struct spool **out, struct err *err);
/* Does somebody hold dir/UUID.spool? */
bool spool_is_live(const char *dir, const char *uuid);
/* Close; remove: everything in it is in the server. NULL allowed. */
void spool_close(struct spool *s, bool remove);

const char *spool_path(const struct spool *s);
/* The meta frame, borrowed. */
struct span spool_meta(const struct spool *s);

/* Append head and body as one frame, whole or not at all. -E_SPOOL. */
int spool_append(struct spool *s, enum frame_type type, struct span head,
		 struct span body, struct err *err);
int spool_sync(struct spool *s, struct err *err);

uint64_t spool_start(const struct spool *s);  /* the first frame still there */
bool spool_is_dropped(const struct spool *s); /* there were frames before it */
uint64_t spool_end(const struct spool *s);    /* past the last whole frame */
/* The frame at offset; its bytes are in *tmp, which is cleared first. 1, or 0
 * when there is no whole frame there. */
int spool_read(struct spool *s, uint64_t at, struct buf *tmp, struct frame *out,
	       struct err *err);
/* Give the space of what lies before offset back to the file system, when it
 * is worth the while. */
void spool_drop(struct spool *s, uint64_t before);

#endif
