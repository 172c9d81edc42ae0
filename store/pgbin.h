#ifndef STORE_PGBIN_H
#define STORE_PGBIN_H

/*
 * Where PostgreSQL's server programs are. Looked for in $PASTIME_PGBIN (only
 * there when it is set), where configure found them, /usr/lib/postgresql/N/bin
 * (Debian), /usr/pgsql-N/bin (Red Hat), PATH, pg_config --bindir.
 */
#include "base/err.h"

#define PG_OLDEST 15 /* the oldest server major that will do */

/* Programs of the given major (0: the newest there is, at least PG_OLDEST).
 * Errors: E_DB_UNREACHABLE with a hint at the package to install. */
int pgbin_find(int major, char **out_dir, int *out_major, struct err *err);

#endif
