#include "event/sink.h"

int
sink_put_many(struct sink *s, const struct event *ev, size_t n, struct err *err)
{
	int r = 0;

	if (s->ops->put_many)
		return s->ops->put_many(s, ev, n, err);
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = sink_put(s, &ev[i], err);
	return r;
}

int
sink_blobs(struct sink *s, struct span bytes, struct buf *ids, struct err *err)
{
	const size_t start = ids->len;

	for (size_t at = 0; at < bytes.len; at += BLOB_PIECE) {
		size_t n = bytes.len - at;
		struct blob_id id;
		int r;

		if (n > BLOB_PIECE)
			n = BLOB_PIECE;
		r = sink_blob(s, span_of(bytes.p + at, n), &id, err);
		if (r < 0) {
			ids->len = start;
			return r;
		}
		buf_put(ids, id.b, sizeof(id.b));
	}
	return 0;
}
