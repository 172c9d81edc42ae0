#ifndef SQL_FDW_DECODE_H
#define SQL_FDW_DECODE_H

/* The bytes of a chunk to events, with errors that say which one it is. */
#include "sql/fdw/server.h"

#include "event/event.h"
#include "sql/fdw/chunks.h"

struct decoder {
	MemoryContext context; /* of what follows */
	struct event *ev;
	void *scratch;
	size_t scratch_len;
	MemoryContext once; /* for the compressed bytes */
};

/* Memory: the current context. */
void decoder_init(struct decoder *d);
/* Events of the chunk that t stands at; cols as for chunk_decode_some. What is
 * damaged is an error of the query. */
void decoder_chunk(struct decoder *d, struct chunk_table *t, int64 recording,
		   const struct chunk_meta *c, uint32_t cols);

#endif
