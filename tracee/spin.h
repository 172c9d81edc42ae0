#ifndef TRACEE_SPIN_H
#define TRACEE_SPIN_H

/* What a task waits for that waits by looking at memory. */
#include "base/err.h"
#include "tracee/mem.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SPIN_WORDS 4u

struct spin {
	unsigned n; /* words; 0 = none known */
	struct spin_word {
		uint64_t addr, value;
		unsigned len;
	} word[SPIN_WORDS];
	uint64_t from, to; /* code of its loop: the instructions' addresses */
};

enum spin_what {
	SPIN_NONE, /* not that anybody could see; it may have been stepped on */
	SPIN_FOUND, /* it waits; its program counter is what it was */
	SPIN_STOP,  /* a stop waits to be taken (a signal, its death) */
};

/*
 * The task stands in user code at a stop of ours, without debug registers of
 * ours: it is stepped round its loop. When its registers are as they were by
 * then and no memory has changed, it will do nothing else until one of the
 * words that it has read does. SIGTRAP must not be ignored. Returns enum
 * spin_what.
 */
int spin_find(pid_t tid, const struct mem *m, struct spin *out,
	      struct err *err);
/*
 * Would it go on so with the words as they are now? It is tried, and whatever
 * comes of it, the task is as it was before. *s: as found; on SPIN_FOUND it is
 * brought up to date.
 */
int spin_would(pid_t tid, const struct mem *m, struct spin *s, struct err *err);
/* Is what it looks at as it was? */
bool spin_goes_on(const struct spin *s, const struct mem *m);

#endif
