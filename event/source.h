#ifndef EVENT_SOURCE_H
#define EVENT_SOURCE_H

/*
 * Where a replayer gets events from: the store's reader, or memlog.
 * One thread at a time.
 */
#include "base/err.h"
#include "event/event.h"
#include "event/item.h"

struct source;

struct source_ops {
	/* The next event in seq order. Returns 1 and *out (payload borrowed until
	 * the next call on the source), 0 at the end of what is stored. */
	int (*next)(struct source *s, struct event *out, struct err *err);
	/* The next call of next returns event seq (or the end). */
	int (*seek)(struct source *s, uint64_t seq, struct err *err);
	/* Append the bytes of a blob to out; checked against the id. */
	int (*blob)(struct source *s, const struct blob_id *id, struct buf *out,
		    struct err *err);
	/* The last seq that is stored now (grows while a recording runs). */
	uint64_t (*last_seq)(struct source *s);
	void (*close)(struct source *s);
};

struct source {
	const struct source_ops *ops;
};

static inline int
source_next(struct source *s, struct event *out, struct err *err)
{
	return s->ops->next(s, out, err);
}

static inline int
source_seek(struct source *s, uint64_t seq, struct err *err)
{
	return s->ops->seek(s, seq, err);
}

static inline int
source_blob(struct source *s, const struct blob_id *id, struct buf *out, struct err *err)
{
	return s->ops->blob(s, id, out, err);
}

/* The bytes of an item: its inline bytes, or its blobs put together in *tmp.
 * *out is good until tmp or the event changes. */
int source_item_bytes(struct source *s, const struct item *it, struct buf *tmp,
		      struct span *out, struct err *err);

#endif
