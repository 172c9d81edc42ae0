#ifndef RECORDER_CHAOS_VECTOR_H
#define RECORDER_CHAOS_VECTOR_H

/* Calls with several buffers do less than they are asked for. */
#include <stdbool.h>
#include <stdint.h>

struct err;
struct recorder;
struct task;

/* Words in memory that say how much a call is to do, changed while it runs. */
struct cut {
	unsigned n;
	bool on;
	struct {
		uint64_t addr, was, is;
	} word[2];
};

/* What a call with a vector of buffers may do in all, 0: it is none or may not
 * be cut short. */
uint64_t vector_len(const struct task *t);
/* It shall do no more than part of that. */
enum {
	VECTOR_WHOLE, /* it cannot be cut */
	VECTOR_CUT,
	VECTOR_AGAIN, /* it is issued again (resumed already) */
};
int vector_cut(struct recorder *r, struct task *t, uint64_t part,
	       struct err *err);

#endif
