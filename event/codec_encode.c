#include "event/codec.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>
#include <zstd.h>

#include "base/mem.h"
#include "event/codec_format.h"

#define ZSTD_LEVEL 1
#define VARINT_MAX 10u
/* So many events that differ by times and hash alone are worth to be put at
 * once: programs make the same call again and again. */
#define RUN_MIN 4u

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

static inline void
put_hash(struct encoder *e, uint32_t now, uint32_t was)
{
	uint32_t x = now ^ was;

	memcpy(e->at[COL_REGHASH], &x, sizeof(x));
	e->at[COL_REGHASH] += sizeof(x);
}

static void
put_event(struct encoder *e, const struct event *ev)
{
	struct predict *p = &e->predict;
	struct predict_row *row = &p->rows[predict_index(ev->kind, ev->call)];
	struct predict_row *entered = &p->entered[ev->task % PREDICT_TASKS];
	struct predict_row now = { .flags = ev->flags, .reghash = ev->reghash };
	const uint64_t *base = row->v;

	now.v[0] = ev->pc;
	now.v[1] = ev->sp;
	memcpy(&now.v[2], ev->args, sizeof(ev->args));
	now.v[V_RET] = (uint64_t)ev->ret;

	put_difference(e, COL_TIME, ev->time_ns, p->time_ns);
	put_difference(e, COL_TASK, ev->task, p->task);
	put(e, COL_KIND, ev->kind);
	put(e, COL_CALL, (uint16_t)(ev->call + 1));
	put(e, COL_FLAGS, ev->flags ^ row->flags);
	put_hash(e, ev->reghash, row->reghash);
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

/* What differs is found in one of the last fields, most often. */
static bool
is_alike(const struct event *a, const struct event *b)
{
	return a->ret == b->ret && a->call == b->call && a->kind == b->kind &&
	       a->payload.len == b->payload.len &&
	       memcmp(a->args, b->args, sizeof(a->args)) == 0 &&
	       a->sp == b->sp && a->pc == b->pc && a->flags == b->flags &&
	       a->task == b->task;
}

/* How many from ev on are like the one before it, which is predicted from its
 * own kind and call. */
static size_t
run_length(const struct event *ev, size_t n)
{
	size_t k = 0;

	if (ev[-1].kind != EV_syscall)
		return 0;
	while (k < n && is_alike(&ev[k], ev - 1))
		k++;
	return k;
}

static void
put_same(struct encoder *e, unsigned col, uint64_t v, size_t n)
{
	if (v < 0x80) {
		memset(e->at[col], (int)v, n);
		e->at[col] += n;
		return;
	}
	for (size_t i = 0; i < n; i++)
		put(e, col, v);
}

/* As put_event for each of them, which are like the one before. */
static void
put_run(struct encoder *e, const struct event *ev, size_t n)
{
	struct predict *p = &e->predict;

	for (size_t i = 0; i < n; i++) {
		const struct event *one = &ev[i];

		put_difference(e, COL_TIME, one->time_ns, p->time_ns);
		put(e, COL_DUR, one->dur_ns);
		put_hash(e, one->reghash, one[-1].reghash);
		p->time_ns = one->time_ns;
	}
	p->rows[predict_index(ev->kind, ev->call)].reghash = ev[n - 1].reghash;
	put_same(e, COL_TASK, 0, n);
	put_same(e, COL_KIND, ev->kind, n);
	put_same(e, COL_CALL, (uint16_t)(ev->call + 1), n);
	put_same(e, COL_FLAGS, 0, n);
	put_same(e, COL_PAYLOAD, ev->payload.len, n);
	for (unsigned i = 0; i < N_VALUES; i++)
		put_same(e, COL_VALUE + i, 0, n);
}

static void
put_events(struct encoder *e, const struct event *ev, size_t n)
{
	size_t i = 0;

	while (i < n) {
		size_t k = i > 0 ? run_length(ev + i, n - i) : 0;
		const size_t end = i + (k > 0 ? k : 1);

		if (k >= RUN_MIN)
			put_run(e, ev + i, k);
		else
			for (k = i; k < end; k++)
				put_event(e, &ev[k]);
		i = end;
	}
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

/* Append s, compressed, to out; *out_len is what it became. */
static int
compress(struct encoder *e, struct span s, struct buf *out, uint32_t *out_len,
	 struct err *err)
{
	size_t room = ZSTD_compressBound(s.len);
	size_t n;

	*out_len = 0;
	if (s.len == 0)
		return 0;
	buf_reserve(out, room);
	n = ZSTD_compressCCtx(e->zstd, out->p + out->len, room, s.p, s.len,
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
	set_u32(h + AT_PAY_RAW, ci->raw_len - (uint32_t)e->raw.len);
	set_u32(h + AT_PAY_LEN, pay_len);
	set_u64(h + AT_FIRST_SEQ, ci->first_seq);
	set_u64(h + AT_T_MIN, ci->t_min);
	set_u64(h + AT_T_MAX, ci->t_max);
	set_u32(h + AT_CHECK,
		(uint32_t)XXH3_64bits(h + AT_CODEC, len - AT_CODEC));
}

/* The payloads, one after the other: often they lie so. */
static struct span
payloads(struct encoder *e, const struct event *ev, size_t n)
{
	struct span all = ev[0].payload;
	size_t i = 1;

	while (i < n && (ev[i].payload.len == 0 || all.len == 0 ||
			 ev[i].payload.p == all.p + all.len)) {
		if (all.len == 0)
			all.p = ev[i].payload.p;
		all.len += ev[i++].payload.len;
	}
	if (i == n)
		return all;
	for (i = 0; i < n; i++)
		buf_put(&e->payload, ev[i].payload.p, ev[i].payload.len);
	return buf_span(&e->payload);
}

static void
fill_info(const struct event *ev, size_t n, struct chunk_info *ci)
{
	ci->first_seq = ev[0].seq;
	ci->n = (uint32_t)n;
	ci->t_min = ci->t_max = ev[0].time_ns;
	for (size_t i = 0; i < n; i++) {
		if (ev[i].flags & EVF_ERROR)
			ci->n_errors++;
		if (ev[i].time_ns < ci->t_min)
			ci->t_min = ev[i].time_ns;
		if (ev[i].time_ns > ci->t_max)
			ci->t_max = ev[i].time_ns;
	}
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
	struct span pay;
	int r;

	if ((r = events_check(ev, n, err)) < 0)
		return r;
	columns_begin(e, n);
	put_events(e, ev, n);
	columns_end(e);
	pay = payloads(e, ev, n);
	fill_info(ev, n, &ci);
	ci.raw_len = (uint32_t)(e->raw.len + pay.len);

	buf_grow(out, CHUNK_HEADER);
	if ((r = compress(e, buf_span(&e->raw), out, &cols_len, err)) < 0 ||
	    (r = compress(e, pay, out, &pay_len, err)) < 0) {
		out->len = start;
		return r;
	}
	header_set(out->p + start, out->len - start, e, &ci, cols_len, pay_len);
	*info = ci;
	return 0;
}
