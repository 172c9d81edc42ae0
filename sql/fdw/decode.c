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

/* Nothing but seq is wanted, which the index has. */
static void
number(struct decoder *d, int64 recording, const struct chunk_meta *c)
{
	if (c->n < 0 || c->n > (int32)CHUNK_EVENTS)
		damaged(recording, c, "are more than a chunk has");
	for (int32 i = 0; i < c->n; i++)
		d->ev[i].seq = (uint64_t)(c->first_seq + i);
}

void
decoder_chunk(struct decoder *d, struct chunk_table *t, int64 recording,
	      const struct chunk_meta *c, uint32_t cols)
{
	MemoryContext was;
	struct err err = { 0 };
	struct chunk_info info;
	struct span bytes;
	size_t need;

	if (cols == 0) {
		number(d, recording, c);
		return;
	}
	was = MemoryContextSwitchTo(d->once);
	bytes = chunk_table_data(t);
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
