#ifndef EVENT_POS_H
#define EVENT_POS_H

/*
 * A position: a moment of a recording. e1234 = just after event 1234 took
 * effect; e0 is before the first.
 *
 * e1234+0x401136#17 = later, in the code that runs between events 1234 and
 * 1235: before the instruction at that address is executed for the 17th time,
 * the standing there at e1234 included; +3 = three instructions later still (a
 * repeated string instruction is one). e1234+3 = three instructions after
 * e1234. That code is of one task, the one that event 1235 belongs to, whoever
 * event 1234 was of. When nothing runs before event 1235 (it is applied to a
 * task where that stands: a signal, a birth) the next code that runs is meant.
 *
 * e1234+0x401136#17+0x4005f0#3+2 = from that 17th arrival on, the 3rd one at
 * 0x4005f0, and two instructions more. It names moments deep within a long
 * computation, where arrivals at the second address were not counted from the
 * event on.
 */
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct pos {
	uint64_t seq;
	uint32_t task;	 /* whose code: its next after event seq; 0 = of
			  * whichever task runs next */
	uint64_t pc;	 /* 0 = at the event itself */
	uint64_t visit;	 /* from 1 when pc is set */
	uint64_t steps;
	/* Not 0: visit counts from the via_visit-th arrival at via_pc, which is
	 * another address than pc. */
	uint64_t via_pc, via_visit;
};

#define POS_TEXT_MAX 144

/* "e1234+0x401136#17+3"; returns text. */
const char *pos_format(const struct pos *p, char text[POS_TEXT_MAX]);

/* The same name: the task is not looked at, which a name need not have. */
bool pos_same(const struct pos *a, const struct pos *b);

/*
 * The order of two positions whose seq is that of the interval they are in,
 * from their names alone: < 0, 0, > 0 in *out. False: they are in one interval
 * at different addresses, and only running it tells.
 */
bool pos_order(const struct pos *a, const struct pos *b, int *out);

enum pos_form { POS_EXACT, POS_START, POS_END, POS_PERCENT, POS_TIME, POS_MARK };

/* What a user typed; percent, time and bookmark need the recording to resolve. */
struct pos_spec {
	enum pos_form form;
	struct pos pos;	    /* POS_EXACT */
	double number;	    /* POS_PERCENT: 0-100; POS_TIME: seconds */
	const char *mark;   /* POS_MARK: borrowed from text */
};

/* Errors: E_POSITION, saying what is wrong and what forms there are. */
int pos_parse(const char *text, struct pos_spec *out, struct err *err);

#endif
