#include "gdb/packet.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"

static struct packets p;
static struct buf data;

static void
clean_up(void)
{
	packets_release(&p);
	buf_free(&data);
}

TestSuite(gdb_packet, .fini = clean_up);

static void
feed(const char *text)
{
	packets_feed(&p, text, strlen(text));
}

/* The next packet is whole and says this. */
static void
expect(const char *text)
{
	cr_assert_eq(packets_next(&p, &data), PACKET_DATA, "no packet '%s'",
		     text);
	cr_assert_str_eq(buf_cstr(&data), text);
}

static void
expect_kind(enum packet_kind kind)
{
	cr_assert_eq(packets_next(&p, &data), kind);
}

Test(gdb_packet, what_is_put_is_taken)
{
	uint8_t all[256];
	struct buf wire = { 0 };

	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	packet_put(&wire, span_of(all, sizeof(all)));
	packets_feed(&p, wire.p, wire.len);
	expect_kind(PACKET_DATA);
	cr_assert(span_eq(buf_span(&data), span_of(all, sizeof(all))));
	expect_kind(PACKET_NONE);
	buf_free(&wire);
}

Test(gdb_packet, sums_are_those_of_the_manual)
{
	struct buf wire = { 0 };

	packet_put(&wire, span_str("OK"));
	packet_put(&wire, span_str(""));
	packet_put(&wire, span_str("a#b$c}d*e"));
	cr_assert_str_eq(buf_cstr(&wire), "$OK#9a$#00$a}\003b}\004c}]d}\ne#51");
	buf_free(&wire);
}

Test(gdb_packet, a_packet_comes_byte_by_byte)
{
	const char *text = "$qC#b4";

	for (size_t i = 0; text[i]; i++) {
		expect_kind(PACKET_NONE);
		packets_feed(&p, text + i, 1);
	}
	expect("qC");
	expect_kind(PACKET_NONE);
}

Test(gdb_packet, several_come_at_once_with_noise_between)
{
	feed("+$g#67+xx$qC#B4-\003$?#3f");
	expect_kind(PACKET_ACK);
	expect("g");
	expect_kind(PACKET_ACK);
	expect("qC");
	expect_kind(PACKET_NAK);
	expect_kind(PACKET_INTERRUPT);
	expect("?");
	expect_kind(PACKET_NONE);
}

Test(gdb_packet, a_wrong_sum_spoils_one_packet_only)
{
	feed("$g#68$g#6x$g#xx$g#67");
	expect_kind(PACKET_BAD);
	expect_kind(PACKET_BAD);
	expect_kind(PACKET_BAD);
	expect("g");
}

Test(gdb_packet, escapes_are_undone)
{
	feed("$a}\003b}]#1d");
	expect("a#b}");
	feed("$a}#de"); /* nothing behind the escape */
	expect_kind(PACKET_BAD);
}

Test(gdb_packet, runs_are_repeated)
{
	feed("$0* #7a"); /* the manual's example: four zeros */
	expect("0000");
	feed("$ab*!c#71");
	expect("abbbbbc");
	feed("$0**#84");
	expect("00000000000000");
}

Test(gdb_packet, runs_of_nothing_or_of_odd_length_are_bad)
{
	feed("$* #4a");
	expect_kind(PACKET_BAD);
	feed("$a*#8b");
	expect_kind(PACKET_BAD);
	feed("$a*\035#a8"); /* none more */
	expect_kind(PACKET_BAD);
	feed("$a*\177#0a");
	expect_kind(PACKET_BAD);
}

/* 200 KB of runs that would be 10 MB. */
Test(gdb_packet, runs_do_not_make_a_small_packet_huge)
{
	struct buf wire = { 0 };
	uint8_t sum = 0;

	buf_str(&wire, "$a");
	for (size_t i = 0; i < 100000; i++)
		buf_str(&wire, "*~");
	for (size_t i = 1; i < wire.len; i++)
		sum = (uint8_t)(sum + wire.p[i]);
	buf_printf(&wire, "#%02x", sum);
	packets_feed(&p, wire.p, wire.len);
	expect_kind(PACKET_BAD);
	cr_assert_lt(data.cap, 4 * PACKET_SIZE);
	buf_free(&wire);
}

Test(gdb_packet, a_packet_without_end_is_given_up)
{
	char block[4096];
	enum packet_kind kind = PACKET_NONE;
	size_t sent = 1;

	memset(block, 'a', sizeof(block));
	feed("$");
	while (kind == PACKET_NONE && sent < 10 * PACKET_SIZE) {
		packets_feed(&p, block, sizeof(block));
		sent += sizeof(block);
		kind = packets_next(&p, &data);
	}
	cr_assert_eq(kind, PACKET_BAD);
	cr_assert_leq(sent, 2 * PACKET_SIZE + 2 * sizeof(block));
	feed("$qC#b4");
	expect("qC");
}

Test(gdb_packet, what_was_taken_does_not_pile_up)
{
	for (size_t i = 0; i < 100000; i++) {
		feed("$qC#b4+");
		expect("qC");
		expect_kind(PACKET_ACK);
	}
	cr_assert_lt(p.raw.cap, 4096);
}

Test(gdb_packet, an_interrupt_is_found_behind_acks_only)
{
	cr_assert_not(packets_interrupted(&p));
	feed("++\003$g#67");
	cr_assert(packets_interrupted(&p));
	cr_assert_not(packets_interrupted(&p));
	expect("g");
}

Test(gdb_packet, hex_goes_there_and_back)
{
	struct buf hex = { 0 };

	hex_put(&hex, "\0\177\377z", 4);
	cr_assert_str_eq(buf_cstr(&hex), "007fff7a");
	cr_assert(hex_get(buf_span(&hex), &data));
	cr_assert(span_eq(buf_span(&data), span_of("\0\177\377z", 4)));
	cr_assert_not(hex_get(span_str("abc"), &data));
	cr_assert_not(hex_get(span_str("0g"), &data));
	cr_assert_eq(data.len, 4, "a mistake leaves nothing behind");
	buf_clear(&hex);
	hex_put_le(&hex, 0x401136, 8);
	cr_assert_str_eq(buf_cstr(&hex), "3611400000000000");
	buf_free(&hex);
}

Test(gdb_packet, numbers_of_more_than_16_digits_are_refused)
{
	struct scan s;

	scan_init(&s, span_str("ffffffffffffffff,12345678901234567,1"));
	cr_assert_eq(scan_hex(&s), UINT64_MAX);
	scan_char(&s, ',');
	cr_assert_eq(scan_hex(&s), 0);
	cr_assert(s.bad);
	scan_char(&s, ',');
	cr_assert_eq(scan_hex(&s), 0, "bad stays bad");
	cr_assert_not(scan_done(&s));
}

Test(gdb_packet, scanning_stops_at_the_end)
{
	struct scan s;

	scan_init(&s, span_str(""));
	cr_assert(scan_done(&s));
	cr_assert_not(scan_word(&s, "q"));
	cr_assert_eq(scan_until(&s, ';').len, 0);
	cr_assert_eq(scan_hex(&s), 0);
	cr_assert(s.bad);
	scan_init(&s, span_str("read:ab;c"));
	cr_assert(scan_word(&s, "read:"));
	cr_assert_not(scan_word(&s, "abc"));
	cr_assert(span_eq(scan_until(&s, ';'), span_str("ab")));
	cr_assert(span_eq(scan_until(&s, ';'), span_str("c")));
	cr_assert(scan_done(&s));
}
