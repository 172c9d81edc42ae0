#ifndef STORE_OPEN_H
#define STORE_OPEN_H

/* Steps of store_open that a recording takes at its own pace. */
#include "store/store.h"

/* Connect to the server that w names; does not start it. Schema is ensured. */
int store_connect(const struct store_where *w, struct db **out,
		  struct err *err);
/* Text that tells servers apart, for spools; mem_free it. */
char *store_where_key(const struct store_where *w);
/* home/spool, made when it does not exist; mem_free it. */
int store_spool_dir(char **out, struct err *err);

#endif
