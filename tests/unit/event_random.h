#ifndef TESTS_UNIT_EVENT_RANDOM_H
#define TESTS_UNIT_EVENT_RANDOM_H

/* Reproducible random numbers and events for the tests of event/. */
#include "event/event.h"

static inline uint64_t
random_u64(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* A number with a random number of bits, so that small ones are as frequent
 * as large ones. */
static inline uint64_t
random_bits(uint64_t *state)
{
	uint64_t bits = random_u64(state) % 65;

	return bits == 0 ? 0 : random_u64(state) >> (64 - bits);
}

static inline struct event
random_event(uint64_t *state, uint64_t seq)
{
	struct event ev = {
		.seq = seq,
		.time_ns = random_bits(state),
		.dur_ns = random_bits(state),
		.task = (uint32_t)random_bits(state),
		.flags = (uint32_t)random_bits(state),
		.kind = (uint16_t)random_bits(state),
		.call = (int16_t)random_bits(state),
		.reghash = (uint32_t)random_bits(state),
		.pc = random_bits(state),
		.sp = random_bits(state),
		.ret = (int64_t)random_bits(state),
	};

	for (int i = 0; i < 6; i++)
		ev.args[i] = random_bits(state);
	return ev;
}

#endif
