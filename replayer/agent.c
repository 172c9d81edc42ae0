/*
 * Patched call sites (docs/AGENT.md). Replay has the same stubs as the
 * recording, at the same addresses, and makes every call through them with
 * a halt: which calls the agent made does not matter to it.
 */
#include "replayer/agent.h"

#include "agent/abi.h"

void
agent_halt(struct puppet *p)
{
	uint64_t after;

	p->call_pc = p->regs.rip;
	/* The stub's syscall, the jump behind it, then where that leads. */
	if (p->regs.rip - AGENT_SITES < AGENT_SITES_LEN && p->space &&
	    mem_read_all(&p->space->mem, p->regs.rip + 6, &after,
			 sizeof(after)) == 0)
		p->regs.rip = after;
}
