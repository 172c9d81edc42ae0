#include "store/checkpoint.h"

#include <string.h>

#include "base/mem.h"
#include "store/blob.h"
#include "store/blobset.h"
#include "store/db.h"
#include "store/pack.h"

#define WAITING_MAX (16u << 20) /* bytes of blobs on their way */
#define STATE_MAX (1u << 30)

struct checkpoint_put {
	struct db *db;
	uint64_t rec;
	struct packer *packer;
	struct blobset sent; /* by this one; most of them come again */
	uint64_t bytes;	     /* stored for the next checkpoint */
};

struct checkpoint_put *
checkpoint_put_new(struct db *db, uint64_t rec)
{
	struct checkpoint_put *p = mem_zalloc(sizeof(*p));

	p->db = db;
	p->rec = rec;
	p->packer = packer_new();
	packer_for_index(p->packer);
	return p;
}

void
checkpoint_put_free(struct checkpoint_put *p)
{
	if (!p)
		return;
	packer_free(p->packer);
	blobset_free(&p->sent);
	mem_free(p);
}

void
checkpoint_put_cancel(struct checkpoint_put *p)
{
	packer_clear(p->packer);
	blobset_clear(&p->sent);
	p->bytes = 0;
}

/* In a transaction: what waits, and row, when there is one. */
static int
store(struct checkpoint_put *p, const struct source_stored *at,
      const struct blob_id *state, size_t n, size_t len, struct err *err)
{
	uint64_t bytes = p->bytes;
	int rc = db_begin(p->db, err);

	if (rc == 0)
		rc = packer_lock(p->db, err);
	if (rc == 0)
		rc = packer_store(p->packer, p->db, p->rec, &bytes, err);
	if (rc == 0 && at)
		rc = db_query(
			p->db,
			"insert into pastime.checkpoint (recording, "
			"seq, version, work_ns, state, state_len, bytes, "
			"part) values ($1, $2, $3, $4, $5, $6, $7, $8) "
			"on conflict (recording, seq, part) do update set "
			"version = excluded.version, "
			"work_ns = excluded.work_ns, "
			"state = excluded.state, "
			"state_len = excluded.state_len, "
			"bytes = pastime.checkpoint.bytes + "
			"excluded.bytes, made = pg_catalog.now()",
			DB_ARGS(DB_INT(p->rec), DB_INT(at->seq),
				DB_INT(SOURCE_STORED_VERSION),
				DB_INT(at->work_ns), DB_UUIDS(state, n),
				DB_INT(len), DB_INT(bytes), DB_INT(at->part)),
			NULL, NULL, err);
	if (rc == 0)
		rc = db_commit(p->db, err);
	if (rc < 0) {
		db_rollback(p->db);
		packer_rolled_back(p->packer);
		return rc;
	}
	packer_clear(p->packer);
	p->bytes = at ? 0 : bytes;
	return 0;
}

int
checkpoint_put_blob(struct checkpoint_put *p, const struct blob_id *id,
		    struct span bytes, struct err *err)
{
	if (!blobset_add(&p->sent, id, 0, NULL))
		return 0;
	packer_add(p->packer, id, bytes);
	return packer_bytes(p->packer) < WAITING_MAX
		       ? 0
		       : store(p, NULL, NULL, 0, 0, err);
}

int
checkpoint_put_done(struct checkpoint_put *p, const struct source_stored *at,
		    struct span state, struct err *err)
{
	size_t n = (state.len + BLOB_PIECE - 1) / BLOB_PIECE;
	struct blob_id *ids = mem_calloc(n + 1, sizeof(*ids));
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++) {
		size_t from = i * BLOB_PIECE, left = state.len - from;
		struct span piece = span_of(
			state.p + from, left < BLOB_PIECE ? left : BLOB_PIECE);

		blob_id_of(piece, &ids[i]);
		rc = checkpoint_put_blob(p, &ids[i], piece, err);
	}
	if (rc == 0)
		rc = store(p, at, ids, n, state.len, err);
	mem_free(ids);
	return rc;
}

int
checkpoint_list(struct db *db, uint64_t rec, struct source_stored **out,
		size_t *n, struct err *err)
{
	struct arena a = { 0 };
	struct db_rows r;
	int rc;

	rc = db_query(db,
		      "select seq, work_ns, part from pastime.checkpoint "
		      "where recording = $1 and version = $2 "
		      "order by seq, part",
		      DB_ARGS(DB_INT(rec), DB_INT(SOURCE_STORED_VERSION)), &a,
		      &r, err);
	if (rc == 0) {
		*out = mem_calloc(r.n + 1, sizeof(**out));
		*n = r.n;
		for (size_t i = 0; i < r.n; i++) {
			(*out)[i].seq = (uint64_t)db_get_int(&r, i, 0);
			(*out)[i].work_ns = (uint64_t)db_get_int(&r, i, 1);
			(*out)[i].part = (uint64_t)db_get_int(&r, i, 2);
		}
	}
	arena_free(&a);
	return rc;
}

int
checkpoint_state(struct db *db, struct blob_cache *blobs, uint64_t rec,
		 const struct source_stored *at, struct buf *out,
		 struct err *err)
{
	struct arena a = { 0 };
	struct blob_id id;
	struct db_rows r;
	int rc;

	rc = db_query(db,
		      "select u.id, c.state_len from pastime.checkpoint c, "
		      "pg_catalog.unnest(c.state) with ordinality as u (id, n) "
		      "where c.recording = $1 and c.seq = $2 and c.part = $3 "
		      "order by u.n",
		      DB_ARGS(DB_INT(rec), DB_INT(at->seq), DB_INT(at->part)),
		      &a, &r, err);
	if (rc == 0 && (r.n == 0 || db_get_int(&r, 0, 1) > STATE_MAX))
		rc = err_set(err, E_FORMAT,
			     "the checkpoint at e%lu is not in the database "
			     "any more",
			     (unsigned long)at->seq);
	for (size_t i = 0; rc == 0 && i < r.n; i++) {
		memcpy(id.b, db_get_bytes(&r, i, 0).p, sizeof(id.b));
		rc = blob_cache_get(blobs, &id, out, err);
	}
	arena_free(&a);
	return rc;
}

int
checkpoint_drop_stored(struct db *db, uint64_t rec, uint64_t *out_n,
		       struct err *err)
{
	struct db_rows r = { 0 };
	int rc = db_begin(db, err);

	if (rc == 0)
		rc = db_query(db,
			      "delete from pastime.recording_pack "
			      "where recording = $1 and indexed",
			      DB_ARGS(DB_INT(rec)), NULL, NULL, err);
	if (rc == 0)
		rc = db_query(db,
			      "delete from pastime.checkpoint "
			      "where recording = $1",
			      DB_ARGS(DB_INT(rec)), NULL, &r, err);
	if (rc == 0)
		rc = db_commit(db, err);
	if (rc < 0)
		db_rollback(db);
	else
		*out_n = r.affected;
	return rc;
}
