#ifndef STORE_META_H
#define STORE_META_H

/* What a recording is called and where it comes from: the facts that its spool
 * begins with. */
#include "base/buf.h"
#include "store/store.h"

void meta_uuid(char out[37]);
void meta_put(struct buf *b, const struct store_sink_opts *o, const char *uuid,
	      const char *where_key);

#endif
