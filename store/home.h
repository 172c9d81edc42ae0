#ifndef STORE_HOME_H
#define STORE_HOME_H

/*
 * Where pastime keeps things on this host, and who owns them.
 *
 * home: $PASTIME_HOME, for root /var/lib/pastime, else $XDG_DATA_HOME/pastime
 * or ~/.local/share/pastime. In it: pg15/ (the cluster of one server major),
 * pg15.log, start.lock, spool/, known/ (what recorders found out about files).
 * PostgreSQL refuses to run as root, so for root the cluster belongs to an
 * account of its own; spools stay root's.
 */
#include "base/err.h"
#include <stdbool.h>
#include <sys/types.h>

/* The home as an absolute path; mem_free it. It need not exist yet. */
int home_path(char **out, struct err *err);
/* Make home and home/sub (NULL: home only), private; returns home/sub. */
int home_make(const char *sub, char **out, struct err *err);

/* Who runs the server. switch_user: we are root and must become uid, gid. */
struct account {
	bool switch_user;
	uid_t uid;
	gid_t gid;
	char name[64];
};

/*
 * The account for the embedded server. For root: $PASTIME_ACCOUNT, pastime
 * (created with useradd when may_create), postgres, nobody: the first there is.
 */
int home_account(bool may_create, struct account *out, struct err *err);

/* For root: whoever owns dir, a cluster that exists, runs its server, also when
 * another account would be chosen today. */
void home_owner(const char *dir, struct account *io);

/*
 * The directory of the server's socket: short (the kernel allows 107 bytes
 * with the name), private, owned by the account; made when it does not exist.
 * One for each home. Refuses one that another user made.
 */
int home_socket_dir(const struct account *who, char **out, struct err *err);

#endif
