#ifndef REPLAYER_AGENT_H
#define REPLAYER_AGENT_H

/* Patched call sites in a replay (docs/AGENT.md). */
#include "replayer/world.h"

/* At a call's halt: the program counter as the program has it, behind its own
 * call site; the real one, which may be in a stub, goes to call_pc. */
void agent_halt(struct puppet *p);

#endif
