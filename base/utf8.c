#include "base/utf8.h"

/* Length of the valid UTF-8 sequence at p, 0 when there is none. Overlong
 * forms, surrogates and what is above U+10FFFF are not valid. */
static size_t
utf8_len(const uint8_t *p, size_t left)
{
	uint32_t c = p[0];
	size_t n;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };

	if (c < 0x80)
		return c != 0;
	if (c >= 0xc2 && c < 0xe0)
		n = 2;
	else if (c >= 0xe0 && c < 0xf0)
		n = 3;
	else if (c >= 0xf0 && c < 0xf5)
		n = 4;
	else
		return 0;
	if (n > left)
		return 0;
	c &= 0x7fu >> n;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	return n;
}

void
utf8_put(struct buf *b, struct span s)
{
	size_t i = 0, from = 0;

	while (i < s.len) {
		size_t n = utf8_len(s.p + i, s.len - i);

		if (n) {
			i += n;
			continue;
		}
		buf_put(b, s.p + from, i - from);
		buf_printf(b, "\\x%02x", s.p[i]);
		from = ++i;
	}
	buf_put(b, s.p + from, s.len - from);
}
