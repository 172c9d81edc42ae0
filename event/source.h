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

/* A stored checkpoint, with the replay time to there. */
#define SOURCE_STORED_VERSION 2 /* of its bytes: others are not offered */
struct source_stored {
	uint64_t seq;
	uint64_t part; /* 0: at the event; 1 and so on: in the code behind it */
	uint64_t work_ns;
};

static inline bool
source_stored_after(const struct source_stored *at, uint64_t seq, uint64_t part)
{
	return at->seq != seq ? at->seq > seq : at->part > part;
}

struct source_ops {
	/* The next event in seq order. Returns 1 and *out (payload borrowed until
	 * the next call on the source), 0 at the end of what is stored. */
	int (*next)(struct source *s, struct event *out, struct err *err);
	/* As next, but all that is at hand, *out_n of them; they are not read:
	 * who goes on behind some seeks. Borrowed until the next call of next,
	 * look or seek. */
	int (*look)(struct source *s, const struct event **out, size_t *out_n,
		    struct err *err);
	/* The next call of next returns event seq (or the end). */
	int (*seek)(struct source *s, uint64_t seq, struct err *err);
	/* Append the bytes of a blob to out; checked against the id. */
	int (*blob)(struct source *s, const struct blob_id *id, struct buf *out,
		    struct err *err);
	/* These blobs are going to be asked for: bring some of the first of
	 * them at once. *out_n: so many; ask again for the others then. */
	int (*want)(struct source *s, const struct blob_id *ids, size_t n,
		    size_t *out_n, struct err *err);
	/* The last seq that is stored now (grows while a recording runs). */
	uint64_t (*last_seq)(struct source *s);
	/* The last stored checkpoint at or before part of seq: 1, or 0: none.
	 */
	int (*stored)(struct source *s, uint64_t seq, uint64_t part,
		      struct source_stored *out, struct err *err);
	/* Append its bytes, which only a replayer understands. */
	int (*stored_state)(struct source *s, const struct source_stored *at,
			    struct buf *out, struct err *err);
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
source_look(struct source *s, const struct event **out, size_t *out_n,
	    struct err *err)
{
	return s->ops->look(s, out, out_n, err);
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
