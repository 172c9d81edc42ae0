#ifndef AGENT_ABI_H
#define AGENT_ABI_H

/*
 * What the tracer and the code inside the program agree on. The agent page is
 * mapped read-only and executable at AGENT_BASE in every recorded and every replayed
 * space, at the same address, because seccomp filters name it and are immutable. Both
 * sides include this file; nothing here depends on libc beyond the constants.
 */
#define AGENT_ABI_VERSION 1

#define AGENT_BASE 0x70000000ul
#define AGENT_SIZE 0x1000ul

/* Offsets in the page: "syscall; int3". A filter sees the address after the insn. */
#define AGENT_GADGET 0x0ul
#define AGENT_GADGET_AFTER (AGENT_BASE + AGENT_GADGET + 2)

/* Room in the page for what arguments of injected calls point to: the tracer
 * writes it, the program cannot. Zero between calls. */
#define AGENT_ARG (AGENT_BASE + 0x800ul)
#define AGENT_ARG_SIZE 0x800ul

/* Per-task scratch memory for output buffers of blocking calls, mapped on
 * demand in spaces with several tasks: AGENT_SCRATCH + slot * AGENT_SCRATCH_STRIDE. */
#define AGENT_SCRATCH 0x71000000ul
#define AGENT_SCRATCH_STRIDE 0x100000ul
#define AGENT_SCRATCH_SLOTS 1024ul

#endif
