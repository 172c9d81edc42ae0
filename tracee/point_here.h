#ifndef TRACEE_POINT_HERE_H
#define TRACEE_POINT_HERE_H

/* A point exactly where a task stands, which was led there by a breakpoint. */
#include "tracee/point.h"

/*
 * As point_hot and point_take in one, without a step and without watching what
 * the task writes shortly before: all that it wrote in the interval stands in
 * for the hot pages. may_trap: where no jump can stand, a breakpoint will do,
 * as the task comes by rarely. dirty and interval_ns: as there.
 * Returns POINT_TAKEN, or POINT_EVENT: there can be no point here, let it run.
 */
int point_here(struct point_taking *c, pid_t tid, const struct mem *m,
	       struct dirty *dirty, uint64_t interval_ns, bool may_trap,
	       struct point *out, struct err *err);

#endif
