#ifndef EVENT_POS_H
#define EVENT_POS_H

/*
 * A position: a moment of a recording. e1234 = just after event 1234 took
 * effect; e1234+0x401136#17 = after it, the same task standing before the
 * instruction at that address for the 17th time; +3 = three instructions
 * later. e0 is the moment before the first event.
 */
#include "base/err.h"
#include <stdint.h>

struct pos {
	uint64_t seq;
	uint32_t task;	 /* 0 = the task of event seq */
	uint64_t pc;	 /* 0 = at the event itself */
	uint64_t visit;	 /* from 1 when pc is set */
	uint64_t steps;
};

#define POS_TEXT_MAX 96

/* "e1234+0x401136#17+3"; returns text. */
const char *pos_format(const struct pos *p, char text[POS_TEXT_MAX]);

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
