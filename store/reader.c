#include "store/reader.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/vec.h"
#include "event/source.h"
#include "store/blob.h"
#include "store/checkpoint.h"
#include "store/db.h"
#include "store/decoder.h"
#include "store/store.h"

#define HELD 8	/* decoded chunks */
#define AHEAD 8 /* chunks that one request brings */

struct held {
	struct chunk chunk; /* ev: NULL: there is none */
	struct decoded_chunk decoded;
	uint64_t used;
	bool lent; /* to the decoder */
};

struct chunk_reader {
	struct db *db;
	uint64_t recording;
	struct held held[HELD];
	uint64_t clock;
	struct decoder *decoder;
	/* What was fetched and not decoded yet, in order; from next_raw on. */
	struct arena arena;
	VEC(struct raw_chunk) raws;
	size_t next_raw;
	uint64_t behind; /* the event behind the last one that was fetched */
	bool asked;	 /* a request is under way */
	bool dry;	 /* the last one brought nothing */
};

struct chunk_reader *
chunk_reader_new(struct db *db, uint64_t recording)
{
	struct chunk_reader *r = mem_zalloc(sizeof(*r));

	r->db = db;
	r->recording = recording;
	r->decoder = decoder_new();
	return r;
}

void
chunk_reader_free(struct chunk_reader *r)
{
	if (!r)
		return;
	chunk_reader_idle(r, NULL);
	decoder_free(r->decoder);
	for (size_t i = 0; i < HELD; i++)
		decoded_chunk_free(&r->held[i].decoded);
	arena_free(&r->arena);
	vec_free(&r->raws);
	mem_free(r);
}

static const char next_chunks[] =
	"select first_seq, n, codec, crc, data from pastime.chunk "
	"where recording = $1 and first_seq >= $2 "
	"order by first_seq limit $3";

static int
ask(struct chunk_reader *r, uint64_t from, uint64_t n, struct err *err)
{
	int rc = db_query_send(
		r->db, next_chunks,
		DB_ARGS(DB_INT(r->recording), DB_INT(from), DB_INT(n)), err);

	r->asked = rc == 0;
	return rc;
}

/* Wait for what was asked for; it replaces what was fetched before. */
static int
take(struct chunk_reader *r, struct err *err)
{
	struct db_rows rows;
	int rc;

	r->asked = false;
	arena_clear(&r->arena);
	vec_clear(&r->raws);
	r->next_raw = 0;
	rc = db_query_wait(r->db, &r->arena, &rows, err);
	for (size_t i = 0; rc == 0 && i < rows.n; i++) {
		struct raw_chunk raw = {
			.first_seq = (uint64_t)db_get_int(&rows, i, 0),
			.n = (uint64_t)db_get_int(&rows, i, 1),
			.codec = (uint32_t)db_get_int(&rows, i, 2),
			.crc = (uint64_t)db_get_int(&rows, i, 3),
			.data = db_get_bytes(&rows, i, 4),
		};

		vec_push(&r->raws, raw);
		r->behind = raw.first_seq + raw.n;
	}
	r->dry = r->raws.len == 0;
	return rc;
}

int
chunk_reader_idle(struct chunk_reader *r, struct err *err)
{
	return r->asked ? take(r, err) : 0;
}

static bool
has(uint64_t first, uint64_t n, uint64_t seq)
{
	return seq >= first && seq - first < n;
}

static struct held *
find_held(struct chunk_reader *r, uint64_t seq)
{
	for (size_t i = 0; i < HELD; i++) {
		struct held *h = &r->held[i];

		if (h->chunk.ev && has(h->chunk.first_seq, h->chunk.n, seq))
			return h;
	}
	return NULL;
}

int
chunk_damaged(uint64_t recording, const struct raw_chunk *raw, const char *how,
	      struct err *err)
{
	err_set(err, E_FORMAT,
		"recording %lu is damaged in the database: events %lu to %lu "
		"%s",
		(unsigned long)recording, (unsigned long)raw->first_seq,
		(unsigned long)(raw->first_seq + raw->n - 1), how);
	err_hint(err, "everything before e%lu is usable",
		 (unsigned long)raw->first_seq);
	return -E_FORMAT;
}

/* The one that has not been used for longest, to be filled. */
static struct held *
free_held(struct chunk_reader *r)
{
	struct held *h = NULL;

	for (size_t i = 0; i < HELD; i++)
		if (!r->held[i].lent && (!h || r->held[i].used < h->used))
			h = &r->held[i];
	h->chunk = (struct chunk){ 0 };
	return h;
}

static void
set_held(struct held *h, const struct raw_chunk *raw)
{
	h->chunk.first_seq = raw->first_seq;
	h->chunk.n = raw->n;
	h->chunk.ev = h->decoded.ev;
}

static int
decode(struct chunk_reader *r, const struct raw_chunk *raw, struct held **out,
       struct err *err)
{
	struct held *h = free_held(r);
	struct err how = { 0 };

	if (decoded_chunk_fill(&h->decoded, raw, &how) < 0)
		return chunk_damaged(r->recording, raw, how.text, err);
	set_held(h, raw);
	*out = h;
	return 0;
}

/* The oldest that the decoder has. */
static int
take_decoded(struct chunk_reader *r, struct held **out, struct err *err)
{
	const struct raw_chunk raw = *decoder_oldest(r->decoder);
	struct decoded_chunk *to;
	struct err how;
	struct held *h = r->held;
	int rc = decoder_take(r->decoder, &to, &how);

	while (&h->decoded != to)
		h++;
	h->lent = false;
	if (rc < 0)
		return chunk_damaged(r->recording, &raw, how.text, err);
	set_held(h, &raw);
	*out = h;
	return 0;
}

static void
give_ahead(struct chunk_reader *r)
{
	while (r->next_raw < r->raws.len &&
	       decoder_given(r->decoder) < DECODER_DEPTH) {
		struct held *h = free_held(r);

		h->lent = true;
		decoder_give(r->decoder, &r->raws.v[r->next_raw++],
			     &h->decoded);
	}
}

/* Have the decoder work on those that come next, and the server on those behind
 * the last one that is here. */
static int
go_ahead(struct chunk_reader *r, struct err *err)
{
	int rc = 0;

	give_ahead(r);
	if (r->asked && decoder_given(r->decoder) < DECODER_DEPTH) {
		rc = take(r, err);
		give_ahead(r);
	}
	return rc == 0 && !r->asked && !r->dry && r->next_raw == r->raws.len
		       ? ask(r, r->behind, AHEAD, err)
		       : rc;
}

/* The fetched chunk that has seq, or NULL. */
static const struct raw_chunk *
find_raw(struct chunk_reader *r, uint64_t seq)
{
	for (size_t i = r->next_raw; i < r->raws.len; i++) {
		if (has(r->raws.v[i].first_seq, r->raws.v[i].n, seq)) {
			r->next_raw = i + 1;
			return &r->raws.v[i];
		}
	}
	return NULL;
}

/* Where the chunk begins that has seq; 0 = there is none. */
static int
locate(struct chunk_reader *r, uint64_t seq, uint64_t *out, struct err *err)
{
	struct arena a = { 0 };
	struct db_rows rows;
	int rc;

	rc = db_query(r->db,
		      "select first_seq from pastime.chunk where "
		      "recording = $1 and first_seq <= $2 "
		      "order by first_seq desc limit 1",
		      DB_ARGS(DB_INT(r->recording), DB_INT(seq)), &a, &rows,
		      err);
	if (rc == 0)
		*out = rows.n ? (uint64_t)db_get_int(&rows, 0, 0) : 0;
	arena_free(&a);
	return rc;
}

static int
fetch(struct chunk_reader *r, uint64_t seq, bool sequential,
      const struct raw_chunk **out, struct err *err)
{
	uint64_t first = 0;
	int rc = 0;

	*out = find_raw(r, seq);
	if (!*out && r->asked) {
		rc = take(r, err);
		if (rc == 0)
			*out = find_raw(r, seq);
	}
	if (rc < 0 || *out)
		return rc;
	rc = locate(r, seq, &first, err);
	if (rc == 0 && first)
		rc = ask(r, first, sequential ? 2 : 1, err);
	if (rc == 0 && first)
		rc = take(r, err);
	if (rc == 0 && first)
		*out = find_raw(r, seq);
	return rc;
}

/* As far as the decoder has it; those before it are not wanted any more. */
static int
find_decoded(struct chunk_reader *r, uint64_t seq, struct held **out,
	     struct err *err)
{
	int rc = 0;

	*out = NULL;
	while (!*out && decoder_given(r->decoder) > 0) {
		const struct raw_chunk *raw = decoder_oldest(r->decoder);
		bool wanted = has(raw->first_seq, raw->n, seq);
		struct held *h = NULL;

		rc = take_decoded(r, &h, wanted ? err : NULL);
		if (wanted && rc < 0)
			return rc;
		if (wanted)
			*out = h;
	}
	return 0;
}

int
chunk_reader_get(struct chunk_reader *r, uint64_t seq, bool sequential,
		 struct chunk *out, struct err *err)
{
	struct held *h = find_held(r, seq);
	const struct raw_chunk *raw = NULL;
	bool fresh = !h;
	int rc = h ? 0 : find_decoded(r, seq, &h, err);

	if (rc == 0 && !h) {
		rc = fetch(r, seq, sequential, &raw, err);
		if (rc < 0 || !raw)
			return rc;
		rc = decode(r, raw, &h, err);
	}
	if (rc < 0)
		return rc;
	h->used = ++r->clock;
	*out = h->chunk;
	rc = sequential && fresh ? go_ahead(r, err) : 0;
	return rc < 0 ? rc : 1;
}

/* ---- struct source over it */

struct store_source {
	struct source source;
	struct db *db;
	struct chunk_reader *reader;
	struct blob_cache *blobs;
	uint64_t recording;
	uint64_t next; /* seq */
	struct chunk chunk;
	uint64_t last; /* what last_seq said */
	bool ended;
	struct source_stored *stored; /* NULL: not looked up yet */
	size_t n_stored;
};

static struct store_source *
of_source(struct source *s)
{
	return (struct store_source *)((char *)s -
				       offsetof(struct store_source, source));
}

static uint64_t
source_last(struct source *source)
{
	struct store_source *s = of_source(source);
	struct arena a = { 0 };
	struct db_rows r;

	if (s->ended || chunk_reader_idle(s->reader, NULL) < 0)
		return s->last;
	if (db_query(s->db,
		     "select events, ended <> 0 from pastime.recording "
		     "where recording = $1",
		     DB_ARGS(DB_INT(s->recording)), &a, &r, NULL) == 0 &&
	    r.n) {
		s->last = (uint64_t)db_get_int(&r, 0, 0);
		s->ended = db_get_int(&r, 0, 1);
	}
	arena_free(&a);
	return s->last;
}

static int
source_have(struct source *source, const struct event **out, size_t *out_n,
	    struct err *err)
{
	struct store_source *s = of_source(source);
	int rc;

	if (!has(s->chunk.first_seq, s->chunk.n, s->next)) {
		if (s->ended && s->next > s->last)
			return 0;
		rc = chunk_reader_get(s->reader, s->next, true, &s->chunk, err);
		if (rc < 0)
			return rc;
		if (rc == 0) {
			if (source_last(source) <= s->next)
				return 0;
			return err_set(err, E_FORMAT,
				       "recording %lu lacks event %lu in the "
				       "database",
				       (unsigned long)s->recording,
				       (unsigned long)s->next);
		}
	}
	*out = &s->chunk.ev[s->next - s->chunk.first_seq];
	*out_n = (size_t)(s->chunk.first_seq + s->chunk.n - s->next);
	return 1;
}

static int
source_get(struct source *source, struct event *out, struct err *err)
{
	const struct event *ev;
	size_t n;
	int rc = source_have(source, &ev, &n, err);

	if (rc <= 0)
		return rc;
	*out = *ev;
	of_source(source)->next++;
	return 1;
}

static int
source_goto(struct source *source, uint64_t seq, struct err *err)
{
	(void)err;
	of_source(source)->next = seq ? seq : 1;
	return 0;
}

static int
source_get_blob(struct source *source, const struct blob_id *id,
		struct buf *out, struct err *err)
{
	struct store_source *s = of_source(source);
	int rc = chunk_reader_idle(s->reader, err);

	return rc < 0 ? rc : blob_cache_get(s->blobs, id, out, err);
}

static int
source_want(struct source *source, const struct blob_id *ids, size_t n,
	    size_t *out_n, struct err *err)
{
	struct store_source *s = of_source(source);
	int rc = chunk_reader_idle(s->reader, err);

	return rc < 0 ? rc : blob_cache_want(s->blobs, ids, n, out_n, err);
}

/* They are looked up once: new ones come while a recording is indexed, and who
 * replays it then can do without. */
static int
source_stored(struct source *source, uint64_t seq, uint64_t part,
	      struct source_stored *out, struct err *err)
{
	struct store_source *s = of_source(source);
	const struct source_stored *best = NULL;
	int rc = 0;

	if (!s->stored) {
		rc = chunk_reader_idle(s->reader, err);
		if (rc == 0)
			rc = checkpoint_list(s->db, s->recording, &s->stored,
					     &s->n_stored, err);
	}
	for (size_t i = 0; rc == 0 && i < s->n_stored; i++) {
		if (!source_stored_after(&s->stored[i], seq, part))
			best = &s->stored[i];
	}
	if (best)
		*out = *best;
	return rc < 0 ? rc : best != NULL;
}

static int
source_stored_state(struct source *source, const struct source_stored *at,
		    struct buf *out, struct err *err)
{
	struct store_source *s = of_source(source);
	int rc = chunk_reader_idle(s->reader, err);

	return rc < 0 ? rc
		      : checkpoint_state(s->db, s->blobs, s->recording, at, out,
					 err);
}

static void
source_close(struct source *source)
{
	struct store_source *s = of_source(source);

	chunk_reader_free(s->reader);
	blob_cache_free(s->blobs);
	mem_free(s->stored);
	db_close(s->db);
	mem_free(s);
}

static const struct source_ops source_ops = {
	.next = source_get,
	.look = source_have,
	.seek = source_goto,
	.blob = source_get_blob,
	.want = source_want,
	.last_seq = source_last,
	.stored = source_stored,
	.stored_state = source_stored_state,
	.close = source_close,
};

int
store_source_open(struct db *db, uint64_t recording, struct source **out,
		  struct err *err)
{
	struct store_source *s = mem_zalloc(sizeof(*s));
	int rc;

	s->source.ops = &source_ops;
	s->recording = recording;
	s->next = 1;
	rc = db_connect(db_conninfo(db), &s->db, err);
	if (rc < 0) {
		mem_free(s);
		return rc;
	}
	s->reader = chunk_reader_new(s->db, recording);
	s->blobs = blob_cache_new(s->db);
	source_last(&s->source);
	*out = &s->source;
	return 0;
}
