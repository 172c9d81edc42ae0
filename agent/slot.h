#ifndef AGENT_SLOT_H
#define AGENT_SLOT_H

/* What lies in a task's slot, and what it says at the gate. For agent/abi.h,
 * which has the addresses. */
#include <stdint.h>

/* Of a task's call that waits without the baton. */
enum agent_phase {
	AGENT_NO_PHASE = 0,
	AGENT_WAITING = AGENT_PHASE_WAITS, /* up to the call's return */
	AGENT_BACK = AGENT_PHASE_BACK,	   /* has returned, wants the baton */
};

enum agent_word {
	AGENT_DROPPED = AGENT_SAYS_DROPPED, /* the baton, and goes on to wait */
	AGENT_WANTS = AGENT_SAYS_WANTS,	    /* it; comes back with it */
};

/* At the beginning of a task's slot. */
struct agent_slot {
	uint64_t phase;	 /* enum agent_phase */
	uint64_t rsp;	 /* the program's, while another has the baton */
	uint64_t called; /* by the tracer: take no baton, come to the gate */
	uint64_t used;	 /* bytes above its stack */
	/* What the kernel gets for the program's arguments while others run:
	 * where they are others, memory of that length stands in, or (0) it is
	 * a number. */
	uint64_t args[6], len[6];
	uint64_t fs, gs; /* in replay, while the thread is another task */
};

_Static_assert(__builtin_offsetof(struct agent_slot, phase) ==
			       AGENT_SLOT_PHASE &&
		       __builtin_offsetof(struct agent_slot, called) ==
			       AGENT_SLOT_CALLED,
	       "the assembler's view");
_Static_assert(AGENT_SLOTS + AGENT_SLOT_SIZE * AGENT_SLOTS_MAX <= AGENT_SCRATCH,
	       "the next is scratch memory");

#endif
