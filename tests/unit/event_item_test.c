#include "event/item.h"

#include <criterion/criterion.h>

#include "tests/unit/event_random.h"

static struct item
only_item(struct buf *b)
{
	struct item_reader ir;
	struct item it, more;
	struct err err;

	item_reader_init(&ir, buf_span(b));
	cr_assert_eq(item_next(&ir, &it, &err), 1, "%s", err.text);
	cr_assert_eq(item_next(&ir, &more, &err), 0);
	return it;
}

Test(event_item, memory_comes_back)
{
	struct buf b = { 0 };
	struct item it;

	item_put_mem(&b, 0x7fff00001234, span_str("hello"));
	it = only_item(&b);
	cr_assert_eq(it.kind, ITEM_MEM);
	cr_assert_eq(it.addr, 0x7fff00001234);
	cr_assert_eq(it.len, 5);
	cr_assert(span_eq(it.bytes, span_str("hello")));

	buf_clear(&b);
	item_put_mem_task(&b, 9, 0x1000, span_str("x"));
	it = only_item(&b);
	cr_assert_eq(it.kind, ITEM_MEM_TASK);
	cr_assert_eq(it.num, 9);
	cr_assert_eq(it.addr, 0x1000);
	cr_assert_eq(it.len, 1);

	buf_clear(&b);
	item_put_zero(&b, 0x2000, 1ull << 40);
	it = only_item(&b);
	cr_assert_eq(it.kind, ITEM_ZERO);
	cr_assert_eq(it.addr, 0x2000);
	cr_assert_eq(it.len, 1ull << 40);

	buf_clear(&b);
	item_put_region(&b, 0x3000, 0x1000, UINT64_MAX);
	it = only_item(&b);
	cr_assert_eq(it.kind, ITEM_REGION);
	cr_assert_eq(it.num, UINT64_MAX);
	buf_free(&b);
}

Test(event_item, blobs_carry_as_many_ids_as_their_length_needs)
{
	struct blob_id ids[3];
	struct buf b = { 0 };
	struct item it;
	struct item_reader ir;

	memset(ids, 7, sizeof(ids));
	item_put_blobs(&b, ITEM_MEM_BLOB, 0x1000, 2 * BLOB_PIECE + 1, ids, 3);
	it = only_item(&b);
	cr_assert_eq(it.kind, ITEM_MEM_BLOB);
	cr_assert_eq(it.len, 2 * BLOB_PIECE + 1);
	cr_assert(span_eq(it.bytes, span_of(ids, sizeof(ids))));

	buf_clear(&b);
	item_put_blobs(&b, ITEM_IN_BLOB, 1, 2 * BLOB_PIECE + 1, ids, 2);
	item_reader_init(&ir, buf_span(&b));
	cr_assert_eq(item_next(&ir, &it, NULL), -E_FORMAT);
	buf_free(&b);
}

Test(event_item, records_come_back)
{
	struct map_rec m = { 0x1000, 0x2000, 5, 2, 3, 0x4000, 6 }, m2;
	struct file_rec f = { 1, 2, 3, 4, 5, 6, 0100644, 1, 7 }, f2;
	struct blob_id ids[2];
	const struct blob_id *got;
	const char *path, *key;
	struct buf b = { 0 };
	struct span value;
	struct item it;
	size_t n;

	memset(ids, 9, sizeof(ids));
	item_put_map(&b, &m);
	it = only_item(&b);
	cr_assert_eq(item_get_map(&it, &m2, NULL), 0);
	cr_assert_eq(memcmp(&m, &m2, sizeof(m)), 0);
	cr_assert_eq(item_get_file(&it, &f2, &path, &got, &n, NULL), -E_FORMAT);

	buf_clear(&b);
	item_put_file(&b, &f, "/bin/true", ids, 2);
	it = only_item(&b);
	cr_assert_eq(item_get_file(&it, &f2, &path, &got, &n, NULL), 0);
	cr_assert_eq(memcmp(&f, &f2, sizeof(f)), 0);
	cr_assert_str_eq(path, "/bin/true");
	cr_assert_eq(n, 2);
	cr_assert_eq(memcmp(got, ids, sizeof(ids)), 0);

	buf_clear(&b);
	item_put_kv(&b, "cwd", span_of("/a\0b", 4));
	it = only_item(&b);
	cr_assert_eq(item_get_kv(&it, &key, &value), 0);
	cr_assert_str_eq(key, "cwd");
	cr_assert(span_eq(value, span_of("/a\0b", 4)));
	buf_free(&b);
}

Test(event_item, an_unknown_kind_is_handed_on_and_stepped_over)
{
	struct buf b = { 0 };
	struct item_reader ir;
	struct item it;

	buf_varint(&b, 4711);
	buf_varint(&b, 3);
	buf_put(&b, "abc", 3);
	item_put_bytes(&b, ITEM_TEXT, 0, span_str("text"));
	item_reader_init(&ir, buf_span(&b));
	cr_assert_eq(item_next(&ir, &it, NULL), 1);
	cr_assert_eq(it.kind, 4711);
	cr_assert(span_eq(it.bytes, span_str("abc")));
	cr_assert_eq(item_next(&ir, &it, NULL), 1);
	cr_assert_eq(it.kind, ITEM_TEXT);
	cr_assert(item_find(buf_span(&b), ITEM_TEXT, UINT64_MAX, &it));
	cr_assert_not(item_find(buf_span(&b), ITEM_FD, UINT64_MAX, &it));
	buf_free(&b);
}

Test(event_item, find_looks_for_the_number_too)
{
	struct buf b = { 0 };
	struct item it;

	item_put_bytes(&b, ITEM_IN, 1, span_str("one"));
	item_put_bytes(&b, ITEM_IN, 2, span_str("two"));
	cr_assert(item_find(buf_span(&b), ITEM_IN, 2, &it));
	cr_assert(span_eq(it.bytes, span_str("two")));
	cr_assert_not(item_find(buf_span(&b), ITEM_IN, 3, &it));
	buf_free(&b);
}

Test(event_item, an_address_that_wraps_is_damage)
{
	struct buf b = { 0 };
	struct item_reader ir;
	struct item it;

	item_put_mem(&b, UINT64_MAX - 1, span_str("hello"));
	item_reader_init(&ir, buf_span(&b));
	cr_assert_eq(item_next(&ir, &it, NULL), -E_FORMAT);
	cr_assert_eq(item_next(&ir, &it, NULL), -E_FORMAT);
	buf_free(&b);
}

Test(event_item, hostile_payloads_end)
{
	uint64_t s = 1;
	size_t items = 0, damaged = 0;

	for (int round = 0; round < 20000; round++) {
		struct item_reader ir;
		uint8_t bytes[64];
		struct item it;
		size_t len = random_u64(&s) % sizeof(bytes);
		int r, n = 0;

		for (size_t i = 0; i < len; i++)
			bytes[i] =
				(uint8_t)(random_u64(&s) % (i % 2 ? 64 : 20));
		item_reader_init(&ir, span_of(bytes, len));
		while ((r = item_next(&ir, &it, NULL)) > 0) {
			struct map_rec m;
			struct file_rec f;
			const struct blob_id *ids;
			const char *text;
			struct span value;
			size_t k;

			cr_assert_leq(++n, 64);
			cr_assert(it.bytes.len == 0 ||
				  (it.bytes.p >= bytes &&
				   it.bytes.p + it.bytes.len <= bytes + len));
			item_get_map(&it, &m, NULL);
			item_get_file(&it, &f, &text, &ids, &k, NULL);
			item_get_kv(&it, &text, &value);
			items++;
		}
		damaged += r < 0;
	}
	cr_assert_gt(items, 1000);
	cr_assert_gt(damaged, 1000);
}
