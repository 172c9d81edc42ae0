#ifndef STORE_PACK_H
#define STORE_PACK_H

/*
 * Storing blobs: small ones together in packs of up to BLOB_PIECE bytes,
 * compressed, each blob once for all recordings.
 */
#include "event/item.h"
#include "store/blobset.h"

struct db;

#define PACK_STORED 0u /* codec, stored */
#define PACK_ZSTD 1u

struct packer;

struct packer *packer_new(void);
void packer_free(struct packer *p);
/* What it stores is needed by the recording's stored checkpoints alone. */
void packer_for_index(struct packer *p);
/* A blob that must be in the database at the next packer_store. Copied. */
void packer_add(struct packer *p, const struct blob_id *id, struct span bytes);
size_t packer_bytes(const struct packer *p);
/*
 * In the caller's transaction: store those that the database does not have, and
 * note that recording needs all of them. *out_bytes grows by what was stored.
 * What was added stays until packer_clear, for another try.
 */
int packer_store(struct packer *p, struct db *db, uint64_t recording,
		 uint64_t *out_bytes, struct err *err);
/*
 * In the caller's transaction, which packer_lock began: does the database have
 * them all? If so, recording needs them from now on.
 */
int packer_lock(struct db *db, struct err *err);
int packer_hold(struct packer *p, struct db *db, uint64_t recording,
		const struct blob_id *ids, size_t n, bool *out_held,
		struct err *err);
/* Its transaction was not committed: what is needed is to be noted again. */
void packer_rolled_back(struct packer *p);
/* After the commit. */
void packer_clear(struct packer *p);

#endif
