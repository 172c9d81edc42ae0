#ifndef STORE_CLUSTER_H
#define STORE_CLUSTER_H

/*
 * The embedded server: one cluster per user and server major, in the home.
 * Inside store/ only; what commands may do with it is in store/store.h.
 */
#include "base/err.h"
#include "store/home.h"
#include <stdbool.h>

#define CLUSTER_USER "pastime"
#define CLUSTER_DATABASE "pastime"

struct cluster {
	char *home;
	char *dir;   /* home/pgNN */
	int major;   /* NN */
	bool exists; /* initialised */
	struct account who;
};

/* The cluster to use: the one that exists, of the newest major when there are
 * several; none: exists is false, dir NULL. Starts nothing. */
int cluster_locate(struct cluster *c, struct err *err);
void cluster_release(struct cluster *c);

/* What postmaster.pid says. */
struct postmaster {
	int pid;
	bool ready;
	char socket_dir[128];
};
/* True when a server runs on dir; *out is filled when its pid is known. */
bool cluster_running(const struct cluster *c, struct postmaster *out);

/* How libpq reaches the server (running or not); mem_free it. */
int cluster_conninfo(const struct cluster *c, const char *database, char **out,
		     struct err *err);

/* initdb into home/pgNN, all or nothing. The caller holds the start lock. */
int cluster_create(struct cluster *c, const char *bindir, int major,
		   struct err *err);
/* Bring an old cluster to the programs of a new major with pg_upgrade. */
int cluster_upgrade(struct cluster *c, const char *old_bindir,
		    const char *new_bindir, int new_major, struct err *err);

/* The last complaint in a log of PostgreSQL, appended to out; false = none. */
bool cluster_log_tail(const char *path, char *out, size_t size);

#endif
