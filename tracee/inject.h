#ifndef TRACEE_INJECT_H
#define TRACEE_INJECT_H

/* Put the agent page into a fresh image (at the exit stop of execve). */
#include "base/err.h"
#include "tracee/mem.h"

/* Map the agent's blob at AGENT_BASE. Errors: -EEXIST when the program's own
 * mappings are there. */
int inject_agent(pid_t tid, const struct mem *m, struct err *err);

#endif
