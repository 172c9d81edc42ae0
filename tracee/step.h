#ifndef TRACEE_STEP_H
#define TRACEE_STEP_H

/*
 * Single steps of a task that was interrupted while it computes. Every stop is
 * looked at before it is taken (stop_peek): one that is not ours is left for
 * the caller.
 */
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum step {
	STEP_OTHER, /* a stop waits to be taken (a signal, its death) */
	STEP_DONE,
};

/* In pastime's own code, which replay does not have. */
bool step_is_agent(uint64_t pc);
/*
 * Is an event the next thing? After a call nothing of the interval has run
 * yet; a fault may be queued while the interrupt was reported first (the
 * program counter stands behind an int3 then). Returns 0, 1.
 */
int step_event_due(pid_t tid, struct err *err);
/*
 * Signals from elsewhere wait until step_loud. Faults of the program's own do
 * not, and a blocked SIGTRAP would be unblocked by the kernel for good.
 */
int step_quiet(pid_t tid, uint64_t *out_mask, struct err *err);
/* After its death is seen this may fail, and does not matter. */
void step_loud(pid_t tid, uint64_t mask);
/* Let it run to its next stop. Returns enum step. */
int step_resume(pid_t tid, int request, struct err *err);

#endif
