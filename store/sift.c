#include "store/sift.h"

#include "base/mem.h"
#include "base/vec.h"
#include "store/db.h"
#include "store/decoder.h"
#include "store/filter.h"

#define LOT 8u /* chunks that one request brings */

struct sift {
	struct db *db;
	uint64_t recording;
	const struct event_filter *filter;
	uint32_t cols;
	VEC(uint64_t) list;
	size_t asked; /* the lot that the server works on, from 0 */
	bool waiting;
	size_t lot; /* whose chunks are here; SIZE_MAX = none's */
	struct arena arena;
	struct db_rows rows;
	struct decoded_chunk some, whole;
};

struct sift *
sift_new(struct db *db, uint64_t recording, const struct event_filter *f)
{
	struct sift *s = mem_zalloc(sizeof(*s));

	s->db = db;
	s->recording = recording;
	s->filter = f;
	s->cols = filter_columns(f);
	return s;
}

void
sift_free(struct sift *s)
{
	if (!s)
		return;
	sift_idle(s);
	decoded_chunk_free(&s->some);
	decoded_chunk_free(&s->whole);
	arena_free(&s->arena);
	vec_free(&s->list);
	mem_free(s);
}

static int
ask(struct sift *s, size_t lot, struct err *err)
{
	size_t from = lot * LOT, n;
	int rc;

	if (from >= s->list.len)
		return 0;
	n = s->list.len - from < LOT ? s->list.len - from : LOT;
	rc = db_query_send(
		s->db,
		"select first_seq, n, codec, crc, data from "
		"pastime.chunk where recording = $1 and "
		"first_seq = any ($2)",
		DB_ARGS(DB_INT(s->recording), DB_INT8S(s->list.v + from, n)),
		err);
	s->waiting = rc == 0;
	s->asked = lot;
	return rc;
}

void
sift_idle(struct sift *s)
{
	struct db_rows rows;
	struct arena a = { 0 };

	if (s->waiting)
		db_query_wait(s->db, &a, &rows, NULL);
	s->waiting = false;
	arena_free(&a);
}

int
sift_list(struct sift *s, const uint64_t *first, size_t n, struct err *err)
{
	sift_idle(s);
	vec_clear(&s->list);
	for (size_t i = 0; i < n; i++)
		vec_push(&s->list, first[i]);
	s->lot = SIZE_MAX;
	return ask(s, 0, err);
}

/* That lot is here, and the server works on the next. */
static int
bring(struct sift *s, size_t lot, struct err *err)
{
	int rc = 0;

	while (rc == 0 && s->lot != lot) {
		if (!s->waiting)
			rc = ask(s, lot, err);
		if (rc < 0)
			break;
		s->waiting = false;
		arena_clear(&s->arena);
		s->rows = (struct db_rows){ 0 };
		rc = db_query_wait(s->db, &s->arena, &s->rows, err);
		s->lot = s->asked;
		if (rc == 0)
			rc = ask(s, s->asked + 1, err);
	}
	return rc;
}

static bool
find(const struct sift *s, uint64_t first, struct raw_chunk *out)
{
	for (size_t i = 0; i < s->rows.n; i++) {
		if ((uint64_t)db_get_int(&s->rows, i, 0) != first)
			continue;
		*out = (struct raw_chunk){
			.first_seq = first,
			.n = (uint64_t)db_get_int(&s->rows, i, 1),
			.codec = (uint32_t)db_get_int(&s->rows, i, 2),
			.crc = (uint64_t)db_get_int(&s->rows, i, 3),
			.data = db_get_bytes(&s->rows, i, 4),
		};
		return true;
	}
	return false;
}

static int
decode(struct sift *s, const struct raw_chunk *raw, uint32_t cols,
       struct decoded_chunk *to, struct err *err)
{
	struct err how = { 0 };
	int rc = decoded_chunk_some(to, raw, cols, &how);

	return rc < 0 ? chunk_damaged(s->recording, raw, how.text, err) : 0;
}

int
sift_get(struct sift *s, size_t i, struct chunk *out, struct err *err)
{
	struct raw_chunk raw;
	int rc = bring(s, i / LOT, err);

	if (rc < 0 || !find(s, s->list.v[i], &raw))
		return rc;
	if (s->cols) {
		rc = decode(s, &raw, s->cols, &s->some, err);
		if (rc < 0 || !filter_might(s->filter, s->some.ev, raw.n))
			return rc;
	}
	rc = decode(s, &raw, UINT32_MAX, &s->whole, err);
	*out = (struct chunk){ raw.first_seq, raw.n, s->whole.ev };
	return rc < 0 ? rc : 1;
}
