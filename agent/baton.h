#ifndef AGENT_BATON_H
#define AGENT_BATON_H

/* Calls that wait while others of the group run (baton.c). */
#include "agent/inside.h"

/* Memory that is told when a call begins; len 0: none. */
struct agent_input {
	uint64_t addr, len;
};

/* Says that nr
 * begins, gives the baton up, makes it, takes the baton. Returns a record, with
 * room for need bytes more, that says that it is over; ret is what it returned.
 * 0: nothing is done, it has to trap. agent_stand_init comes first. */
struct agent_rec *agent_hand_over(long nr, const struct agent_frame *f,
				  struct agent_input in, uint64_t need,
				  long *ret);
/* Outputs are kept in the task's slot until it has the baton again. */
void agent_stand_init(const struct agent_frame *f);
/* Argument i is len bytes that come out (and go in). 0: there is no room. */
int agent_stand_in(unsigned i, uint64_t len, int goes_in);
/* Argument i is a number, and the kernel gets this one. */
void agent_stand_for(unsigned i, uint64_t number);
/* The first len bytes are the program's now, and told in rec. */
void agent_stand_back(struct agent_rec *rec, const struct agent_frame *f,
		      unsigned i, uint64_t len);

#endif
