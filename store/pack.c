#include "store/pack.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>
#include <zstd.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/vec.h"
#include "store/db.h"
#include "store/keys.h"

#define LEVEL 1

struct entry {
	struct blob_id id;
	struct blob_id pack; /* all zero: not known to be stored */
	struct blob_id lost; /* where it was, but that pack is gone */
	size_t at;	     /* in the packer's bytes */
	uint32_t len;
	uint32_t pack_at; /* in the pack */
};

struct packer {
	struct buf bytes;
	VEC(struct entry) entries;
	struct blobset index; /* id to number in entries */
	bool indexed;	      /* for stored checkpoints */
	struct blobset refs;  /* packs that the recording is known to need */
	ZSTD_CCtx *zstd;
	struct buf compressed;
};

struct packer *
packer_new(void)
{
	struct packer *p = mem_zalloc(sizeof(*p));

	p->zstd = ZSTD_createCCtx();
	if (!p->zstd)
		die("out of memory");
	return p;
}

void
packer_free(struct packer *p)
{
	if (!p)
		return;
	ZSTD_freeCCtx(p->zstd);
	buf_free(&p->bytes);
	buf_free(&p->compressed);
	vec_free(&p->entries);
	blobset_free(&p->index);
	blobset_free(&p->refs);
	mem_free(p);
}

void
packer_for_index(struct packer *p)
{
	p->indexed = true;
}

void
packer_add(struct packer *p, const struct blob_id *id, struct span bytes)
{
	struct entry e = { .id = *id,
			   .at = p->bytes.len,
			   .len = (uint32_t)bytes.len };

	if (!blobset_add(&p->index, id, (uint32_t)p->entries.len, NULL))
		return;
	buf_put(&p->bytes, bytes.p, bytes.len);
	vec_push(&p->entries, e);
}

size_t
packer_bytes(const struct packer *p)
{
	return p->bytes.len;
}

void
packer_rolled_back(struct packer *p)
{
	blobset_clear(&p->refs);
}

void
packer_clear(struct packer *p)
{
	buf_clear(&p->bytes);
	vec_clear(&p->entries);
	blobset_clear(&p->index);
}

static bool
is_none(const struct blob_id *id)
{
	static const struct blob_id none;

	return memcmp(id, &none, sizeof(none)) == 0;
}

static bool
is_stored(const struct entry *e)
{
	return !is_none(&e->pack);
}

/* Find out which of the unstored entries the database has. One whose pack is
 * lost it does not have, whatever pastime.blob says. */
static int
look_up(struct packer *p, struct db *db, struct err *err)
{
	struct blob_id *ids = mem_calloc(p->entries.len + 1, sizeof(*ids));
	struct arena a = { 0 };
	struct db_rows r;
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < p->entries.len; i++) {
		if (!is_stored(&p->entries.v[i]))
			ids[n++] = p->entries.v[i].id;
	}
	rc = db_query(db,
		      "select b.blob, b.pack, p.pack is null "
		      "from pastime.blob b "
		      "left join pastime.pack p on p.pack = b.pack "
		      "where b.blob = any ($1)",
		      DB_ARGS(DB_UUIDS(ids, n)), &a, &r, err);
	for (size_t i = 0; rc == 0 && i < r.n; i++) {
		struct blob_id id;
		uint32_t at;

		memcpy(&id, db_get_bytes(&r, i, 0).p, sizeof(id));
		if (!blobset_get(&p->index, &id, &at))
			continue;
		memcpy(db_get_int(&r, i, 2) ? &p->entries.v[at].lost
					    : &p->entries.v[at].pack,
		       db_get_bytes(&r, i, 1).p, sizeof(id));
	}
	arena_free(&a);
	mem_free(ids);
	return rc;
}

struct made_pack {
	struct blob_id id;
	uint32_t codec, raw_len, blobs;
	struct span data; /* in the arena */
};
typedef VEC(struct made_pack) pack_vec;

static struct made_pack
make_pack(struct packer *p, struct span raw, struct arena *a)
{
	struct made_pack m = { .codec = PACK_ZSTD,
			       .raw_len = (uint32_t)raw.len };
	size_t n;

	buf_clear(&p->compressed);
	buf_reserve(&p->compressed, ZSTD_compressBound(raw.len));
	n = ZSTD_compressCCtx(p->zstd, p->compressed.p, p->compressed.cap,
			      raw.p, raw.len, LEVEL);
	if (ZSTD_isError(n) || n >= raw.len) {
		m.codec = PACK_STORED;
		m.data = arena_span(a, raw);
	} else {
		m.data = arena_span(a, span_of(p->compressed.p, n));
	}
	blob_id_of(m.data, &m.id);
	return m;
}

/* Cut the unstored entries into packs; *out_new gets their numbers. */
static void
make_packs(struct packer *p, struct arena *a, pack_vec *packs,
	   uint32_t *new_entries, size_t *out_new)
{
	struct buf raw = { 0 };
	size_t n = 0, first = 0;

	for (size_t i = 0; i <= p->entries.len; i++) {
		struct entry *e = &p->entries.v[i];
		bool last = i == p->entries.len;

		if (!last && is_stored(e))
			continue;
		if (raw.len > 0 && (last || raw.len + e->len > BLOB_PIECE)) {
			struct made_pack m = make_pack(p, buf_span(&raw), a);

			m.blobs = (uint32_t)(n - first);
			for (; first < n; first++)
				p->entries.v[new_entries[first]].pack = m.id;
			vec_push(packs, m);
			buf_clear(&raw);
		}
		if (last)
			break;
		e->pack_at = (uint32_t)raw.len;
		buf_put(&raw, p->bytes.p + e->at, e->len);
		new_entries[n++] = (uint32_t)i;
	}
	buf_free(&raw);
	*out_new = n;
}

static int
compare_pack(const void *a, const void *b)
{
	return memcmp(&((const struct made_pack *)a)->id,
		      &((const struct made_pack *)b)->id,
		      sizeof(struct blob_id));
}

static int
insert_packs(struct db *db, pack_vec *packs, uint64_t *out_bytes,
	     struct err *err)
{
	/* In one order for everybody, so that two recorders which store the
	 * same contents wait for each other in turn and not in a circle. */
	if (packs->len)
		qsort(packs->v, packs->len, sizeof(*packs->v), compare_pack);
	for (size_t i = 0; i < packs->len; i++) {
		const struct made_pack *m = &packs->v[i];
		struct db_rows r;
		int rc;

		rc = db_query(db,
			      "insert into pastime.pack (pack, codec, "
			      "raw_len, blobs, data) values ($1, $2, $3, $4, "
			      "$5) on conflict do nothing",
			      DB_ARGS(DB_UUID(m->id.b), DB_INT(m->codec),
				      DB_INT(m->raw_len), DB_INT(m->blobs),
				      DB_BYTEA(m->data)),
			      NULL, &r, err);
		if (rc < 0)
			return rc;
		if (r.affected)
			*out_bytes += m->data.len;
	}
	return 0;
}

/* Where the pack that an id leads to is lost, the new one takes its place, for
 * all recordings that need it. */
static int
heal(struct packer *p, struct db *db, const uint32_t *new_entries, size_t n_new,
     struct err *err)
{
	struct blob_id *ids = mem_calloc(3 * n_new, sizeof(*ids));
	struct blob_id *packs = ids + n_new, *lost = packs + n_new;
	int32_t *at = mem_calloc(n_new, sizeof(*at));
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < n_new; i++) {
		const struct entry *e = &p->entries.v[new_entries[i]];

		if (is_none(&e->lost))
			continue;
		ids[n] = e->id;
		packs[n] = e->pack;
		lost[n] = e->lost;
		at[n++] = (int32_t)e->pack_at;
	}
	if (n)
		rc = db_query(
			db,
			"with u as (select * from rows from ("
			"pg_catalog.unnest($1), pg_catalog.unnest($2), "
			"pg_catalog.unnest($3), pg_catalog.unnest($4)) "
			"as u (blob, pack, lost, at)), "
			"refs as (insert into pastime.recording_pack "
			"select r.recording, u.pack, "
			"pg_catalog.bool_and(r.indexed) from u "
			"join pastime.recording_pack r on r.pack = u.lost "
			"group by r.recording, u.pack "
			"on conflict do nothing) "
			"update pastime.blob b set pack = u.pack, at = u.at "
			"from u where b.blob = u.blob and b.pack = u.lost",
			DB_ARGS(DB_UUIDS(ids, n), DB_UUIDS(packs, n),
				DB_UUIDS(lost, n), DB_INT4S(at, n)),
			NULL, NULL, err);
	mem_free(ids);
	mem_free(at);
	return rc;
}

static int
insert_blobs(struct packer *p, struct db *db, const uint32_t *new_entries,
	     size_t n, struct err *err)
{
	struct blob_id *ids = mem_calloc(2 * n, sizeof(*ids));
	struct blob_id *packs = ids + n;
	int32_t *at = mem_calloc(2 * n, sizeof(*at));
	int32_t *len = at + n;
	struct db_rows r;
	int rc;

	for (size_t i = 0; i < n; i++) {
		const struct entry *e = &p->entries.v[new_entries[i]];

		ids[i] = e->id;
		packs[i] = e->pack;
		at[i] = (int32_t)e->pack_at;
		len[i] = (int32_t)e->len;
	}
	rc = db_query(db,
		      "insert into pastime.blob (blob, pack, at, len) "
		      "select * from rows from (pg_catalog.unnest($1), "
		      "pg_catalog.unnest($2), pg_catalog.unnest($3), "
		      "pg_catalog.unnest($4)) as u (blob, pack, at, len) "
		      "order by u.blob "
		      "on conflict do nothing",
		      DB_ARGS(DB_UUIDS(ids, n), DB_UUIDS(packs, n),
			      DB_INT4S(at, n), DB_INT4S(len, n)),
		      NULL, &r, err);
	mem_free(ids);
	mem_free(at);
	if (rc < 0 || r.affected == n)
		return rc;
	/* Somebody stored some of them since we looked: theirs count. */
	for (size_t i = 0; i < n; i++)
		p->entries.v[new_entries[i]].pack = (struct blob_id){ 0 };
	return look_up(p, db, err);
}

/* Note that recording needs these packs. */
static int
add_refs(struct packer *p, struct db *db, uint64_t recording,
	 const struct blob_id *needed, size_t n_needed, struct err *err)
{
	struct blob_id *packs = mem_calloc(n_needed + 1, sizeof(*packs));
	struct blobset fresh = { 0 };
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < n_needed; i++) {
		uint32_t unused;

		if (!blobset_get(&p->refs, &needed[i], &unused) &&
		    blobset_add(&fresh, &needed[i], 0, NULL))
			packs[n++] = needed[i];
	}
	if (n)
		rc = db_query(db,
			      "insert into pastime.recording_pack "
			      "select $1, u, $3 from pg_catalog.unnest($2) u "
			      "on conflict do nothing",
			      DB_ARGS(DB_INT(recording), DB_UUIDS(packs, n),
				      DB_BOOL(p->indexed)),
			      NULL, NULL, err);
	for (size_t i = 0; rc == 0 && i < n; i++)
		blobset_add(&p->refs, &packs[i], 0, NULL);
	blobset_free(&fresh);
	mem_free(packs);
	return rc;
}

static int
insert_refs(struct packer *p, struct db *db, uint64_t recording,
	    struct err *err)
{
	struct blob_id *packs = mem_calloc(p->entries.len + 1, sizeof(*packs));
	int rc;

	for (size_t i = 0; i < p->entries.len; i++)
		packs[i] = p->entries.v[i].pack;
	rc = add_refs(p, db, recording, packs, p->entries.len, err);
	mem_free(packs);
	return rc;
}

/* Garbage collection waits, or we do: what we find stays. */
static int
lock_out_gc(struct db *db, struct err *err)
{
	return db_query(db,
			"select pg_catalog.pg_advisory_xact_lock_shared($1)",
			DB_ARGS(DB_INT(KEY_GC)), NULL, NULL, err);
}

int
packer_lock(struct db *db, struct err *err)
{
	return lock_out_gc(db, err);
}

int
packer_hold(struct packer *p, struct db *db, uint64_t recording,
	    const struct blob_id *ids, size_t n, bool *out_held,
	    struct err *err)
{
	static const struct blob_id none;
	struct blob_id *packs = mem_calloc(n + 1, sizeof(*packs));
	struct blobset wanted = { 0 };
	struct arena a = { 0 };
	struct db_rows r = { 0 };
	int rc;

	*out_held = false;
	for (size_t i = 0; i < n; i++)
		if (memcmp(&ids[i], &none, sizeof(none)) != 0)
			blobset_add(&wanted, &ids[i], 0, NULL);
	rc = db_query(db,
		      "select b.pack from pastime.blob b "
		      "join pastime.pack p on p.pack = b.pack "
		      "where b.blob = any ($1)",
		      DB_ARGS(DB_UUIDS(ids, n)), &a, &r, err);
	if (rc == 0 && r.n == wanted.len) {
		for (size_t i = 0; i < r.n; i++)
			memcpy(&packs[i], db_get_bytes(&r, i, 0).p,
			       sizeof(*packs));
		rc = add_refs(p, db, recording, packs, r.n, err);
		*out_held = rc == 0;
	}
	blobset_free(&wanted);
	arena_free(&a);
	mem_free(packs);
	return rc;
}

int
packer_store(struct packer *p, struct db *db, uint64_t recording,
	     uint64_t *out_bytes, struct err *err)
{
	uint32_t *new_entries;
	struct arena a = { 0 };
	pack_vec packs = { 0 };
	size_t n_new = 0;
	int rc;

	if (p->entries.len == 0)
		return 0;
	for (size_t i = 0; i < p->entries.len; i++)
		p->entries.v[i].pack = p->entries.v[i].lost =
			(struct blob_id){ 0 };
	new_entries = mem_calloc(p->entries.len, sizeof(*new_entries));
	rc = lock_out_gc(db, err);
	if (rc == 0)
		rc = look_up(p, db, err);
	if (rc == 0) {
		make_packs(p, &a, &packs, new_entries, &n_new);
		rc = insert_packs(db, &packs, out_bytes, err);
	}
	if (rc == 0 && n_new)
		rc = heal(p, db, new_entries, n_new, err);
	if (rc == 0 && n_new)
		rc = insert_blobs(p, db, new_entries, n_new, err);
	if (rc == 0)
		rc = insert_refs(p, db, recording, err);
	vec_free(&packs);
	arena_free(&a);
	mem_free(new_entries);
	return rc;
}
