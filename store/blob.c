#include "store/blob.h"

#include <stdio.h>
#include <zstd.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/vec.h"
#include "store/blobset.h"
#include "store/db.h"
#include "store/pack.h"

#define CACHE_PACKS 256 /* of up to 256 KB */
#define RAW_MAX (64u * 1024 * 1024)

struct held_pack {
	struct blob_id id;
	uint8_t *raw;
	uint32_t len;
	uint64_t used;
};

/* Where a blob is; the place stays known when its pack was let go. */
struct place {
	struct blob_id pack;
	uint32_t at, len;
};

struct blob_cache {
	struct db *db;
	struct held_pack packs[CACHE_PACKS];
	uint64_t clock;
	struct blobset index; /* blob id to number in places */
	VEC(struct place) places;
};

struct blob_cache *
blob_cache_new(struct db *db)
{
	struct blob_cache *c = mem_zalloc(sizeof(*c));

	c->db = db;
	return c;
}

void
blob_cache_free(struct blob_cache *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < CACHE_PACKS; i++)
		mem_free(c->packs[i].raw);
	blobset_free(&c->index);
	vec_free(&c->places);
	mem_free(c);
}

static const char *
id_text(const struct blob_id *id, char text[33])
{
	for (size_t i = 0; i < sizeof(id->b); i++)
		snprintf(text + 2 * i, 3, "%02x", id->b[i]);
	return text;
}

static struct held_pack *
find_pack(struct blob_cache *c, const struct blob_id *id)
{
	for (size_t i = 0; i < CACHE_PACKS; i++) {
		struct held_pack *p = &c->packs[i];

		if (p->raw && memcmp(&p->id, id, sizeof(*id)) == 0)
			return p;
	}
	return NULL;
}

static struct held_pack *
oldest(struct blob_cache *c)
{
	struct held_pack *p = &c->packs[0];

	for (size_t i = 1; i < CACHE_PACKS; i++) {
		if (c->packs[i].used < p->used)
			p = &c->packs[i];
	}
	return p;
}

static void
add_place(struct blob_cache *c, const struct blob_id *id,
	  const struct blob_id *pack, int64_t at, int64_t len)
{
	struct place pl = { *pack, (uint32_t)at, (uint32_t)len };
	uint32_t known;

	/* It may have been stored anew since we looked, in another pack. */
	if (blobset_add(&c->index, id, (uint32_t)c->places.len, &known))
		vec_push(&c->places, pl);
	else
		c->places.v[known] = pl;
}

/* Unpack into the least recently used place. */
static struct held_pack *
hold(struct blob_cache *c, const struct blob_id *id, int64_t codec,
     int64_t raw_len, struct span data, struct err *err)
{
	struct held_pack *p = oldest(c);
	char text[33];
	size_t n;

	if (raw_len < 0 || raw_len > RAW_MAX ||
	    (codec == PACK_STORED && (size_t)raw_len != data.len))
		goto damaged;
	mem_free(p->raw);
	p->raw = mem_alloc((size_t)raw_len + 1);
	p->len = (uint32_t)raw_len;
	p->id = *id;
	if (codec == PACK_STORED) {
		memcpy(p->raw, data.p, data.len);
		return p;
	}
	n = codec == PACK_ZSTD
		    ? ZSTD_decompress(p->raw, (size_t)raw_len, data.p, data.len)
		    : 0;
	if (!ZSTD_isError(n) && n == (size_t)raw_len)
		return p;
	mem_free(p->raw);
	*p = (struct held_pack){ 0 };
damaged:
	err_set(err, E_FORMAT, "pack %s in the database is damaged",
		id_text(id, text));
	return NULL;
}

static int
fetch(struct blob_cache *c, const struct blob_id *id, struct err *err)
{
	struct arena a = { 0 };
	struct blob_id pack;
	struct db_rows r;
	char text[33];
	int rc;

	rc = db_query(c->db,
		      "select p.pack, b.at, b.len, p.codec, p.raw_len, "
		      "p.data, p.blobs from pastime.blob b "
		      "join pastime.pack p on p.pack = b.pack "
		      "where b.blob = $1",
		      DB_ARGS(DB_UUID(id->b)), &a, &r, err);
	if (rc == 0 && r.n == 0) {
		rc = err_set(err, E_FORMAT,
			     "the database lacks contents that the recording "
			     "needs: blob %s",
			     id_text(id, text));
		err_hint(err, "record the same command again: what is the same "
			      "is stored again, for this recording, too");
	}
	if (rc < 0)
		goto out;
	memcpy(&pack, db_get_bytes(&r, 0, 0).p, sizeof(pack));
	add_place(c, id, &pack, db_get_int(&r, 0, 1), db_get_int(&r, 0, 2));
	if (!hold(c, &pack, db_get_int(&r, 0, 3), db_get_int(&r, 0, 4),
		  db_get_bytes(&r, 0, 5), err)) {
		rc = -E_FORMAT;
		goto out;
	}
	/* What lies together is needed together. */
	if (db_get_int(&r, 0, 6) > 1) {
		rc = db_query(c->db,
			      "select blob, at, len from pastime.blob "
			      "where pack = $1",
			      DB_ARGS(DB_UUID(pack.b)), &a, &r, err);
		for (size_t i = 0; rc == 0 && i < r.n; i++) {
			struct blob_id other;

			memcpy(&other, db_get_bytes(&r, i, 0).p, sizeof(other));
			add_place(c, &other, &pack, db_get_int(&r, i, 1),
				  db_get_int(&r, i, 2));
		}
	}
out:
	arena_free(&a);
	return rc;
}

int
blob_cache_get(struct blob_cache *c, const struct blob_id *id, struct buf *out,
	       struct err *err)
{
	struct held_pack *p = NULL;
	const struct place *pl;
	struct blob_id found;
	char text[33];
	uint32_t at;
	int rc;

	if (blobset_get(&c->index, id, &at))
		p = find_pack(c, &c->places.v[at].pack);
	if (!p) {
		rc = fetch(c, id, err);
		if (rc < 0)
			return rc;
		blobset_get(&c->index, id, &at);
		p = find_pack(c, &c->places.v[at].pack);
		ASSERT(p);
	}
	p->used = ++c->clock;
	pl = &c->places.v[at];
	if (pl->at <= p->len && pl->len <= p->len - pl->at) {
		blob_id_of(span_of(p->raw + pl->at, pl->len), &found);
		if (fault_hit(FAULT_blob_read))
			found.b[0] ^= 1;
		if (memcmp(&found, id, sizeof(found)) == 0) {
			buf_put(out, p->raw + pl->at, pl->len);
			return 0;
		}
	}
	return err_set(err, E_FORMAT, "blob %s in the database is damaged",
		       id_text(id, text));
}

/* ---- many at once */

#define WANT_IDS 4096u
#define WANT_PACKS 64u /* 16 MB: less than the cache holds */

/* Where they are, of those of which it is not known. */
static int
find_places(struct blob_cache *c, const struct blob_id *ids, size_t n,
	    struct err *err)
{
	struct blob_id *unknown = mem_calloc(n + 1, sizeof(*unknown));
	struct arena a = { 0 };
	struct db_rows r = { 0 };
	size_t k = 0;
	uint32_t at;
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		if (!blobset_get(&c->index, &ids[i], &at))
			unknown[k++] = ids[i];
	}
	if (k)
		rc = db_query(c->db,
			      "select blob, pack, at, len from pastime.blob "
			      "where blob = any ($1)",
			      DB_ARGS(DB_UUIDS(unknown, k)), &a, &r, err);
	for (size_t i = 0; rc == 0 && i < r.n; i++) {
		struct blob_id id, pack;

		memcpy(&id, db_get_bytes(&r, i, 0).p, sizeof(id));
		memcpy(&pack, db_get_bytes(&r, i, 1).p, sizeof(pack));
		add_place(c, &id, &pack, db_get_int(&r, i, 2),
			  db_get_int(&r, i, 3));
	}
	arena_free(&a);
	mem_free(unknown);
	return rc;
}

static int
fetch_packs(struct blob_cache *c, const struct blob_id *packs, size_t n,
	    struct err *err)
{
	struct arena a = { 0 };
	struct db_rows r;
	int rc;

	rc = db_query(c->db,
		      "select pack, codec, raw_len, data from pastime.pack "
		      "where pack = any ($1)",
		      DB_ARGS(DB_UUIDS(packs, n)), &a, &r, err);
	for (size_t i = 0; rc == 0 && i < r.n; i++) {
		struct held_pack *p;
		struct blob_id id;

		memcpy(&id, db_get_bytes(&r, i, 0).p, sizeof(id));
		p = hold(c, &id, db_get_int(&r, i, 1), db_get_int(&r, i, 2),
			 db_get_bytes(&r, i, 3), err);
		if (p)
			p->used = ++c->clock;
		rc = p ? 0 : -E_FORMAT;
	}
	arena_free(&a);
	return rc;
}

int
blob_cache_want(struct blob_cache *c, const struct blob_id *ids, size_t n,
		size_t *out_n, struct err *err)
{
	struct blob_id packs[WANT_PACKS];
	struct blobset wanted = { 0 };
	size_t k = 0, i;
	int rc;

	if (n > WANT_IDS)
		n = WANT_IDS;
	rc = find_places(c, ids, n, err);
	for (i = 0; rc == 0 && i < n; i++) {
		struct held_pack *p;
		struct blob_id pack;
		uint32_t at;

		if (!blobset_get(&c->index, &ids[i], &at))
			continue;
		pack = c->places.v[at].pack;
		p = find_pack(c, &pack);
		if (p)
			p->used = ++c->clock;
		if (p || !blobset_add(&wanted, &pack, 0, NULL))
			continue;
		if (k == WANT_PACKS)
			break;
		packs[k++] = pack;
	}
	blobset_free(&wanted);
	if (rc == 0 && k)
		rc = fetch_packs(c, packs, k, err);
	*out_n = i > 0 ? i : 1;
	return rc;
}
