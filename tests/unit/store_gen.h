#ifndef TESTS_UNIT_STORE_GEN_H
#define TESTS_UNIT_STORE_GEN_H

/*
 * Made-up events that look like those of a busy program: several tasks, runs
 * of similar calls, slowly moving addresses, small payloads now and then.
 * The same seed gives the same events.
 */
#include "base/buf.h"
#include "event/event.h"
#include "event/item.h"

struct gen {
	uint64_t rng;
	uint64_t seq, time_ns;
	uint32_t task;
	unsigned step; /* in the current pattern */
	unsigned pattern;
	uint64_t pos;
	struct buf payload;
};

void gen_init(struct gen *g, uint64_t seed);
void gen_free(struct gen *g);
/* The next event; its payload is good until the next call. */
void gen_next(struct gen *g, struct event *out);

#endif
