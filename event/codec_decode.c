/*
 * Bytes to events, also inside a database server: no memory of our own, no
 * way out but a result. Input is hostile.
 */
#include "event/codec.h"

#include <stdalign.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>
#include <zstd.h>

#include "event/codec_format.h"

struct column {
	const uint8_t *p;
	const uint8_t *end;
};

struct header {
	struct chunk_info info;
	uint32_t cols_raw, cols_len;
	uint32_t pay_raw, pay_len;
};

static uint32_t
get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static uint64_t
get_u64(const uint8_t *p)
{
	return get_u32(p) | (uint64_t)get_u32(p + 4) << 32;
}

static int
damaged(struct err *err, const char *what)
{
	return err_set(err, E_FORMAT, "a chunk of events is damaged: %s", what);
}

static int
header_read(struct span s, struct header *out, struct err *err)
{
	struct header h;
	const uint8_t *p = s.p;

	if (s.len < CHUNK_HEADER || get_u32(p + AT_MAGIC) != CHUNK_MAGIC)
		return damaged(err, "it has no header");
	if (p[AT_CODEC] != CHUNK_CODEC)
		return err_set(err, E_FORMAT,
			       "a chunk of events was written by another "
			       "version (codec %u)",
			       p[AT_CODEC]);
	if (get_u32(p + AT_CHECK) !=
	    (uint32_t)XXH3_64bits(p + AT_CODEC, s.len - AT_CODEC))
		return damaged(err, "its checksum is wrong");
	h.info.n = get_u32(p + AT_N);
	h.info.n_errors = get_u32(p + AT_ERRORS);
	h.info.first_seq = get_u64(p + AT_FIRST_SEQ);
	h.info.t_min = get_u64(p + AT_T_MIN);
	h.info.t_max = get_u64(p + AT_T_MAX);
	h.cols_raw = get_u32(p + AT_COLS_RAW);
	h.cols_len = get_u32(p + AT_COLS_LEN);
	h.pay_raw = get_u32(p + AT_PAY_RAW);
	h.pay_len = get_u32(p + AT_PAY_LEN);
	if (h.info.n == 0 || h.info.n > CHUNK_EVENTS ||
	    h.info.first_seq > UINT64_MAX - CHUNK_EVENTS ||
	    h.cols_raw < COL_COUNT * 4 ||
	    h.cols_raw > COL_COUNT * (4 + 10 * CHUNK_EVENTS) ||
	    h.pay_raw > CHUNK_PAYLOAD_MAX ||
	    (uint64_t)h.cols_len + h.pay_len != s.len - CHUNK_HEADER)
		return damaged(err, "its header makes no sense");
	h.info.raw_len = h.cols_raw + h.pay_raw;
	*out = h;
	return 0;
}

static size_t
scratch_size(const struct header *h)
{
	return sizeof(struct predict) + alignof(struct predict) + h->cols_raw +
	       h->pay_raw;
}

int
chunk_peek(struct span bytes, struct chunk_info *out, size_t *out_scratch,
	   struct err *err)
{
	struct header h;
	int r;

	if ((r = header_read(bytes, &h, err)) < 0)
		return r;
	if (out)
		*out = h.info;
	if (out_scratch)
		*out_scratch = scratch_size(&h);
	return 0;
}

/* Past its end a column reads as zeros, with p beyond end, which is looked at
 * once, when all events are read. */
static uint64_t
get_long(struct column *c)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t b;

		if (c->p >= c->end) {
			c->end = NULL;
			return 0;
		}
		b = *c->p++;
		v |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80)
			return v;
	}
	c->end = NULL;
	return 0;
}

static inline uint64_t
get(struct column *c)
{
	return c->p < c->end && *c->p < 0x80 ? *c->p++ : get_long(c);
}

static inline uint64_t
get_difference(struct column *c, uint64_t was)
{
	uint64_t z = get(c);

	return was + ((z >> 1) ^ (0 - (z & 1)));
}

static inline uint32_t
get_fixed(struct column *c)
{
	uint32_t v;

	if (!c->end || c->end - c->p < (ptrdiff_t)sizeof(v)) {
		c->end = NULL;
		return 0;
	}
	v = get_u32(c->p);
	c->p += sizeof(v);
	return v;
}

static int
columns_open(struct column col[COL_COUNT], const uint8_t *p, size_t len,
	     struct err *err)
{
	const uint8_t *lens = p;
	const uint8_t *at = p + COL_COUNT * 4;
	const uint8_t *end = p + len;

	for (unsigned i = 0; i < COL_COUNT; i++) {
		uint32_t n = get_u32(lens + i * 4);

		if (n > (size_t)(end - at))
			return damaged(err, "a column is too long");
		col[i] = (struct column){ at, at + n };
		at += n;
	}
	return at == end ? 0 : damaged(err, "bytes behind its columns");
}

static bool
columns_done(const struct column col[COL_COUNT])
{
	for (unsigned i = 0; i < COL_COUNT; i++)
		if (col[i].p != col[i].end)
			return false;
	return true;
}

static void
get_event(struct column col[COL_COUNT], struct predict *p, struct event *ev)
{
	struct predict_row *row, *entered;
	struct predict_row now;
	const uint64_t *base;

	ev->time_ns = p->time_ns = get_difference(&col[COL_TIME], p->time_ns);
	p->task = (uint32_t)get_difference(&col[COL_TASK], p->task);
	ev->task = p->task;
	ev->kind = (uint16_t)get(&col[COL_KIND]);
	ev->call = (int16_t)(uint16_t)(get(&col[COL_CALL]) - 1);
	row = &p->rows[predict_index(ev->kind, ev->call)];
	entered = &p->entered[ev->task % PREDICT_TASKS];
	ev->flags = now.flags = (uint32_t)get(&col[COL_FLAGS]) ^ row->flags;
	ev->reghash = now.reghash = get_fixed(&col[COL_REGHASH]) ^ row->reghash;
	ev->dur_ns = get(&col[COL_DUR]);
	base = ev->kind == EV_exit ? entered->v : row->v;
	for (unsigned i = 0; i < V_RET; i++)
		now.v[i] = get_difference(&col[COL_VALUE + i], base[i]);
	now.v[V_RET] = get_difference(&col[COL_RET], row->v[V_RET]);
	ev->pc = now.v[0];
	ev->sp = now.v[1];
	memcpy(ev->args, &now.v[2], sizeof(ev->args));
	ev->ret = (int64_t)now.v[V_RET];
	*row = now;
	if (ev->kind == EV_enter)
		*entered = now;
}

static int
unpack(struct span z, uint8_t *to, size_t len, struct err *err)
{
	size_t n;

	if (len == 0)
		return z.len == 0 ? 0 : damaged(err, "bytes without events");
	n = ZSTD_decompress(to, len, z.p, z.len);
	if (ZSTD_isError(n))
		return damaged(err, ZSTD_getErrorName(n));
	return n == len ? 0 : damaged(err, "it unpacks to another size");
}

/* ---- events that differ from the one before by times and hash alone */

#define RUN 8u /* looked for at a time */

/* The next n entries of c, of a byte each, are that byte. */
static inline bool
are(const struct column *c, uint8_t byte)
{
	uint64_t v;

	if (!c->end || c->end - c->p < (ptrdiff_t)sizeof(v))
		return false;
	memcpy(&v, c->p, sizeof(v));
	return v == byte * UINT64_C(0x0101010101010101);
}

/* Varints of at most two bytes. */
static bool
are_varint(const struct column *c, uint64_t v)
{
	const uint8_t two[2] = { (uint8_t)(v | 0x80), (uint8_t)(v >> 7) };

	if (v < 0x80)
		return are(c, (uint8_t)v);
	if (v >= 0x4000 || !c->end || c->end - c->p < (ptrdiff_t)(2 * RUN))
		return false;
	for (unsigned i = 0; i < RUN; i++)
		if (memcmp(c->p + 2 * i, two, sizeof(two)) != 0)
			return false;
	return true;
}

static bool
is_run(const struct column col[COL_COUNT], const struct event *last)
{
	for (unsigned i = COL_COUNT; i-- > COL_VALUE;)
		if (!are(&col[i], 0))
			return false;
	return are(&col[COL_TASK], 0) && are(&col[COL_FLAGS], 0) &&
	       are_varint(&col[COL_KIND], last->kind) &&
	       are_varint(&col[COL_CALL], (uint16_t)(last->call + 1)) &&
	       are_varint(&col[COL_PAYLOAD], last->payload.len);
}

static inline void
skip(struct column *c, uint64_t v)
{
	c->p += v < 0x80 ? RUN : 2 * RUN;
}

/* RUN events like ev[-1]; *at is where their payloads begin. */
static void
get_run(struct column col[COL_COUNT], struct predict *p, const uint8_t *pay,
	uint64_t *at, struct event *ev)
{
	for (int i = 0; i < (int)RUN; i++) {
		ev[i] = ev[-1];
		ev[i].seq = ev[i - 1].seq + 1;
		ev[i].time_ns = p->time_ns =
			get_difference(&col[COL_TIME], p->time_ns);
		ev[i].dur_ns = get(&col[COL_DUR]);
		ev[i].reghash =
			get_fixed(&col[COL_REGHASH]) ^ ev[i - 1].reghash;
		ev[i].payload.p = pay ? pay + *at : NULL;
		*at += ev[i].payload.len;
	}
	for (unsigned i = COL_VALUE; i < COL_COUNT; i++)
		col[i].p += RUN;
	col[COL_TASK].p += RUN;
	col[COL_FLAGS].p += RUN;
	skip(&col[COL_KIND], ev->kind);
	skip(&col[COL_CALL], (uint16_t)(ev->call + 1));
	skip(&col[COL_PAYLOAD], ev->payload.len);
	p->rows[predict_index(ev->kind, ev->call)].reghash =
		ev[RUN - 1].reghash;
}

/* ev[-1] and the one before it are the same call: others may follow. */
static inline bool
may_run(const struct event *ev, uint32_t done, uint32_t n)
{
	return done >= 2 && n - done >= RUN && ev[-1].kind == EV_syscall &&
	       ev[-2].kind == EV_syscall && ev[-1].call == ev[-2].call;
}

/* The fields of all events; payloads are set when pay is not NULL. */
static int
events_read(const struct header *h, struct column col[COL_COUNT],
	    struct predict *p, const uint8_t *pay, struct event *ev,
	    struct err *err)
{
	uint64_t at = 0;

	memset(p, 0, sizeof(*p));
	for (uint32_t i = 0; i < h->info.n; i++) {
		uint64_t len;

		if (pay && may_run(&ev[i], i, h->info.n) &&
		    ev[i - 1].payload.len * RUN <= h->pay_raw - at &&
		    is_run(col, &ev[i - 1])) {
			get_run(col, p, pay, &at, &ev[i]);
			i += RUN - 1;
			continue;
		}
		ev[i].seq = h->info.first_seq + i;
		get_event(col, p, &ev[i]);
		len = get(&col[COL_PAYLOAD]);
		if (len > h->pay_raw - at)
			return damaged(err, "a payload is too long");
		ev[i].payload = (struct span){ pay ? pay + at : NULL,
					       pay ? (size_t)len : 0 };
		at += len;
	}
	if (!columns_done(col))
		return damaged(err, "a column is too short or too long");
	return at == h->pay_raw ? 0 : damaged(err, "bytes behind its payloads");
}

/* A chunk that is being decoded: everything lies in the caller's scratch. */
struct opened {
	struct header h;
	struct predict *predict;
	struct column col[COL_COUNT];
	const uint8_t *pay; /* NULL: not unpacked */
};

static int
open_chunk(struct opened *o, struct span s, size_t n, void *scratch,
	   size_t scratch_len, bool payloads, struct err *err)
{
	uintptr_t at = (uintptr_t)scratch;
	uint8_t *cols, *pay;
	int r;

	if ((r = header_read(s, &o->h, err)) < 0)
		return r;
	if (n != o->h.info.n || scratch_len < scratch_size(&o->h))
		return err_set(err, E_FORMAT,
			       "a chunk of %u events and %zu bytes of scratch "
			       "does not fit into %zu and %zu",
			       o->h.info.n, scratch_size(&o->h), n,
			       scratch_len);
	at = (at + alignof(struct predict) - 1) &
	     ~(uintptr_t)(alignof(struct predict) - 1);
	o->predict = (struct predict *)at;
	cols = (uint8_t *)(o->predict + 1);
	pay = cols + o->h.cols_raw;
	if ((r = unpack(span_of(s.p + CHUNK_HEADER, o->h.cols_len), cols,
			o->h.cols_raw, err)) < 0 ||
	    (r = columns_open(o->col, cols, o->h.cols_raw, err)) < 0)
		return r;
	if (payloads && (r = unpack(span_of(s.p + CHUNK_HEADER + o->h.cols_len,
					    o->h.pay_len),
				    pay, o->h.pay_raw, err)) < 0)
		return r;
	o->pay = payloads ? pay : NULL;
	return 0;
}

static int
decode(struct span s, struct event *ev, size_t n, void *scratch,
       size_t scratch_len, bool payloads, struct err *err)
{
	struct opened o;
	int r = open_chunk(&o, s, n, scratch, scratch_len, payloads, err);

	return r < 0 ? r : events_read(&o.h, o.col, o.predict, o.pay, ev, err);
}

int
chunk_decode(struct span bytes, struct event *ev, size_t n, void *scratch,
	     size_t scratch_len, struct err *err)
{
	return decode(bytes, ev, n, scratch, scratch_len, true, err);
}

int
chunk_decode_fields(struct span bytes, struct event *ev, size_t n,
		    void *scratch, size_t scratch_len, struct err *err)
{
	return decode(bytes, ev, n, scratch, scratch_len, false, err);
}

/* ---- some columns, one after the other */

#define BIT(col) (1u << (col))
#define VALUE_BITS (BIT(COL_COUNT) - BIT(COL_VALUE))

_Static_assert(EVENT_COL_TIME == BIT(COL_TIME) &&
		       EVENT_COL_PAYLOAD == BIT(COL_PAYLOAD) &&
		       EVENT_COL_PC == BIT(COL_PC) &&
		       EVENT_COL_ARG(0) == BIT(COL_ARG) &&
		       EVENT_COL_RET == BIT(COL_RET),
	       "bits are the numbers of columns");

/* What one column is predicted from. */
struct predict_one {
	uint64_t rows[PREDICT_ROWS];
	uint64_t entered[PREDICT_TASKS];
};

_Static_assert(sizeof(struct predict_one) <= sizeof(struct predict),
	       "it lies in the same memory");

static const size_t value_at[N_VALUES] = {
	offsetof(struct event, pc),	 offsetof(struct event, sp),
	offsetof(struct event, args[0]), offsetof(struct event, args[1]),
	offsetof(struct event, args[2]), offsetof(struct event, args[3]),
	offsetof(struct event, args[4]), offsetof(struct event, args[5]),
	offsetof(struct event, ret),
};

static void
read_value(struct column *c, unsigned v, struct predict_one *p,
	   struct event *ev, size_t n)
{
	size_t at = value_at[v];

	memset(p, 0, sizeof(*p));
	for (size_t i = 0; i < n; i++) {
		uint64_t *row = &p->rows[predict_index(ev[i].kind, ev[i].call)];
		uint64_t *entered = &p->entered[ev[i].task % PREDICT_TASKS];
		uint64_t now;

		now = get_difference(c, ev[i].kind == EV_exit && v != V_RET
						? *entered
						: *row);
		*row = now;
		if (ev[i].kind == EV_enter)
			*entered = now;
		memcpy((char *)&ev[i] + at, &now, sizeof(now));
	}
}

static void
read_words(struct column *c, bool hash, struct predict_one *p, struct event *ev,
	   size_t n)
{
	memset(p, 0, sizeof(*p));
	for (size_t i = 0; i < n; i++) {
		uint64_t *row = &p->rows[predict_index(ev[i].kind, ev[i].call)];

		*row ^= hash ? get_fixed(c) : (uint32_t)get(c);
		if (hash)
			ev[i].reghash = (uint32_t)*row;
		else
			ev[i].flags = (uint32_t)*row;
	}
}

/* Columns that nothing but themselves is needed for. */
static void
read_plain(struct column *c, unsigned which, struct event *ev, size_t n)
{
	uint64_t was = 0;

	for (size_t i = 0; which == COL_TIME && i < n; i++)
		ev[i].time_ns = was = get_difference(c, was);
	for (size_t i = 0; which == COL_TASK && i < n; i++) {
		was = (uint32_t)get_difference(c, was);
		ev[i].task = (uint32_t)was;
	}
	for (size_t i = 0; which == COL_KIND && i < n; i++)
		ev[i].kind = (uint16_t)get(c);
	for (size_t i = 0; which == COL_CALL && i < n; i++)
		ev[i].call = (int16_t)(uint16_t)(get(c) - 1);
	for (size_t i = 0; which == COL_DUR && i < n; i++)
		ev[i].dur_ns = get(c);
}

static int
read_payloads(struct column *c, const struct opened *o, struct event *ev,
	      struct err *err)
{
	uint64_t at = 0;

	for (uint32_t i = 0; i < o->h.info.n; i++) {
		uint64_t len = get(c);

		if (len > o->h.pay_raw - at)
			return damaged(err, "a payload is too long");
		ev[i].payload = span_of(o->pay + at, (size_t)len);
		at += len;
	}
	return at == o->h.pay_raw ? 0
				  : damaged(err, "bytes behind its payloads");
}

int
chunk_decode_some(struct span bytes, uint32_t cols, struct event *ev, size_t n,
		  void *scratch, size_t scratch_len, struct err *err)
{
	struct predict_one *p;
	struct opened o;
	int r;

	if (cols & (VALUE_BITS | BIT(COL_FLAGS) | BIT(COL_REGHASH)))
		cols |= BIT(COL_TASK) | BIT(COL_KIND) | BIT(COL_CALL);
	r = open_chunk(&o, bytes, n, scratch, scratch_len,
		       cols & BIT(COL_PAYLOAD), err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		ev[i].seq = o.h.info.first_seq + i;
		ev[i].payload = (struct span){ 0 };
	}
	p = (struct predict_one *)o.predict;
	for (unsigned i = 0; r == 0 && i < COL_COUNT; i++) {
		struct column *c = &o.col[i];

		if (!(cols & BIT(i)))
			continue;
		if (i == COL_PAYLOAD)
			r = read_payloads(c, &o, ev, err);
		else if (i >= COL_VALUE)
			read_value(c, i - COL_VALUE, p, ev, n);
		else if (i == COL_FLAGS || i == COL_REGHASH)
			read_words(c, i == COL_REGHASH, p, ev, n);
		else
			read_plain(c, i, ev, n);
		if (r == 0 && c->p != c->end)
			r = damaged(err, "a column is too short or too long");
	}
	return r;
}
