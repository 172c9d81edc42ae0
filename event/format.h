#ifndef EVENT_FORMAT_H
#define EVENT_FORMAT_H

/*
 * An event as text for people and as JSON, from the same table rows that
 * drive capture: read(5, "127.0.0.1 ...", 4096) = 220.
 */
#include "base/buf.h"
#include "event/event.h"

struct format_opts {
	size_t max_string; /* bytes of a string shown before "..."; 0 = 32 */
	/* Optional: a name for a descriptor at this event ("/etc/hosts"), or NULL. */
	const char *(*fd_name)(void *ctx, const struct event *ev, int fd);
	void *ctx;
};

/* One line without newline: "openat(AT_FDCWD, \"/etc/hosts\", O_RDONLY) = 3". */
void event_format(const struct event *ev, const struct format_opts *o, struct buf *out);
/* The decoded arguments, one "name: value" a line, data in full as text and hex. */
void event_format_detail(const struct event *ev, const struct format_opts *o,
			 struct buf *out);
/* One JSON object without newline, all fields; payload decoded. */
void event_format_json(const struct event *ev, struct buf *out);

const char *signal_name(int signo);	/* "SIGCHLD", "SIGRT3" */
const char *errno_name(int err);	/* "ENOENT" */

#endif
