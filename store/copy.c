#include "store/copy.h"

#include "base/utf8.h"

void
copy_text(struct buf *b, struct span s)
{
	size_t at = b->len;
	uint32_t len;

	copy_be32(b, 0);
	utf8_put(b, s);
	len = htobe32((uint32_t)(b->len - at - 4));
	memcpy(b->p + at, &len, 4);
}
