#ifndef STORE_BLOBSET_H
#define STORE_BLOBSET_H

/* A set of blob ids, each with a number (a place, or anything). */
#include "event/item.h"
#include <stdbool.h>

struct blobset {
	struct blob_id *ids;
	uint32_t *values; /* 0 = free slot; stored + 1 */
	size_t len;
	size_t cap;
};

/* True when id is new; else *out_value (may be NULL) is what it had. */
bool blobset_add(struct blobset *s, const struct blob_id *id, uint32_t value,
		 uint32_t *out_value);
bool blobset_get(const struct blobset *s, const struct blob_id *id,
		 uint32_t *out_value);
void blobset_clear(struct blobset *s);
void blobset_free(struct blobset *s);

#endif
