#ifndef TESTS_GDB_FAKE_H
#define TESTS_GDB_FAKE_H

/*
 * A recording that never was: 40 events; process 100 with the threads 100 and
 * 101 (tasks 1 and 2) from e5 on, its child 200 (task 3) from e20 to e30. At
 * address A of 0x1000-0x1fff is the byte A & 0xff. What a motion comes to is
 * what the test has put in line.
 */
#include "event/event.h"
#include "gdb/server.h"
#include "replayer/target.h"

#define FAKE_LAST 40u
#define FAKE_MOVES 8u

struct fake {
	struct target target; /* first */
	struct pos at;
	struct event events[FAKE_LAST + 1];
	struct target_stop moves[FAKE_MOVES]; /* why 0 = E_UNSUPPORTED */
	size_t n_moves, moved;
	struct target_motion_req asked[FAKE_MOVES];
	struct target_break broke;   /* the first of the last request */
	struct target_watch watched; /* the same */
	unsigned checkpoints;
};

void fake_init(struct fake *f);
/* A server over it that stands at e10; free it with gdb_server_free. */
struct gdb_server *fake_server(struct fake *f);
/* Serve a client that sends these bytes and hangs up; all that came back, in
 * out. */
void fake_client(struct gdb_server *g, const void *bytes, size_t n,
		 struct buf *out);

#endif
