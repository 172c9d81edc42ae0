#include <criterion/criterion.h>
#include <stdlib.h>

#include "event/source.h"
#include "store/db.h"
#include "tests/unit/event_random.h"
#include "tests/unit/store_fix.h"
#include "tests/unit/store_gen.h"

TestSuite(store_reader, .init = fix_db, .fini = fix_remove, .timeout = 120);

#define N 40000u

static struct source *
open_source(struct db *db, uint64_t rec)
{
	struct source *src = NULL;

	must(store_source_open(db, rec, &src, &fix_err));
	return src;
}

static void
expect_seq(struct source *src, uint64_t seq)
{
	struct event ev;

	must(source_seek(src, seq, &fix_err));
	cr_assert_eq(source_next(src, &ev, &fix_err), 1, "%lu: %s",
		     (unsigned long)seq, fix_err.text);
	cr_assert_eq(ev.seq, seq);
}

Test(store_reader, seeking_finds_any_event)
{
	uint64_t rec = fix_record("x", 2, N);
	struct db *db = fix_connect();
	struct source *src = open_source(db, rec);
	struct event ev;

	cr_assert_eq(src->ops->last_seq(src), N);
	for (uint64_t i = 0; i < 300; i++)
		expect_seq(src, 1 + i * 7919 * 13 % N);
	expect_seq(src, N);
	cr_assert_eq(source_next(src, &ev, &fix_err), 0);
	must(source_seek(src, N + 1, &fix_err));
	cr_assert_eq(source_next(src, &ev, &fix_err), 0);
	must(source_seek(src, 0, &fix_err));
	cr_assert_eq(source_next(src, &ev, &fix_err), 1);
	cr_assert_eq(ev.seq, 1);
	src->ops->close(src);
	store_close(db);
}

/* Reads from event 1; returns how many came, *rc what ended it. */
static uint64_t
read_all(struct source *src, int *rc)
{
	struct event ev;
	uint64_t n = 0;

	must(source_seek(src, 1, &fix_err));
	while ((*rc = source_next(src, &ev, &fix_err)) > 0)
		n++;
	return n;
}

/* Jumps to and fro amid of what is decoded ahead. */
Test(store_reader, reading_on_from_anywhere_gives_what_follows)
{
	uint64_t rec = fix_record("x", 2, N), s = 5;
	struct db *db = fix_connect();
	struct source *src = open_source(db, rec),
		      *plain = open_source(db, rec);
	const struct event *ev;
	struct event want;
	size_t n;

	for (int i = 0; i < 40; i++) {
		uint64_t at = 1 + random_u64(&s) % N;
		uint64_t upto = at + random_u64(&s) % (N / 2);

		must(source_seek(plain, at, &fix_err));
		for (; at <= upto && at <= N; at += n) {
			must(source_seek(src, at, &fix_err));
			cr_assert_eq(source_look(src, &ev, &n, &fix_err), 1);
			cr_assert_eq(ev->seq, at);
			for (size_t k = 0; k < n; k++) {
				cr_assert_eq(source_next(plain, &want, NULL),
					     1);
				cr_assert(event_equal(&want, &ev[k]));
			}
		}
	}
	must(source_seek(src, N + 1, &fix_err));
	cr_assert_eq(source_look(src, &ev, &n, &fix_err), 0);
	src->ops->close(src);
	plain->ops->close(plain);
	store_close(db);
}

static void
damage(struct db *db, const char *sql)
{
	must(db_exec(db, sql, &fix_err));
}

static uint64_t
third_chunk(struct db *db)
{
	return (uint64_t)fix_sql(db, "select first_seq from pastime.chunk "
				     "order by first_seq offset 2 limit 1");
}

/* What comes before the damage is read, then it is named, and what lies
 * behind can still be reached. */
static void
check_damage(const char *sql, const char *text)
{
	uint64_t rec = fix_record("x", 2, N), first;
	struct db *db = fix_connect();
	struct source *src;
	int rc;

	first = third_chunk(db);
	damage(db, sql);
	src = open_source(db, rec);
	cr_assert_eq(read_all(src, &rc), first - 1);
	cr_assert_eq(rc, -E_FORMAT);
	cr_assert_not_null(strstr(fix_err.text, text), "%s", fix_err.text);
	expect_seq(src, first - 1);
	expect_seq(src, N);
	src->ops->close(src);
	store_close(db);
}

#define THIRD                                                                  \
	" where first_seq = (select first_seq from pastime.chunk "             \
	"order by first_seq offset 2 limit 1)"

Test(store_reader, a_chunk_with_a_changed_byte_is_named)
{
	check_damage("update pastime.chunk set data = set_byte(data, 100, "
		     "get_byte(data, 100) # 1)" THIRD,
		     "wrong checksum");
}

Test(store_reader, a_chunk_with_a_changed_byte_and_checksum_is_named)
{
	/* crc of nothing, XXH3-64 with seed 0. */
	check_damage("update pastime.chunk set data = '', "
		     "crc = 3244421341483603138" THIRD,
		     "damaged");
}

Test(store_reader, a_truncated_chunk_is_named)
{
	check_damage("update pastime.chunk set data = "
		     "substring(data for 500)" THIRD,
		     "wrong checksum");
}

Test(store_reader, a_missing_chunk_is_named)
{
	check_damage("delete from pastime.chunk" THIRD, "lacks event");
}

Test(store_reader, a_chunk_whose_index_lies_is_named)
{
	check_damage("update pastime.chunk set n = n - 1" THIRD,
		     "contradict their index");
}

Test(store_reader, a_chunk_of_a_newer_form_is_named)
{
	check_damage("update pastime.chunk set codec = 77" THIRD, "newer");
}

static struct blob_id
record_blobs(void)
{
	struct sink *s = fix_open("x");
	struct blob_id id, other;

	must(sink_blob(s, span_str("some contents"), &id, &fix_err));
	must(sink_blob(s, span_str("other contents"), &other, &fix_err));
	fix_put(s, 1, 1, 10);
	must(s->ops->close(s, &fix_err));
	return id;
}

static void
check_blob_damage(const char *sql, const char *text)
{
	struct blob_id id = record_blobs();
	struct db *db = fix_connect();
	struct buf got = { 0 };
	struct source *src;

	damage(db, sql);
	src = open_source(db, 1);
	cr_assert_eq(source_blob(src, &id, &got, &fix_err), -E_FORMAT);
	cr_assert_not_null(strstr(fix_err.text, text), "%s", fix_err.text);
	cr_assert_eq(got.len, 0);
	/* Events do not depend on it. */
	expect_seq(src, 10);
	src->ops->close(src);
	store_close(db);
}

Test(store_reader, a_blob_with_a_changed_byte_is_named)
{
	check_blob_damage("update pastime.pack set codec = 0, data = "
			  "set_byte(data, 3, get_byte(data, 3) # 1)",
			  "damaged");
}

Test(store_reader, a_missing_pack_is_named)
{
	check_blob_damage("delete from pastime.pack", "lacks contents");
}

Test(store_reader, a_blob_outside_its_pack_is_named)
{
	check_blob_damage("update pastime.blob set at = 1000000", "damaged");
}

Test(store_reader, the_fault_point_makes_a_blob_fail)
{
	setenv("PASTIME_FAULT", "blob_read:1", 1);
	check_blob_damage("select 1", "damaged");
}

Test(store_reader, two_sources_read_at_the_same_time)
{
	uint64_t rec = fix_record("x", 2, N);
	struct db *db = fix_connect();
	struct source *a = open_source(db, rec), *b = open_source(db, rec);
	struct event ea, eb;

	for (uint64_t i = 1; i <= N; i++) {
		cr_assert_eq(source_next(a, &ea, &fix_err), 1);
		cr_assert_eq(source_next(b, &eb, &fix_err), 1);
		cr_assert(event_equal(&ea, &eb));
	}
	a->ops->close(a);
	b->ops->close(b);
	store_close(db);
}
