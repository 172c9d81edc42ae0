#include "gdb/packet.h"

#include <string.h>

#include "base/mem.h"

#define RUN_BASE 29 /* "c*N": N - 29 more of c */

static const char digits[] = "0123456789abcdef";

int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

void
hex_put(struct buf *out, const void *bytes, size_t n)
{
	const uint8_t *from = bytes;
	uint8_t *p = buf_grow(out, 2 * n);

	for (size_t i = 0; i < n; i++) {
		p[2 * i] = (uint8_t)digits[from[i] >> 4];
		p[2 * i + 1] = (uint8_t)digits[from[i] & 15];
	}
}

void
hex_put_le(struct buf *out, uint64_t v, unsigned bytes)
{
	hex_put(out, &v, bytes);
}

bool
hex_get(struct span text, struct buf *out)
{
	size_t begin = out->len;

	if (text.len % 2 != 0)
		return false;
	for (size_t i = 0; i < text.len; i += 2) {
		int high = hex_digit((char)text.p[i]);
		int low = hex_digit((char)text.p[i + 1]);

		if (high < 0 || low < 0) {
			out->len = begin;
			return false;
		}
		buf_u8(out, (uint8_t)(high << 4 | low));
	}
	return true;
}

/* ---- packets */

void
packets_feed(struct packets *p, const void *bytes, size_t n)
{
	/* What has been looked at goes when it is the larger part. */
	if (p->at > 0 && p->at >= p->raw.len / 2) {
		p->raw.len -= p->at;
		memmove(p->raw.p, p->raw.p + p->at, p->raw.len);
		p->at = 0;
	}
	buf_put(&p->raw, bytes, n);
}

void
packets_release(struct packets *p)
{
	buf_free(&p->raw);
	p->at = 0;
}

/* The bytes between $ and #, as they were meant. */
static bool
unpack(struct span body, struct buf *data)
{
	buf_clear(data);
	for (size_t i = 0; i < body.len; i++) {
		uint8_t c = body.p[i];

		if (c == '}') {
			if (++i == body.len)
				return false;
			buf_u8(data, body.p[i] ^ 0x20);
		} else if (c == '*') {
			if (++i == body.len || data->len == 0 ||
			    body.p[i] <= RUN_BASE || body.p[i] > 126)
				return false;
			c = data->p[data->len - 1];
			memset(buf_grow(data, body.p[i] - RUN_BASE), c,
			       body.p[i] - RUN_BASE);
		} else {
			buf_u8(data, c);
		}
		if (data->len > PACKET_SIZE)
			return false;
	}
	return true;
}

/* raw.p[at] is the '$'. */
static enum packet_kind
take(struct packets *p, struct buf *data)
{
	const uint8_t *begin = p->raw.p + p->at + 1;
	size_t left = p->raw.len - p->at - 1;
	const uint8_t *hash = memchr(begin, '#', left);
	size_t len = hash ? (size_t)(hash - begin) : left;
	uint8_t sum = 0;
	int high, low;

	/* One that does not end is forgotten as it comes. */
	if (len > 2 * PACKET_SIZE) {
		p->at += 1 + len;
		return PACKET_BAD;
	}
	if (!hash || left - len < 3)
		return PACKET_NONE;
	p->at += 1 + len + 3;
	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + begin[i]);
	high = hex_digit((char)hash[1]);
	low = hex_digit((char)hash[2]);
	if (high < 0 || low < 0 || sum != (high << 4 | low) ||
	    !unpack(span_of(begin, len), data))
		return PACKET_BAD;
	return PACKET_DATA;
}

enum packet_kind
packets_next(struct packets *p, struct buf *data)
{
	while (p->at < p->raw.len) {
		switch (p->raw.p[p->at]) {
		case '$':
			return take(p, data);
		case '+':
			p->at++;
			return PACKET_ACK;
		case '-':
			p->at++;
			return PACKET_NAK;
		case 0x03:
			p->at++;
			return PACKET_INTERRUPT;
		default: /* noise between packets */
			p->at++;
		}
	}
	return PACKET_NONE;
}

bool
packets_interrupted(struct packets *p)
{
	/* While a program runs a client sends nothing else but acks. */
	while (p->at < p->raw.len && p->raw.p[p->at] == '+')
		p->at++;
	if (p->at == p->raw.len || p->raw.p[p->at] != 0x03)
		return false;
	p->at++;
	return true;
}

void
packet_put(struct buf *out, struct span data)
{
	uint8_t sum = 0;
	size_t begin;

	buf_u8(out, '$');
	begin = out->len;
	for (size_t i = 0; i < data.len; i++) {
		uint8_t c = data.p[i];

		if (c == '$' || c == '#' || c == '}' || c == '*') {
			buf_u8(out, '}');
			c ^= 0x20;
		}
		buf_u8(out, c);
	}
	for (size_t i = begin; i < out->len; i++)
		sum = (uint8_t)(sum + out->p[i]);
	buf_u8(out, '#');
	hex_put(out, &sum, 1);
}

/* ---- parsing */

void
scan_init(struct scan *s, struct span text)
{
	s->p = (const char *)text.p;
	s->end = s->p + text.len;
	s->bad = false;
}

bool
scan_done(const struct scan *s)
{
	return !s->bad && s->p == s->end;
}

bool
scan_word(struct scan *s, const char *word)
{
	size_t n = strlen(word);

	if (s->bad || (size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
		return false;
	s->p += n;
	return true;
}

void
scan_char(struct scan *s, char c)
{
	if (s->bad || s->p == s->end || *s->p != c)
		s->bad = true;
	else
		s->p++;
}

uint64_t
scan_hex(struct scan *s)
{
	uint64_t v = 0;
	unsigned n = 0;

	while (!s->bad && s->p < s->end && hex_digit(*s->p) >= 0) {
		v = v << 4 | (uint64_t)hex_digit(*s->p++);
		n++;
	}
	s->bad |= n == 0 || n > 16;
	return s->bad ? 0 : v;
}

struct span
scan_until(struct scan *s, char c)
{
	const char *begin = s->p;
	const char *at;

	if (s->bad)
		return span_of(NULL, 0);
	at = memchr(s->p, c, (size_t)(s->end - s->p));
	s->p = at ? at + 1 : s->end;
	return span_of(begin, (size_t)((at ? at : s->end) - begin));
}

struct span
scan_rest(struct scan *s)
{
	struct span all = span_of(s->p, s->bad ? 0 : (size_t)(s->end - s->p));

	s->p = s->end;
	return all;
}
