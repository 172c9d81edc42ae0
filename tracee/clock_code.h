#ifndef TRACEE_CLOCK_CODE_H
#define TRACEE_CLOCK_CODE_H

/* The vdso's code, as the agent may run it. */
#include "agent/abi.h"
#include "base/buf.h"

/*
 * This process's own vdso, as it is to lie at AGENT_VDSO: the same kernel, the
 * same code. A system call in there would be the program's, to the filter;
 * where one was, its function says that it failed. clock: addresses of its
 * functions, 0 = not there. *out stays empty where there is none that is
 * understood.
 */
void clock_code(struct buf *out, uint64_t clock[AGENT_CLOCKS]);

#endif
