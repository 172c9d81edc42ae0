#ifndef EVENT_FACTS_H
#define EVENT_FACTS_H

/*
 * What people ask about an event, taken out of its arguments and items: the
 * descriptor, paths, addresses, the bytes that were moved. One event is enough:
 * nothing here knows about other events.
 */
#include "base/arena.h"
#include "event/event.h"
#include "event/item.h"

#define FACTS_DATA_WRITTEN (1u << 20) /* kept of what a call wrote or sent */
#define FACTS_DATA_READ 4096u	      /* kept of what it read or received */

/* Fetches the bytes of a blob; NULL: large data stays out. */
struct blob_fetch {
	int (*get)(void *ctx, const struct blob_id *id, struct buf *out);
	void *ctx;
};

struct facts {
	int fd;		/* -1 = none */
	int error;	/* positive errno, 0 = none */
	unsigned nargs; /* that mean something */
	bool has_ret;
	bool has_data;	/* data may be empty: a read at the end of a file */
	bool is_output; /* data went out of the program, not into it */
	struct span path, path2, addr, note; /* empty = none */
	struct span data;
};

/* Spans point into ev's payload or the arena. Damaged items are left out. */
void facts_of(const struct event *ev, const struct blob_fetch *blobs,
	      struct arena *a, struct facts *out);
/* fd and error alone: no payload is looked at. */
void facts_quick(const struct event *ev, struct facts *out);
/* The descriptor of such a call may be another than facts_quick says. */
bool facts_fd_moves(int call);
/* A socket address as text: 127.0.0.1:80, [::1]:80, unix:/run/x. */
struct span facts_sockaddr(struct span bytes, struct arena *a);

#endif
