#ifndef EVENT_MEMLOG_H
#define EVENT_MEMLOG_H

/* A whole recording in memory: the fake store of the tests. It encodes and
 * decodes with event/codec, so that what comes out went through it. */
#include "event/sink.h"
#include "event/source.h"

struct memlog;

struct memlog *memlog_new(void);
void memlog_free(struct memlog *m);
/* Both borrowed: they live as long as m; sink close seals the last chunk. */
struct sink *memlog_sink(struct memlog *m);
struct source *memlog_source(struct memlog *m);
/* Keep a stored checkpoint; its blobs go to the sink. In order. */
void memlog_stored(struct memlog *m, const struct source_stored *at,
		   struct span state);
uint64_t memlog_count(const struct memlog *m);

#endif
