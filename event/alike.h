#ifndef EVENT_ALIKE_H
#define EVENT_ALIKE_H

/*
 * What of an event is the same in every recording of a command that goes the
 * same way. Left out is what differs from run to run without any meaning: pids
 * (a task is told by its place in the tree), addresses, times, names that
 * mkstemp and its like made up, what /proc and the devices of chance say, and
 * calls that depend on them (clocks, memory for malloc, waits for locks).
 *
 * One struct alike reads one recording from its first event on: who has which
 * pid is known from the births that went before.
 */
#include "event/event.h"
#include <stdbool.h>

struct alike;

/* Parts of an event in which two can differ. */
enum alike_part {
	ALIKE_WHAT = 1u << 0, /* the kind of event, the call */
	ALIKE_ARGS = 1u << 1, /* numbers, flags, descriptors */
	ALIKE_PATH = 1u << 2, /* paths, addresses, command lines */
	ALIKE_DATA = 1u << 3, /* bytes read or written */
	ALIKE_RET = 1u << 4,  /* the result, the error, a status */
};

/* An event as it is compared; hashes. */
struct alike_sig {
	uint64_t seq;
	uint32_t what; /* 0: from here on the task does not matter: it was
			  ended by another one, wherever it stood */
	uint32_t args, path, ret;
	uint32_t data, plain_data; /* as they are; without pids, times, ... */
	uint32_t plain_args, plain_ret; /* without how many bytes */
};

struct alike *alike_new(void);
void alike_free(struct alike *a); /* NULL allowed */
/*
 * The next event of the recording. True, and where its task stands in the tree
 * (equal numbers are equal places), when it is one to be compared.
 */
bool alike_event(struct alike *a, const struct event *ev, uint64_t *out_place,
		 struct alike_sig *out);
/* Parts in which they differ (enum alike_part); 0 = alike. */
unsigned alike_compare(const struct alike_sig *a, const struct alike_sig *b);
/* Text without what differs from run to run; for bytes that one wrote or read.
 */
struct buf;
void alike_plain(struct alike *a, struct span text, struct buf *out);

#endif
