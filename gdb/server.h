#ifndef GDB_SERVER_H
#define GDB_SERVER_H

/*
 * A gdb remote protocol server over a target. Clients come one after the other
 * and find the moment where the one before left it. Everything happens in the
 * calling thread, which must be the target's.
 */
#include "base/err.h"
#include "event/pos.h"
#include <stdbool.h>

struct buf;
struct target;
struct gdb_server;

/* What the server asks of who started it: things that a target does not know.
 */
struct gdb_host {
	void *ctx;
	/* A position as people type it. */
	int (*position)(void *ctx, const char *text, struct pos *out,
			struct err *err);
	/* Append n lines, the events up to seq, to out. */
	int (*events)(void *ctx, uint64_t seq, uint64_t n, struct buf *out,
		      struct err *err);
};

/*
 * Bytes here say how a monitor command has moved the client: 1 when it was at
 * all (the next resumption, of any kind, tells it where to), 1 when other
 * libraries are loaded there, 1 when the process that it saw does not live
 * there; after one more byte the number of one that does (32 bits), to be
 * attached to.
 */
#define GDB_MOVED_AT 0xfffffffffffff000ul
#define GDB_MOVED_LEN 8u

struct gdb_server *gdb_server_new(struct target *t, const struct gdb_host *h);
void gdb_server_free(struct gdb_server *g); /* NULL allowed */
/*
 * Go to p, and from there back to the last moment at which a program lives.
 * progress as in replayer_seek.
 */
int gdb_server_seek(struct gdb_server *g, const struct pos *p,
		    bool (*progress)(void *, uint64_t, uint64_t), void *ctx,
		    struct err *err);
/*
 * For a client on this host: name files so that it can open them itself (set
 * sysroot to nothing). False, and no change, when those of the program differ
 * from the recorded ones: it is better asked to read them through the server.
 */
bool gdb_server_use_local_files(struct gdb_server *g);
/*
 * Serve one client over a pair of descriptors (the same one for a socket),
 * until it goes, or quit (may be -1) is readable. 0; errors are those of the
 * connection.
 */
int gdb_server_client(struct gdb_server *g, int in, int out, int quit,
		      struct err *err);

#endif
