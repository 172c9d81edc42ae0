#ifndef STORE_WRAPPER_H
#define STORE_WRAPPER_H

/*
 * The server-side library (sql/fdw), by which pastime.event is read from chunks
 * without rows being made: a foreign table for each recording. It is part of
 * this program; the server gets it into its data directory (lo_export), which
 * needs a superuser, and a server of the version it was built for.
 */
#include "base/err.h"
#include <stdbool.h>

struct db;

#define WRAPPER_SERVER "pastime_chunks"

/* How pastime.event is made. */
enum wrapper_mode {
	WRAPPER_AUTO,	/* chunks in the embedded server, rows elsewhere */
	WRAPPER_ROWS,	/* PASTIME_EVENTS=rows */
	WRAPPER_CHUNKS, /* PASTIME_EVENTS=chunks: on any server that lets us */
};
enum wrapper_mode wrapper_mode(void);
/* This program has a library to bring. */
bool wrapper_is_built(void);

/*
 * May db read chunks by itself? Makes this program's library known where it is
 * not yet; one that failed to load is not tried again. setting: what
 * pastime.setting says under the name "library", or "". Outside transactions.
 */
int wrapper_ensure(struct db *db, const char *setting, bool *out_usable,
		   struct err *err);
/* Take it out of a database, with all tables over it; they are made again when
 * asked for. For pg_upgrade, which wants to load what the old server had. */
int wrapper_remove(struct db *db, struct err *err);

#endif
