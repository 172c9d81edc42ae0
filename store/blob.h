#ifndef STORE_BLOB_H
#define STORE_BLOB_H

/* Reading blobs: whole packs are fetched and kept for a while. */
#include "event/item.h"

struct db;
struct blob_cache;

struct blob_cache *blob_cache_new(struct db *db); /* db is borrowed */
void blob_cache_free(struct blob_cache *c);
/* Append the bytes of a blob, checked against its id. -E_FORMAT. */
int blob_cache_get(struct blob_cache *c, const struct blob_id *id,
		   struct buf *out, struct err *err);
/* Fetch together what the first of these need; *out_n: how many. What is not
 * there is an error of blob_cache_get. */
int blob_cache_want(struct blob_cache *c, const struct blob_id *ids, size_t n,
		    size_t *out_n, struct err *err);

#endif
