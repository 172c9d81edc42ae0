#ifndef EVENT_SINK_H
#define EVENT_SINK_H

/*
 * Where a recorder puts events. The store implements it (spool, PostgreSQL),
 * memlog implements it for tests. Called by the tracer thread only; put and
 * blob copy what they are given and return quickly (a bounded queue of memory,
 * then the spool, never the server, sets the pace).
 */
#include "base/err.h"
#include "event/event.h"
#include "event/item.h"

struct sink;

struct sink_ops {
	/* ev->seq must be the previous one's plus one. */
	int (*put)(struct sink *s, const struct event *ev, struct err *err);
	/* The same for n of them, of which all are put or none. NULL: one by
	 * one. */
	int (*put_many)(struct sink *s, const struct event *ev, size_t n,
			struct err *err);
	/* Store len <= BLOB_PIECE bytes once for all recordings; *out is their id.
	 * Must come before the event that names the id. */
	int (*blob)(struct sink *s, struct span bytes, struct blob_id *out,
		    struct err *err);
	/*
	 * As blob for each piece of a file, of which is known from earlier that
	 * its pieces have these ids (all zero: nothing but zeros); whoever
	 * needs the contents reads them from fd. -E_UNSUPPORTED, or NULL: not
	 * here.
	 */
	int (*file)(struct sink *s, int fd, const struct blob_id *ids, size_t n,
		    struct err *err);
	/* Make all that was put durable in the spool (not necessarily the server). */
	int (*flush)(struct sink *s, struct err *err);
	/* The same, but without waiting for it: a failure is told later. NULL:
	 * flush does not take long. */
	void (*flush_soon)(struct sink *s);
	/* No more events: finish and release. */
	int (*close)(struct sink *s, struct err *err);
};

struct sink {
	const struct sink_ops *ops;
};

static inline int
sink_put(struct sink *s, const struct event *ev, struct err *err)
{
	return s->ops->put(s, ev, err);
}

int sink_put_many(struct sink *s, const struct event *ev, size_t n,
		  struct err *err);

static inline int
sink_blob(struct sink *s, struct span bytes, struct blob_id *out, struct err *err)
{
	return s->ops->blob(s, bytes, out, err);
}

/* Cut bytes into pieces, store each, append ids to *ids (16 bytes each). */
int sink_blobs(struct sink *s, struct span bytes, struct buf *ids, struct err *err);

#endif
