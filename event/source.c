#include "event/source.h"

#include <string.h>

/* One piece; every piece but the last has BLOB_PIECE bytes. */
static int
append_piece(struct source *s, const struct item *it, size_t i, size_t pieces,
	     struct buf *tmp, struct err *err)
{
	const size_t before = tmp->len;
	const size_t want = i + 1 < pieces ? BLOB_PIECE
					   : (size_t)(it->len - i * BLOB_PIECE);
	struct blob_id id;
	int r;

	memcpy(id.b, it->bytes.p + i * sizeof(id.b), sizeof(id.b));
	if ((r = source_blob(s, &id, tmp, err)) < 0)
		return r;
	if (tmp->len - before != want)
		return err_set(err, E_FORMAT,
			       "a blob has %zu bytes, its event says %zu",
			       tmp->len - before, want);
	return 0;
}

int
source_item_bytes(struct source *s, const struct item *it, struct buf *tmp,
		  struct span *out, struct err *err)
{
	const size_t pieces = it->bytes.len / sizeof(struct blob_id);
	int r;

	if (it->kind != ITEM_MEM_BLOB && it->kind != ITEM_IN_BLOB) {
		*out = it->bytes;
		return 0;
	}
	buf_clear(tmp);
	/* item_next has checked that there are as many ids as len needs. */
	for (size_t i = 0; i < pieces; i++)
		if ((r = append_piece(s, it, i, pieces, tmp, err)) < 0)
			return r;
	*out = buf_span(tmp);
	return 0;
}
