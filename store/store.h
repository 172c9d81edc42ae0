#ifndef STORE_STORE_H
#define STORE_STORE_H

/*
 * The store as the commands see it: which server, a connection that is set up,
 * a sink to record into, a source to replay from. libpq stays behind this folder.
 */
#include "base/err.h"
#include "event/sink.h"
#include "event/source.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct db;	/* one connection; store/db.h */

/*
 * Which server: url when not NULL (--db), else PASTIME_DB, else libpq's PG*
 * variables when PGHOST, PGSERVICE or PGDATABASE is set, else the embedded cluster.
 */
struct store_where {
	bool embedded;
	char *url;		/* conninfo for libpq; embedded: socket directory and port */
	char *dir;		/* embedded: data directory; else NULL */
};

int store_where(const char *url, struct store_where *out, struct err *err);
void store_where_free(struct store_where *w);

/*
 * Connect, start the embedded server when it does not run (and create it), check the
 * schema version and migrate. Ships what spools are left of killed recorders.
 * Errors: E_DB_UNREACHABLE, E_SCHEMA_NEWER, E_DB.
 */
int store_open(const char *url, struct db **out, struct err *err);
void store_close(struct db *db);

/* The embedded server. init creates and starts; all are idempotent. */
int cluster_start(struct err *err);
int cluster_stop(struct err *err);
int cluster_init(struct err *err);
struct cluster_status {
	bool exists, running;
	int pid;
	int server_version;	/* 150018 */
	char *dir, *socket_dir, *bindir;
	uint64_t bytes;		/* on disk */
};
int cluster_status(struct cluster_status *out, struct err *err);
void cluster_status_free(struct cluster_status *s);

/*
 * A sink that records: spool first, server as soon as it answers. Returns at once;
 * a writer thread encodes, spools, connects and copies. When the server stays
 * away, everything stays in the spool, and the next store_open ships it.
 */
struct store_sink_opts {
	const char *url;	/* as for store_open */
	const char *name;	/* recording's name; NULL: from the command */
	const char *command;	/* for lists: the command line as text */
	char *const *tags;	/* NULL-terminated "k=v", or NULL */
	uint64_t flush_ms;	/* close a chunk after so long: 0 = 200 */
};
int store_sink_open(const struct store_sink_opts *o, struct sink **out, struct err *err);
/*
 * No more events: wait until all is on the server, or it is clear that it stays in
 * the spool; close then only releases. What follows is final after it. A
 * recording without any event leaves nothing behind. -E_SPOOL: it is cut off.
 */
int store_sink_finish(struct sink *s, struct err *err);
/* Its number (0: not yet shipped) and its UUID text; borrowed until close. */
uint64_t store_sink_recording(struct sink *s);
const char *store_sink_uuid(struct sink *s);
/* NULL, or why the server does not have everything (for the end line). */
const char *store_sink_problem(struct sink *s);

/* REC: number, name, unique prefix of the UUID; NULL = the latest. */
int store_find(struct db *db, const char *rec, uint64_t *out, struct err *err);
/* A source over a recording (own connection; grows while it still runs). */
int store_source_open(struct db *db, uint64_t recording, struct source **out, struct err *err);

#endif
