#include "event/memlog.h"

#include <criterion/criterion.h>

#include "event/codec.h"
#include "tests/unit/event_random.h"

#define N (2 * CHUNK_EVENTS + 100)

Test(event_memlog, events_come_back_in_order_and_after_a_seek)
{
	struct memlog *m = memlog_new();
	struct sink *sink = memlog_sink(m);
	struct source *source = memlog_source(m);
	struct event got, want;
	uint64_t s = 1;

	for (uint64_t i = 1; i <= N; i++) {
		struct event ev = random_event(&s, i);

		ev.payload = span_of(&i, sizeof(i));
		cr_assert_eq(sink_put(sink, &ev, NULL), 0);
	}
	cr_assert_eq(memlog_count(m), N);
	cr_assert_eq(source->ops->last_seq(source), 2 * CHUNK_EVENTS);
	cr_assert_eq(sink->ops->close(sink, NULL), 0);
	cr_assert_eq(source->ops->last_seq(source), N);

	s = 1;
	for (uint64_t i = 1; i <= N; i++) {
		want = random_event(&s, i);
		want.payload = span_of(&i, sizeof(i));
		cr_assert_eq(source_next(source, &got, NULL), 1);
		cr_assert(event_equal(&want, &got));
	}
	cr_assert_eq(source_next(source, &got, NULL), 0);
	cr_assert_eq(source_seek(source, 5, NULL), 0);
	cr_assert_eq(source_next(source, &got, NULL), 1);
	cr_assert_eq(got.seq, 5);
	cr_assert_eq(source_seek(source, N, NULL), 0);
	cr_assert_eq(source_next(source, &got, NULL), 1);
	cr_assert_eq(got.seq, N);
	cr_assert_eq(source_seek(source, N + 1, NULL), 0);
	cr_assert_eq(source_next(source, &got, NULL), 0);
	memlog_free(m);
}

Test(event_memlog, a_gap_in_the_numbers_is_refused)
{
	struct memlog *m = memlog_new();
	struct event ev = { .seq = 2 };

	cr_assert_lt(sink_put(memlog_sink(m), &ev, NULL), 0);
	memlog_free(m);
}

Test(event_memlog, large_contents_go_through_blobs)
{
	static uint8_t bytes[2 * BLOB_PIECE + 77];
	struct memlog *m = memlog_new();
	struct buf ids = { 0 }, payload = { 0 }, tmp = { 0 };
	struct blob_id none = { { 1 } };
	struct span got;
	struct item it;
	uint64_t s = 1;
	struct err err;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)random_u64(&s);
	cr_assert_eq(sink_blobs(memlog_sink(m), span_of(bytes, sizeof(bytes)),
				&ids, &err),
		     0, "%s", err.text);
	cr_assert_eq(ids.len, 3 * sizeof(struct blob_id));
	item_put_blobs(&payload, ITEM_MEM_BLOB, 0x1000, sizeof(bytes),
		       (const struct blob_id *)ids.p, 3);
	cr_assert(
		item_find(buf_span(&payload), ITEM_MEM_BLOB, UINT64_MAX, &it));
	cr_assert_eq(source_item_bytes(memlog_source(m), &it, &tmp, &got, &err),
		     0, "%s", err.text);
	cr_assert(span_eq(got, span_of(bytes, sizeof(bytes))));
	cr_assert_eq(source_blob(memlog_source(m), &none, &tmp, NULL),
		     -E_NOT_FOUND);
	buf_free(&ids);
	buf_free(&payload);
	buf_free(&tmp);
	memlog_free(m);
}
