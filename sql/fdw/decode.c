#include "sql/fdw/decode.h"

#include <utils/memutils.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "event/codec.h"

void
decoder_init(struct decoder *d)
{
	*d = (struct decoder){ .context = CurrentMemoryContext };
	d->ev = palloc0(CHUNK_EVENTS * sizeof(*d->ev));
	d->once = AllocSetContextCreate(d->context, "pastime chunk",
					ALLOCSET_DEFAULT_SIZES);
}

static void
damaged(int64 recording, const struct chunk_meta *c, const char *why)
{
	ereport(ERROR,
		(errcode(ERRCODE_DATA_CORRUPTED),
		 errmsg("recording " INT64_FORMAT
			" is damaged: events " INT64_FORMAT " to " INT64_FORMAT
			" %s",
			recording, c->first_seq, c->first_seq + c->n - 1, why),
		 errhint("Other events can be asked for: seq < " INT64_FORMAT
			 ", seq >= " INT64_FORMAT ".",
			 c->first_seq, c->first_seq + c->n)));
}

void
decoder_chunk(struct decoder *d, struct chunk_table *t, int64 recording,
	      const struct chunk_meta *c, uint32_t cols)
{
	MemoryContext was = MemoryContextSwitchTo(d->once);
	struct err err = { 0 };
	struct chunk_info info;
	struct span bytes = chunk_table_data(t);
	size_t need;

	if (c->codec != CHUNK_CODEC)
		damaged(recording, c, "have a form that a newer pastime wrote");
	if (XXH3_64bits(bytes.p, bytes.len) != (uint64_t)c->crc)
		damaged(recording, c, "have a wrong checksum");
	if (chunk_peek(bytes, &info, &need, &err) < 0)
		damaged(recording, c, err.text);
	if (info.first_seq != (uint64_t)c->first_seq ||
	    info.n != (uint32_t)c->n)
		damaged(recording, c, "contradict their index");
	if (need > d->scratch_len) {
		if (d->scratch)
			pfree(d->scratch);
		d->scratch = NULL;
		d->scratch_len = 0;
		d->scratch = MemoryContextAllocHuge(d->context, need);
		d->scratch_len = need;
	}
	if (chunk_decode_some(bytes, cols, d->ev, info.n, d->scratch,
			      d->scratch_len, &err) < 0)
		damaged(recording, c, err.text);
	MemoryContextSwitchTo(was);
	MemoryContextReset(d->once);
}
