#include "base/buf.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/mem.h"

static const uint64_t interesting[] = {
	0,	    1,	       0x7f,	   0x80,       0x3fff,	       0x4000,
	UINT32_MAX, INT64_MAX, 1ull << 63, UINT64_MAX, UINT64_MAX - 1,
};

Test(base_buf, numbers_come_back)
{
	struct buf b = { 0 };
	struct reader r;

	buf_u8(&b, 0xab);
	buf_u32(&b, 0x01020304);
	buf_u64(&b, 0x1122334455667788);
	cr_assert_eq(b.len, 13);
	cr_assert_eq(b.p[1], 4, "little endian");
	reader_init(&r, buf_span(&b));
	cr_assert_eq(reader_u8(&r), 0xab);
	cr_assert_eq(reader_u32(&r), 0x01020304);
	cr_assert_not(reader_done(&r));
	cr_assert_eq(reader_u64(&r), 0x1122334455667788);
	cr_assert(reader_done(&r));
	cr_assert_not(r.bad);
	buf_free(&b);
}

Test(base_buf, varint_and_zigzag_come_back)
{
	struct buf b = { 0 };
	struct reader r;

	for (size_t i = 0; i < ARRAY_LEN(interesting); i++) {
		buf_varint(&b, interesting[i]);
		buf_zigzag(&b, (int64_t)interesting[i]);
	}
	reader_init(&r, buf_span(&b));
	for (size_t i = 0; i < ARRAY_LEN(interesting); i++) {
		cr_assert_eq(reader_varint(&r), interesting[i]);
		cr_assert_eq(reader_zigzag(&r), (int64_t)interesting[i]);
	}
	cr_assert(reader_done(&r));
	cr_assert_not(r.bad);
	buf_free(&b);
}

Test(base_buf, small_numbers_are_short)
{
	struct buf b = { 0 };

	buf_varint(&b, 127);
	cr_assert_eq(b.len, 1);
	buf_zigzag(&b, -64);
	cr_assert_eq(b.len, 2);
	buf_varint(&b, UINT64_MAX);
	cr_assert_eq(b.len, 12);
	buf_free(&b);
}

Test(base_buf, a_reader_never_leaves_its_span)
{
	struct reader r;

	reader_init(&r, span_of("abc", 3));
	cr_assert_eq(reader_u32(&r), 0);
	cr_assert(r.bad);
	cr_assert(reader_done(&r));
	cr_assert_eq(reader_u8(&r), 0, "bad stays bad");
	reader_init(&r, span_of("abc", 3));
	cr_assert_eq(reader_bytes(&r, SIZE_MAX).len, 0);
	cr_assert(r.bad);
	reader_init(&r, (struct span){ 0 });
	cr_assert(reader_done(&r));
	cr_assert_eq(reader_bytes(&r, 0).len, 0);
	cr_assert_not(r.bad);
	cr_assert_eq(reader_varint(&r), 0);
	cr_assert(r.bad);
}

Test(base_buf, a_varint_that_does_not_fit_is_bad)
{
	static const uint8_t eleven[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					  0xff, 0xff, 0xff, 0xff, 0x01 };
	static const uint8_t too_big[] = { 0xff, 0xff, 0xff, 0xff, 0xff,
					   0xff, 0xff, 0xff, 0xff, 0x02 };
	struct reader r;

	reader_init(&r, span_of(eleven, sizeof(eleven)));
	cr_assert_eq(reader_varint(&r), 0);
	cr_assert(r.bad);
	reader_init(&r, span_of(too_big, sizeof(too_big)));
	cr_assert_eq(reader_varint(&r), 0);
	cr_assert(r.bad);
}

Test(base_buf, bytes_are_borrowed_from_the_span)
{
	const char *text = "abcdef";
	struct reader r;
	struct span s;

	reader_init(&r, span_str(text));
	reader_u8(&r);
	s = reader_bytes(&r, 3);
	cr_assert_eq((const char *)s.p, text + 1);
	cr_assert(span_eq(s, span_str("bcd")));
}

Test(base_buf, text_is_built_piece_by_piece)
{
	struct buf b = { 0 };

	cr_assert_str_eq(buf_cstr(&b), "");
	buf_str(&b, "abc");
	buf_printf(&b, " %d %s", 42, "x");
	buf_put(&b, "!?", 1);
	cr_assert_str_eq(buf_cstr(&b), "abc 42 x!");
	cr_assert_eq(b.len, 9);
	buf_clear(&b);
	cr_assert_str_eq(buf_cstr(&b), "");
	buf_free(&b);
}

Test(base_buf, printf_grows_exactly_when_needed)
{
	struct buf b = { 0 };
	char expect[300];

	for (int n = 0; n < 299; n++) {
		buf_free(&b);
		buf_printf(&b, "%0*d", n ? n : 1, 7);
		snprintf(expect, sizeof(expect), "%0*d", n ? n : 1, 7);
		cr_assert_str_eq(buf_cstr(&b), expect);
	}
	buf_free(&b);
}

Test(base_buf, escape_keeps_what_can_be_printed)
{
	struct buf b = { 0 };

	buf_escape(&b, span_of("a b\n\t\"\\\0\x7f\xff~", 11));
	cr_assert_str_eq(buf_cstr(&b), "a b\\n\\t\\\"\\\\\\x00\\x7f\\xff~");
	buf_free(&b);
}

Test(base_buf, growing_returns_the_new_bytes)
{
	struct buf b = { 0 };

	for (uint8_t i = 0; i < 200; i++)
		memset(buf_grow(&b, 100), i, 100);
	cr_assert_eq(b.len, 20000);
	for (size_t i = 0; i < b.len; i++)
		cr_assert_eq(b.p[i], i / 100);
	buf_free(&b);
	cr_assert_null(b.p);
}

Test(base_buf, an_absurd_size_dies, .exit_code = 125)
{
	struct buf b = { 0 };

	buf_u8(&b, 1);
	buf_reserve(&b, SIZE_MAX - 2);
}
