#ifndef SQL_FDW_BLOBS_H
#define SQL_FDW_BLOBS_H

/* Contents that events refer to: pastime.blob says in which pack they are. */
#include "sql/fdw/server.h"

#include <utils/snapshot.h>

#include "base/buf.h"
#include "event/item.h"

struct blobs;
/* Opens its tables when first asked. Memory: the current context. */
struct blobs *blobs_open(Snapshot snapshot);
void blobs_close(struct blobs *b); /* NULL allowed */
/* Append what has the id; negative when it is not there or damaged. */
int blobs_get(struct blobs *b, const struct blob_id *id, struct buf *out);

#endif
