#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "event/source.h"
#include "store/blob.h"
#include "store/checkpoint.h"
#include "store/db.h"
#include "store/query.h"
#include "tests/unit/store_fix.h"

TestSuite(store_checkpoint, .init = fix_db, .fini = fix_remove, .timeout = 120);

#define PAGE 4096u
#define BLOBS 500u /* several packs */
#define STATE (BLOB_PIECE + 100u)

/* Bytes that do not compress, the i-th blob of what. */
static void
fill(uint8_t *page, size_t n, unsigned what, unsigned i)
{
	unsigned short seed[3] = { (unsigned short)what, (unsigned short)i, 7 };

	for (size_t k = 0; k < n; k++)
		page[k] = (uint8_t)nrand48(seed);
}

static struct blob_id
page_of(unsigned what, unsigned i, uint8_t page[PAGE])
{
	struct blob_id id;

	fill(page, PAGE, what, i);
	blob_id_of(span_of(page, PAGE), &id);
	return id;
}

/* A checkpoint; of its blobs those of share are of an earlier one. */
static void
put_part(struct db *db, uint64_t rec, const struct source_stored at,
	 unsigned what, unsigned share)
{
	struct checkpoint_put *p = checkpoint_put_new(db, rec);
	uint8_t page[PAGE], *state = mem_alloc(STATE);

	for (unsigned i = 0; i < BLOBS; i++) {
		struct blob_id id = page_of(i < share ? 1 : what, i, page);

		must(checkpoint_put_blob(p, &id, span_of(page, PAGE),
					 &fix_err));
	}
	fill(state, STATE, what, BLOBS);
	must(checkpoint_put_done(p, &at, span_of(state, STATE), &fix_err));
	mem_free(state);
	checkpoint_put_free(p);
}

static void
put(struct db *db, uint64_t rec, uint64_t seq, unsigned what, unsigned share)
{
	const struct source_stored at = { seq, 0, seq * 10 };

	put_part(db, rec, at, what, share);
}

static void
check(struct source *src, uint64_t seq, unsigned what, unsigned share)
{
	struct blob_id ids[BLOBS];
	uint8_t page[PAGE], *state = mem_alloc(STATE);
	struct source_stored at;
	struct buf b = { 0 };
	size_t n = 0;

	cr_assert_eq(src->ops->stored(src, seq + 1, 0, &at, &fix_err), 1);
	cr_assert_eq(at.seq, seq);
	cr_assert_eq(at.work_ns, seq * 10);
	must(src->ops->stored_state(src, &at, &b, &fix_err));
	fill(state, STATE, what, BLOBS);
	cr_assert(span_eq(buf_span(&b), span_of(state, STATE)));
	for (unsigned i = 0; i < BLOBS; i++)
		ids[i] = page_of(i < share ? 1 : what, i, page);
	for (size_t i = 0; i < BLOBS; i++) {
		if (n == 0)
			must(src->ops->want(src, ids + i, BLOBS - i, &n,
					    &fix_err));
		cr_assert_gt(n--, 0);
		page_of(i < share ? 1 : what, (unsigned)i, page);
		buf_clear(&b);
		must(source_blob(src, &ids[i], &b, &fix_err));
		cr_assert(span_eq(buf_span(&b), span_of(page, PAGE)));
	}
	buf_free(&b);
	mem_free(state);
}

static struct source *
open_source(struct db *db, uint64_t rec)
{
	struct source *src = NULL;

	must(store_source_open(db, rec, &src, &fix_err));
	return src;
}

Test(store_checkpoint, what_is_put_comes_back)
{
	uint64_t rec = fix_record("x", 2, 100);
	struct db *db = fix_connect();
	struct source_stored at;
	struct source *src;

	put(db, rec, 20, 1, 0);
	put(db, rec, 60, 2, BLOBS - 10);
	src = open_source(db, rec);
	cr_assert_eq(src->ops->stored(src, 19, 0, &at, &fix_err), 0);
	check(src, 20, 1, 0);
	check(src, 60, 2, BLOBS - 10);
	src->ops->close(src);
	/* What they share is stored once. */
	cr_assert_lt(fix_sql(db, "select bytes from pastime.checkpoint "
				 "where seq = 60"),
		     fix_sql(db, "select bytes / 3 from pastime.checkpoint "
				 "where seq = 20"));
	store_close(db);
}

Test(store_checkpoint, another_at_the_same_event_takes_its_place)
{
	uint64_t rec = fix_record("x", 2, 100);
	struct db *db = fix_connect();
	struct source *src;

	put(db, rec, 20, 1, 0);
	put(db, rec, 20, 3, 0);
	src = open_source(db, rec);
	check(src, 20, 3, 0);
	src->ops->close(src);
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.checkpoint"), 1);
	store_close(db);
}

Test(store_checkpoint, parts_of_the_code_behind_an_event_come_after_it)
{
	const struct source_stored parts[] = { { 20, 1, 210 }, { 20, 2, 220 } };
	uint64_t rec = fix_record("x", 2, 100);
	struct db *db = fix_connect();
	struct source_stored at;
	struct source *src;

	put_part(db, rec, parts[1], 2, 0);
	put_part(db, rec, parts[0], 3, 0);
	put(db, rec, 20, 1, 0);
	src = open_source(db, rec);
	cr_assert_eq(src->ops->stored(src, 20, 0, &at, &fix_err), 1);
	cr_assert_eq(at.part, 0);
	cr_assert_eq(src->ops->stored(src, 20, 1, &at, &fix_err), 1);
	cr_assert_eq(at.work_ns, 210);
	cr_assert_eq(src->ops->stored(src, 20, UINT64_MAX, &at, &fix_err), 1);
	cr_assert_eq(at.part, 2);
	cr_assert_eq(src->ops->stored(src, 21, 0, &at, &fix_err), 1);
	cr_assert_eq(at.part, 2);
	src->ops->close(src);
	store_close(db);
}

Test(store_checkpoint, those_of_another_version_are_not_offered)
{
	uint64_t rec = fix_record("x", 2, 100);
	struct db *db = fix_connect();
	struct source_stored at;
	struct source *src;

	put(db, rec, 20, 1, 0);
	must(db_exec(db, "update pastime.checkpoint set version = version + 1",
		     &fix_err));
	src = open_source(db, rec);
	cr_assert_eq(src->ops->stored(src, 90, 0, &at, &fix_err), 0);
	src->ops->close(src);
	store_close(db);
}

Test(store_checkpoint, dropping_them_leaves_what_the_recording_needs)
{
	uint64_t rec = fix_record("x", 2, 100), n = 0, blobs, bytes;
	struct db *db = fix_connect();
	int64_t packs = fix_sql(db, "select count(*) from pastime.pack");

	put(db, rec, 20, 1, 0);
	put(db, rec, 60, 2, 5);
	cr_assert_gt(fix_sql(db, "select count(*) from pastime.pack"), packs);
	must(query_gc(db, &blobs, &bytes, &fix_err));
	cr_assert_eq(blobs, 0);
	must(checkpoint_drop_stored(db, rec, &n, &fix_err));
	cr_assert_eq(n, 2);
	must(query_gc(db, &blobs, &bytes, &fix_err));
	cr_assert_gt(blobs, BLOBS);
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.pack"), packs);
	fix_check(db, rec, 2, 100);
	store_close(db);
}

Test(store_checkpoint, one_whose_blobs_are_lost_is_an_error)
{
	uint64_t rec = fix_record("x", 2, 100);
	struct source_stored at = { .seq = 20 };
	struct db *db = fix_connect();
	struct buf b = { 0 };
	struct source *src;

	put(db, rec, 20, 1, 0);
	must(db_exec(db, "delete from pastime.pack", &fix_err));
	src = open_source(db, rec);
	cr_assert_eq(src->ops->stored_state(src, &at, &b, &fix_err), -E_FORMAT);
	at.seq++;
	cr_assert_eq(src->ops->stored_state(src, &at, &b, &fix_err), -E_FORMAT);
	src->ops->close(src);
	buf_free(&b);
	store_close(db);
}
