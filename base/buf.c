#include "base/buf.h"

#include <stdio.h>

#include "base/mem.h"

#define CAP_MIN 64u

void
buf_free(struct buf *b)
{
	mem_free(b->p);
	*b = (struct buf){ 0 };
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
}

void
buf_reserve(struct buf *b, size_t more)
{
	size_t need, cap;

	if (more <= b->cap - b->len)
		return;
	if (more > SIZE_MAX / 2 - b->len)
		die("out of memory: %zu bytes more", more);
	need = b->len + more;
	cap = b->cap < CAP_MIN ? CAP_MIN : b->cap * 2;
	if (cap < need)
		cap = need;
	b->p = mem_realloc(b->p, cap);
	b->cap = cap;
}

uint8_t *
buf_grow(struct buf *b, size_t n)
{
	uint8_t *p;

	buf_reserve(b, n ? n : 1);
	p = b->p + b->len;
	b->len += n;
	return p;
}

void
buf_put(struct buf *b, const void *p, size_t n)
{
	if (n > 0)
		memcpy(buf_grow(b, n), p, n);
}

void
buf_u8(struct buf *b, uint8_t v)
{
	*buf_grow(b, 1) = v;
}

static void
put_le(struct buf *b, uint64_t v, size_t n)
{
	uint8_t *p = buf_grow(b, n);

	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

void
buf_u32(struct buf *b, uint32_t v)
{
	put_le(b, v, 4);
}

void
buf_u64(struct buf *b, uint64_t v)
{
	put_le(b, v, 8);
}

void
buf_varint(struct buf *b, uint64_t v)
{
	while (v >= 0x80) {
		buf_u8(b, (uint8_t)(v | 0x80));
		v >>= 7;
	}
	buf_u8(b, (uint8_t)v);
}

void
buf_zigzag(struct buf *b, int64_t v)
{
	buf_varint(b, ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0));
}

void
buf_str(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	size_t room = b->cap - b->len;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(room ? (char *)b->p + b->len : NULL, room, fmt, ap);
	ASSERT(n >= 0);
	if ((size_t)n >= room) {
		buf_reserve(b, (size_t)n + 1);
		vsnprintf((char *)b->p + b->len, (size_t)n + 1, fmt, again);
	}
	b->len += (size_t)n;
	va_end(again);
	va_end(ap);
}

static void
escape_byte(struct buf *b, uint8_t c)
{
	static const char hex[] = "0123456789abcdef";

	switch (c) {
	case '\n':
		buf_put(b, "\\n", 2);
		return;
	case '\t':
		buf_put(b, "\\t", 2);
		return;
	case '"':
	case '\\':
		buf_u8(b, '\\');
		buf_u8(b, c);
		return;
	default:
		break;
	}
	if (c >= 0x20 && c < 0x7f) {
		buf_u8(b, c);
		return;
	}
	buf_put(b, "\\x", 2);
	buf_u8(b, (uint8_t)hex[c >> 4]);
	buf_u8(b, (uint8_t)hex[c & 15]);
}

void
buf_escape(struct buf *b, struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		escape_byte(b, s.p[i]);
}

const char *
buf_cstr(struct buf *b)
{
	buf_reserve(b, 1);
	b->p[b->len] = '\0';
	return (const char *)b->p;
}

struct span
buf_span(const struct buf *b)
{
	return span_of(b->p, b->len);
}

static uint64_t
get_le(struct reader *r, size_t n)
{
	struct span s = reader_bytes(r, n);
	uint64_t v = 0;

	for (size_t i = 0; i < s.len; i++)
		v |= (uint64_t)s.p[i] << (8 * i);
	return v;
}

uint8_t
reader_u8(struct reader *r)
{
	return (uint8_t)get_le(r, 1);
}

uint32_t
reader_u32(struct reader *r)
{
	return (uint32_t)get_le(r, 4);
}

uint64_t
reader_u64(struct reader *r)
{
	return get_le(r, 8);
}

uint64_t
reader_long_varint(struct reader *r)
{
	uint64_t v = 0;
	uint8_t c;

	for (unsigned shift = 0; !r->bad && shift < 64 && r->p < r->end;
	     shift += 7) {
		c = *r->p++;
		/* The tenth byte has room for one bit. */
		if (shift == 63 && c > 1)
			break;
		v |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80)
			return v;
	}
	r->bad = true;
	return 0;
}

int64_t
reader_zigzag(struct reader *r)
{
	uint64_t v = reader_varint(r);

	return (int64_t)((v >> 1) ^ (v & 1 ? UINT64_MAX : 0));
}
