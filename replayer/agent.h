#ifndef REPLAYER_AGENT_H
#define REPLAYER_AGENT_H

/* Patched call sites in a replay (docs/AGENT.md). */
#include "event/source.h"
#include "replayer/world.h"

struct ahead;
struct batch;

/* At a call's halt: the program counter as the program has it, behind its own
 * call site; the real one, which may be in a stub, goes to call_pc. */
void agent_halt(struct puppet *p);

/* At a fault, likewise: of an instruction that was moved to a stub. */
void agent_fault(struct puppet *p);

/* The syscall instruction before after, where the program has it now: in a stub
 * when instructions before it were moved there; else a jump may be in its
 * place.
 */
uint64_t agent_call_place(const struct puppet *p, uint64_t after);
/* The instruction at addr, likewise: one that a jump to a stub covers is in the
 * stub. */
uint64_t agent_place(const struct puppet *p, uint64_t addr);
/* The other way round: where p stands for people, where that is a place of its
 * own. */
uint64_t agent_shown(const struct puppet *p);

/*
 * When calls that the agent made come next, one after the other: let it make
 * all of them again but the last, at most up to until, without a stop. Their
 * task then stands at the last one's halt, and that is the event to be replayed
 * next; or, where a call was not the recorded one, at that, as if nobody had
 * been ahead. 0, or an error.
 */
int agent_ahead(struct replayer *r, uint64_t until, struct err *err);
void agent_ahead_free(struct ahead *a);
/* The calls that map what the agent needs besides what the recording has, added
 * to b. */
int agent_plan_in(struct replayer *r, struct puppet *p, struct batch *b,
		  struct err *err);

#endif
