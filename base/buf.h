#ifndef BASE_BUF_H
#define BASE_BUF_H

/* A growing byte buffer, also used to build text. Zero-initialised is empty. */
#include "base/span.h"
#include <stdarg.h>

struct buf {
	uint8_t *p;
	size_t len;
	size_t cap;
};

void buf_free(struct buf *b);			/* releases, back to empty */
void buf_clear(struct buf *b);			/* len = 0, keeps memory */
void buf_reserve(struct buf *b, size_t more);	/* cap >= len + more */
uint8_t *buf_grow(struct buf *b, size_t n);	/* len += n, returns the new bytes */
void buf_put(struct buf *b, const void *p, size_t n);
void buf_u8(struct buf *b, uint8_t v);
void buf_u32(struct buf *b, uint32_t v);	/* little endian */
void buf_u64(struct buf *b, uint64_t v);
void buf_varint(struct buf *b, uint64_t v);	/* LEB128 */
void buf_zigzag(struct buf *b, int64_t v);
void buf_str(struct buf *b, const char *s);	/* without NUL */
void buf_printf(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Append bytes as a C-like escaped text: printable as is, \n \t \" \\ \xHH. */
void buf_escape(struct buf *b, struct span s);
/* NUL after the end (not counted in len); the pointer is good until the next
 * call on b. */
const char *buf_cstr(struct buf *b);
struct span buf_span(const struct buf *b);

/*
 * A reader over a span; reading past the end sets bad and returns zeros, so
 * that callers check once at the end. Input is hostile.
 */
struct reader {
	const uint8_t *p;
	const uint8_t *end;
	bool bad;
};

uint8_t reader_u8(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
int64_t reader_zigzag(struct reader *r);
uint64_t reader_long_varint(struct reader *r); /* any */

static inline void
reader_init(struct reader *r, struct span s)
{
	r->p = s.p;
	r->end = s.len ? s.p + s.len : s.p;
	r->bad = false;
}

/* Most are of one byte. */
static inline uint64_t
reader_varint(struct reader *r)
{
	return !r->bad && r->p < r->end && *r->p < 0x80 ? *r->p++
							: reader_long_varint(r);
}

/* The next n bytes, borrowed from the span; empty and bad when there are fewer. */
static inline struct span
reader_bytes(struct reader *r, size_t n)
{
	struct span s = { 0 };

	if (r->bad || n > (size_t)(r->end - r->p)) {
		r->bad = true;
		return s;
	}
	if (n > 0) {
		s = span_of(r->p, n);
		r->p += n;
	}
	return s;
}

/* Nothing left, or bad. */
static inline bool
reader_done(const struct reader *r)
{
	return r->bad || r->p == r->end;
}

#endif
