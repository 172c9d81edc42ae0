#include "event/codec.h"

#include <criterion/criterion.h>
#define XXH_INLINE_ALL
#include <xxhash.h>
#include <zstd.h>

#include "base/mem.h"
#include "event/codec_format.h"
#include "tests/unit/event_random.h"

struct decoded {
	struct event *ev;
	size_t n;
	void *scratch;
};

static int
decode(struct span bytes, struct decoded *out, struct err *err)
{
	struct chunk_info info;
	size_t need;
	int r;

	*out = (struct decoded){ 0 };
	if ((r = chunk_peek(bytes, &info, &need, err)) < 0)
		return r;
	out->n = info.n;
	out->ev = mem_calloc(info.n, sizeof(*out->ev));
	out->scratch = mem_alloc(need);
	return chunk_decode(bytes, out->ev, out->n, out->scratch, need, err);
}

static void
decoded_release(struct decoded *d)
{
	mem_free(d->ev);
	mem_free(d->scratch);
}

static void
round_trip(const struct event *ev, size_t n)
{
	struct encoder *e = encoder_new();
	struct buf out = { 0 };
	struct chunk_info info;
	struct decoded d;
	struct err err;

	cr_assert_eq(encoder_chunk(e, ev, n, &out, &info, &err), 0, "%s",
		     err.text);
	cr_assert_eq(info.first_seq, ev[0].seq);
	cr_assert_eq(info.n, n);
	cr_assert_eq(decode(buf_span(&out), &d, &err), 0, "%s", err.text);
	cr_assert_eq(d.n, n);
	for (size_t i = 0; i < n; i++)
		cr_assert(event_equal(&ev[i], &d.ev[i]), "event %zu", i);
	decoded_release(&d);
	buf_free(&out);
	encoder_free(e);
}

Test(event_codec, any_event_comes_back_as_it_was)
{
	static uint8_t bytes[300];
	static struct event ev[CHUNK_EVENTS];
	uint64_t s = 1;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)random_u64(&s);
	for (size_t i = 0; i < CHUNK_EVENTS; i++) {
		ev[i] = random_event(&s, 1000000 + i);
		ev[i].payload = span_of(bytes, random_u64(&s) % sizeof(bytes));
	}
	round_trip(ev, CHUNK_EVENTS);
	round_trip(ev, 1);
	round_trip(ev + 17, 100);
}

/* Runs of every length, each member of which differs in one field at most. */
static void
change(struct event *ev, uint64_t what)
{
	static const struct event others = {
		.task = 7,
		.flags = 1,
		.kind = EV_exit,
		.call = 300,
		.pc = 9,
		.sp = 9,
		.args = { 9, 9, 9, 9, 9, 9 },
		.ret = -2,
	};

	switch (what % 16) {
	case 0:
		ev->task ^= others.task;
		break;
	case 1:
		ev->flags ^= others.flags;
		break;
	case 2:
		ev->kind = others.kind;
		break;
	case 3:
		ev->call ^= others.call;
		break;
	case 4:
		ev->pc ^= others.pc;
		break;
	case 5:
		ev->sp ^= others.sp;
		break;
	case 6:
		ev->ret ^= others.ret;
		break;
	case 7:
		ev->payload.len = what >> 4 & 0xff;
		break;
	case 8:
		ev->payload.len = 0;
		break;
	default:
		ev->args[what % 6] ^= others.args[0];
		break;
	}
}

Test(event_codec, runs_of_alike_events_come_back)
{
	static uint8_t bytes[CHUNK_EVENTS * 300];
	static struct event ev[CHUNK_EVENTS];
	uint64_t s = 3, at = 0;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)random_u64(&s);
	ev[0] = (struct event){ .seq = 1, .kind = EV_syscall, .call = 39 };
	for (size_t i = 1; i < CHUNK_EVENTS; i++) {
		uint64_t x = random_u64(&s);

		ev[i] = ev[i - 1];
		ev[i].seq++;
		ev[i].time_ns += x % 1000;
		ev[i].dur_ns = x >> 10 & 0xff;
		if (x >> 20 & 1)
			ev[i].reghash = (uint32_t)(x >> 32);
		if (random_u64(&s) % 20 == 0)
			change(&ev[i], random_u64(&s));
		if (random_u64(&s) % 40 == 0)
			ev[i].kind = EV_syscall;
	}
	/* Payloads one after the other, then each somewhere. */
	for (int turn = 0; turn < 2; turn++) {
		for (size_t i = at = 0; i < CHUNK_EVENTS; i++) {
			if (turn == 1)
				at = random_u64(&s) % (sizeof(bytes) - 300);
			ev[i].payload.p = bytes + at;
			at += ev[i].payload.len;
		}
		round_trip(ev, CHUNK_EVENTS);
		round_trip(ev + 100, 999);
	}
}

Test(event_codec, extreme_values_come_back)
{
	struct event ev[4] = { 0 };

	for (size_t i = 0; i < 4; i++)
		ev[i].seq = UINT64_MAX / 2 + i;
	memset(ev[1].args, 0xff, sizeof(ev[1].args));
	ev[1].time_ns = ev[1].dur_ns = ev[1].pc = ev[1].sp = UINT64_MAX;
	ev[1].ret = INT64_MIN;
	ev[1].call = INT16_MIN;
	ev[1].kind = UINT16_MAX;
	ev[1].task = ev[1].flags = ev[1].reghash = UINT32_MAX;
	ev[2].ret = INT64_MAX;
	ev[2].call = -1;
	ev[3].call = INT16_MAX;
	round_trip(ev, 4);
}

Test(event_codec, exit_is_predicted_from_the_enter_of_its_task)
{
	struct event ev[CHUNK_EVENTS / 8];
	const size_t n = sizeof(ev) / sizeof(ev[0]);
	uint64_t s = 2;

	memset(ev, 0, sizeof(ev));
	for (size_t i = 0; i < n; i++) {
		ev[i] = random_event(&s, 1 + i);
		ev[i].kind = i % 2 ? EV_exit : EV_enter;
		ev[i].task = (uint32_t)(random_u64(&s) % 600);
	}
	round_trip(ev, n);
}

Test(event_codec, info_counts_errors_and_times)
{
	struct event ev[3] = {
		{ .seq = 5, .time_ns = 70 },
		{ .seq = 6, .time_ns = 50, .flags = EVF_ERROR },
		{ .seq = 7, .time_ns = 90, .flags = EVF_ERROR }
	};
	struct encoder *e = encoder_new();
	struct buf out = { 0 };
	struct chunk_info a, b;

	cr_assert_eq(encoder_chunk(e, ev, 3, &out, &a, NULL), 0);
	cr_assert_eq(a.n_errors, 2);
	cr_assert_eq(a.t_min, 50);
	cr_assert_eq(a.t_max, 90);
	cr_assert_eq(chunk_peek(buf_span(&out), &b, NULL, NULL), 0);
	cr_assert_eq(b.first_seq, 5);
	cr_assert_eq(b.n, 3);
	cr_assert_eq(b.n_errors, 2);
	cr_assert_eq(b.t_min, 50);
	cr_assert_eq(b.t_max, 90);
	cr_assert_eq(b.raw_len, a.raw_len);
	buf_free(&out);
	encoder_free(e);
}

Test(event_codec, fields_can_be_read_without_payloads)
{
	struct event ev[2] = { { .seq = 1, .ret = 3, .kind = EV_syscall },
			       { .seq = 2, .ret = 4, .kind = EV_syscall } };
	struct event got[2];
	struct encoder *e = encoder_new();
	struct buf out = { 0 };
	struct chunk_info info;
	size_t need;
	void *scratch;

	ev[0].payload = span_str("hello");
	cr_assert_eq(encoder_chunk(e, ev, 2, &out, &info, NULL), 0);
	cr_assert_eq(chunk_peek(buf_span(&out), NULL, &need, NULL), 0);
	scratch = mem_alloc(need);
	cr_assert_eq(chunk_decode_fields(buf_span(&out), got, 2, scratch, need,
					 NULL),
		     0);
	cr_assert_eq(got[0].payload.len, 0);
	cr_assert_eq(got[1].ret, 4);
	mem_free(scratch);
	buf_free(&out);
	encoder_free(e);
}

Test(event_codec, gaps_and_too_many_events_are_refused)
{
	static struct event ev[CHUNK_EVENTS + 1];
	struct encoder *e = encoder_new();
	struct buf out = { 0 };
	struct chunk_info info;

	for (size_t i = 0; i <= CHUNK_EVENTS; i++)
		ev[i].seq = i + 1;
	cr_assert_lt(encoder_chunk(e, ev, CHUNK_EVENTS + 1, &out, &info, NULL),
		     0);
	cr_assert_lt(encoder_chunk(e, ev, 0, &out, &info, NULL), 0);
	ev[2].seq = 9;
	cr_assert_lt(encoder_chunk(e, ev, 5, &out, &info, NULL), 0);
	cr_assert_eq(out.len, 0);
	buf_free(&out);
	encoder_free(e);
}

static void
make_chunk(struct buf *out, uint64_t seed, size_t n)
{
	struct event ev[200];
	uint8_t bytes[64];
	struct encoder *e = encoder_new();
	struct chunk_info info;
	uint64_t s = seed;

	memset(bytes, (int)seed, sizeof(bytes));
	for (size_t i = 0; i < n; i++) {
		ev[i] = random_event(&s, i + 1);
		ev[i].payload = span_of(bytes, random_u64(&s) % sizeof(bytes));
	}
	cr_assert_eq(encoder_chunk(e, ev, n, out, &info, NULL), 0);
	encoder_free(e);
}

Test(event_codec, every_flipped_bit_is_noticed)
{
	struct buf out = { 0 };
	struct decoded d;

	make_chunk(&out, 3, 40);
	for (size_t i = 0; i < out.len; i++) {
		uint8_t bit = (uint8_t)(1u << (i % 8));

		out.p[i] ^= bit;
		cr_assert_eq(decode(buf_span(&out), &d, NULL), -E_FORMAT,
			     "byte %zu", i);
		decoded_release(&d);
		out.p[i] ^= bit;
	}
	for (size_t len = 0; len < out.len; len++) {
		cr_assert_eq(decode(span_of(out.p, len), &d, NULL), -E_FORMAT);
		decoded_release(&d);
	}
	cr_assert_eq(decode(buf_span(&out), &d, NULL), 0);
	decoded_release(&d);
	buf_free(&out);
}

/* Make the checksum right again, so that damage gets to the code behind it. */
static void
forge(struct buf *b)
{
	uint32_t h = (uint32_t)XXH3_64bits(b->p + AT_CODEC, b->len - AT_CODEC);

	memcpy(b->p + AT_CHECK, &h, sizeof(h));
}

Test(event_codec, a_forged_chunk_never_crashes)
{
	uint64_t s = 4;

	for (int round = 0; round < 3000; round++) {
		struct buf out = { 0 };
		struct decoded d;

		make_chunk(&out, (uint64_t)round, 1 + random_u64(&s) % 200);
		for (uint64_t k = 1 + random_u64(&s) % 4; k > 0; k--)
			out.p[8 + random_u64(&s) % (out.len - 8)] =
				(uint8_t)random_u64(&s);
		if (random_u64(&s) % 4 == 0)
			out.len = CHUNK_HEADER +
				  random_u64(&s) % (out.len - CHUNK_HEADER);
		forge(&out);
		decode(buf_span(&out), &d, NULL);
		decoded_release(&d);
		buf_free(&out);
	}
}

/* Damage the columns themselves, inside a valid zstd frame. */
Test(event_codec, forged_columns_never_crash)
{
	struct buf plain = { 0 };
	uint64_t s = 5;
	uint8_t raw[200 * COL_COUNT * 10 + 4 * COL_COUNT];
	uint32_t raw_len, cols_len;
	size_t ok = 0;

	make_chunk(&plain, 77, 200);
	memcpy(&raw_len, plain.p + AT_COLS_RAW, 4);
	memcpy(&cols_len, plain.p + AT_COLS_LEN, 4);
	for (int round = 0; round < 3000; round++) {
		struct buf out = { 0 };
		struct decoded d;
		size_t z;
		uint32_t z32;

		cr_assert_eq(ZSTD_decompress(raw, sizeof(raw),
					     plain.p + CHUNK_HEADER, cols_len),
			     raw_len);
		for (uint64_t k = random_u64(&s) % 4; k > 0; k--)
			raw[random_u64(&s) % raw_len] = (uint8_t)random_u64(&s);
		buf_put(&out, plain.p, CHUNK_HEADER);
		buf_reserve(&out, ZSTD_compressBound(raw_len));
		z = ZSTD_compress(out.p + out.len, out.cap - out.len, raw,
				  raw_len, 1);
		out.len += z;
		buf_put(&out, plain.p + CHUNK_HEADER + cols_len,
			plain.len - CHUNK_HEADER - cols_len);
		z32 = (uint32_t)z;
		memcpy(out.p + AT_COLS_LEN, &z32, 4);
		forge(&out);
		if (decode(buf_span(&out), &d, NULL) == 0)
			ok++;
		decoded_release(&d);
		buf_free(&out);
	}
	cr_assert_gt(ok, 0, "rounds without damage decode");
	buf_free(&plain);
}

/* Events of calls that wait, too: exits are predicted from their enters. */
static void
mixed_events(struct event *ev, size_t n, struct span bytes)
{
	uint64_t s = 7;

	for (size_t i = 0; i < n; i++) {
		ev[i] = random_event(&s, 5000 + i);
		ev[i].kind = (uint16_t)(3 + random_u64(&s) % 3);
		ev[i].call = (int16_t)(random_u64(&s) % 5);
		ev[i].task = (uint32_t)(1 + random_u64(&s) % 3);
		ev[i].payload =
			span_of(bytes.p, random_u64(&s) % (bytes.len + 1));
	}
}

Test(event_codec, a_column_alone_is_as_with_all_others)
{
	static struct event ev[500], all[500], one[500];
	struct encoder *e = encoder_new();
	struct buf out = { 0 };
	struct chunk_info info;
	struct err err;
	size_t need;
	void *scratch;

	mixed_events(ev, 500, span_str("what a call wrote"));
	cr_assert_eq(encoder_chunk(e, ev, 500, &out, &info, &err), 0);
	cr_assert_eq(chunk_peek(buf_span(&out), &info, &need, &err), 0);
	scratch = mem_alloc(need);
	for (unsigned i = 0; i < COL_COUNT; i++) {
		cr_assert_eq(chunk_decode_some(buf_span(&out), 1u << i, one,
					       500, scratch, need, &err),
			     0, "%s", err.text);
		for (size_t k = 0; k < 500; k++) {
			bool same = true;

			cr_assert_eq(one[k].seq, ev[k].seq);
			switch (i) {
			case COL_TIME:
				same = one[k].time_ns == ev[k].time_ns;
				break;
			case COL_TASK:
				same = one[k].task == ev[k].task;
				break;
			case COL_KIND:
				same = one[k].kind == ev[k].kind;
				break;
			case COL_CALL:
				same = one[k].call == ev[k].call;
				break;
			case COL_FLAGS:
				same = one[k].flags == ev[k].flags;
				break;
			case COL_REGHASH:
				same = one[k].reghash == ev[k].reghash;
				break;
			case COL_DUR:
				same = one[k].dur_ns == ev[k].dur_ns;
				break;
			case COL_PAYLOAD:
				same = span_eq(one[k].payload, ev[k].payload);
				break;
			case COL_PC:
				same = one[k].pc == ev[k].pc;
				break;
			case COL_SP:
				same = one[k].sp == ev[k].sp;
				break;
			case COL_RET:
				same = one[k].ret == ev[k].ret;
				break;
			default:
				same = one[k].args[i - COL_ARG] ==
				       ev[k].args[i - COL_ARG];
			}
			cr_assert(same, "column %u of event %zu", i, k);
		}
	}
	cr_assert_eq(chunk_decode_some(buf_span(&out), UINT32_MAX, all, 500,
				       scratch, need, &err),
		     0);
	for (size_t k = 0; k < 500; k++)
		cr_assert(event_equal(&all[k], &ev[k]), "event %zu", k);
	mem_free(scratch);
	buf_free(&out);
	encoder_free(e);
}
