#include "event/codec.h"

#include <errno.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>
#include <zstd.h>

#include "base/mem.h"
#include "event/codec_format.h"

#define ZSTD_LEVEL 1
#define VARINT_MAX 10u

struct encoder {
	struct predict predict;
	ZSTD_CCtx *zstd;
	uint8_t *col[COL_COUNT]; /* start of each column, all in mem */
	uint8_t *at[COL_COUNT];	 /* where its next entry goes */
	uint8_t *mem;
	size_t mem_events;
	struct buf raw;
	struct buf payload;
};

struct encoder *
encoder_new(void)
{
	struct encoder *e = mem_zalloc(sizeof(*e));

	e->zstd = ZSTD_createCCtx();
	if (!e->zstd)
		die("out of memory: zstd context");
	return e;
}

void
encoder_free(struct encoder *e)
{
	if (!e)
		return;
	ZSTD_freeCCtx(e->zstd);
	mem_free(e->mem);
	buf_free(&e->raw);
	buf_free(&e->payload);
	mem_free(e);
}

static inline void
put(struct encoder *e, unsigned col, uint64_t v)
{
	uint8_t *p = e->at[col];

	while (v >= 0x80) {
		*p++ = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	*p++ = (uint8_t)v;
	e->at[col] = p;
}

static inline void
put_difference(struct encoder *e, unsigned col, uint64_t now, uint64_t was)
{
	uint64_t d = now - was;

	put(e, col, (d << 1) ^ (0 - (d >> 63)));
}

static void
put_event(struct encoder *e, const struct event *ev)
{
	struct predict *p = &e->predict;
	struct predict_row *row = &p->rows[predict_index(ev->kind, ev->call)];
	struct predict_row *entered = &p->entered[ev->task % PREDICT_TASKS];
	struct predict_row now = { .flags = ev->flags, .reghash = ev->reghash };
	const uint64_t *base = row->v;
	uint32_t x = ev->reghash ^ row->reghash;

	now.v[0] = ev->pc;
	now.v[1] = ev->sp;
	memcpy(&now.v[2], ev->args, sizeof(ev->args));
	now.v[V_RET] = (uint64_t)ev->ret;

	put_difference(e, COL_TIME, ev->time_ns, p->time_ns);
	put_difference(e, COL_TASK, ev->task, p->task);
	put(e, COL_KIND, ev->kind);
	put(e, COL_CALL, (uint16_t)(ev->call + 1));
	put(e, COL_FLAGS, ev->flags ^ row->flags);
	memcpy(e->at[COL_REGHASH], &x, sizeof(x));
	e->at[COL_REGHASH] += sizeof(x);
	put(e, COL_DUR, ev->dur_ns);
	put(e, COL_PAYLOAD, ev->payload.len);
	if (ev->kind == EV_exit)
		base = entered->v;
	for (unsigned i = 0; i < V_RET; i++)
		put_difference(e, COL_VALUE + i, now.v[i], base[i]);
	put_difference(e, COL_RET, now.v[V_RET], row->v[V_RET]);

	p->time_ns = ev->time_ns;
	p->task = ev->task;
	*row = now;
	if (ev->kind == EV_enter)
		*entered = now;
}

static void
columns_begin(struct encoder *e, size_t n)
{
	const size_t each = n * VARINT_MAX;

	if (n > e->mem_events) {
		e->mem = mem_realloc(e->mem, each * COL_COUNT);
		e->mem_events = n;
	}
	for (unsigned i = 0; i < COL_COUNT; i++)
		e->col[i] = e->at[i] = e->mem + i * each;
	memset(&e->predict, 0, sizeof(e->predict));
	buf_clear(&e->raw);
	buf_clear(&e->payload);
}

static void
columns_end(struct encoder *e)
{
	for (unsigned i = 0; i < COL_COUNT; i++)
		buf_u32(&e->raw, (uint32_t)(e->at[i] - e->col[i]));
	for (unsigned i = 0; i < COL_COUNT; i++)
		buf_put(&e->raw, e->col[i], (size_t)(e->at[i] - e->col[i]));
}

/* Append b, compressed, to out; *out_len is what it became. */
static int
compress(struct encoder *e, const struct buf *b, struct buf *out,
	 uint32_t *out_len, struct err *err)
{
	size_t room = ZSTD_compressBound(b->len);
	size_t n;

	*out_len = 0;
	if (b->len == 0)
		return 0;
	buf_reserve(out, room);
	n = ZSTD_compressCCtx(e->zstd, out->p + out->len, room, b->p, b->len,
			      ZSTD_LEVEL);
	if (ZSTD_isError(n))
		return err_set(err, E_FORMAT, "cannot compress a chunk: %s",
			       ZSTD_getErrorName(n));
	out->len += n;
	*out_len = (uint32_t)n;
	return 0;
}

static void
set_u32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static void
set_u64(uint8_t *p, uint64_t v)
{
	set_u32(p, (uint32_t)v);
	set_u32(p + 4, (uint32_t)(v >> 32));
}

static void
header_set(uint8_t *h, size_t len, const struct encoder *e,
	   const struct chunk_info *ci, uint32_t cols_len, uint32_t pay_len)
{
	memset(h, 0, CHUNK_HEADER);
	set_u32(h + AT_MAGIC, CHUNK_MAGIC);
	h[AT_CODEC] = CHUNK_CODEC;
	set_u32(h + AT_N, ci->n);
	set_u32(h + AT_ERRORS, ci->n_errors);
	set_u32(h + AT_COLS_RAW, (uint32_t)e->raw.len);
	set_u32(h + AT_COLS_LEN, cols_len);
	set_u32(h + AT_PAY_RAW, (uint32_t)e->payload.len);
	set_u32(h + AT_PAY_LEN, pay_len);
	set_u64(h + AT_FIRST_SEQ, ci->first_seq);
	set_u64(h + AT_T_MIN, ci->t_min);
	set_u64(h + AT_T_MAX, ci->t_max);
	set_u32(h + AT_CHECK,
		(uint32_t)XXH3_64bits(h + AT_CODEC, len - AT_CODEC));
}

static int
events_check(const struct event *ev, size_t n, struct err *err)
{
	uint64_t payload = 0;

	if (n == 0 || n > CHUNK_EVENTS)
		return err_set(err, EINVAL, "a chunk of %zu events", n);
	for (size_t i = 0; i < n; i++) {
		if (ev[i].seq != ev[0].seq + i)
			return err_set(err, EINVAL,
				       "event %zu of a chunk has a gap", i);
		payload += ev[i].payload.len;
		if (payload > CHUNK_PAYLOAD_MAX)
			return err_set(err, EFBIG,
				       "a chunk's payloads exceed %u bytes",
				       CHUNK_PAYLOAD_MAX);
	}
	return 0;
}

int
encoder_chunk(struct encoder *e, const struct event *ev, size_t n,
	      struct buf *out, struct chunk_info *info, struct err *err)
{
	const size_t start = out->len;
	struct chunk_info ci = { 0 };
	uint32_t cols_len, pay_len;
	int r;

	if ((r = events_check(ev, n, err)) < 0)
		return r;
	columns_begin(e, n);
	ci.first_seq = ev[0].seq;
	ci.n = (uint32_t)n;
	ci.t_min = ci.t_max = ev[0].time_ns;
	for (size_t i = 0; i < n; i++) {
		put_event(e, &ev[i]);
		buf_put(&e->payload, ev[i].payload.p, ev[i].payload.len);
		if (ev[i].flags & EVF_ERROR)
			ci.n_errors++;
		if (ev[i].time_ns < ci.t_min)
			ci.t_min = ev[i].time_ns;
		if (ev[i].time_ns > ci.t_max)
			ci.t_max = ev[i].time_ns;
	}
	columns_end(e);
	ci.raw_len = (uint32_t)(e->raw.len + e->payload.len);

	buf_grow(out, CHUNK_HEADER);
	if ((r = compress(e, &e->raw, out, &cols_len, err)) < 0 ||
	    (r = compress(e, &e->payload, out, &pay_len, err)) < 0) {
		out->len = start;
		return r;
	}
	header_set(out->p + start, out->len - start, e, &ci, cols_len, pay_len);
	*info = ci;
	return 0;
}
