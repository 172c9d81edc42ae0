#ifndef AGENT_ABI_H
#define AGENT_ABI_H

/*
 * What the tracer and the code inside the program agree on. The agent page is
 * mapped read-only and executable at AGENT_BASE in every recorded and every replayed
 * space, at the same address, because seccomp filters name it and are immutable. Both
 * sides include this file; nothing here depends on libc beyond the constants.
 */
#define AGENT_ABI_VERSION 4

#define AGENT_BASE AGENT_UL(0x70000000)
#define AGENT_SIZE AGENT_UL(0x8000)

/* Offsets in the page: "syscall; int3". A filter sees the address after the insn. */
#define AGENT_GADGET 0x0ul
#define AGENT_GADGET_AFTER (AGENT_BASE + AGENT_GADGET + 2)
/* "syscall; ret" for the agent itself. */
#define AGENT_CALL AGENT_UL(0x10)
#define AGENT_CALL_AFTER (AGENT_BASE + AGENT_CALL + 2)
/* A list of calls, at rbx (tracee/batch.h), then int3; its own gadget. */
#define AGENT_BATCH AGENT_UL(0x20)
#define AGENT_BATCH_CALL AGENT_UL(0x40)
#define AGENT_BATCH_AFTER (AGENT_BASE + AGENT_BATCH_CALL + 2)
/* Code that runs wherever a copy of the page's first bytes lies: it maps the
 * page, copies them there, and goes on with the list behind them. */
#define AGENT_BOOT AGENT_UL(0x80)
#define AGENT_BOOT_SIZE AGENT_UL(0x100)
#define AGENT_BOOT_MAP 0x100022 /* private, anonymous, fixed, noreplace */

/* Room in the page for what arguments of injected calls point to: the tracer
 * writes it, the program cannot. Zero between calls. */
#define AGENT_ARG (AGENT_BASE + 0x800ul)
#define AGENT_ARG_SIZE 0x800ul

/* CPUID without a stop (tracee/cpuid_stub.h): what it answers, and a stub of
 * code for each patched instruction. */
#define AGENT_CPUID_TABLE (AGENT_BASE + 0x1000ul)
#define AGENT_CPUID_TABLE_MAX 0x2000ul
#define AGENT_CPUID_STUBS (AGENT_BASE + 0x3000ul)
#define AGENT_CPUID_STUB_SIZE 128ul
#define AGENT_CPUID_STUBS_MAX 160ul

/*
 * The vdso's code, for the agent: a copy whose system calls are instructions
 * that say "no" instead. What it reads, the kernel's own pages, lies before it,
 * as it did where the kernel had put it. The program does not know of it,
 * replay has none.
 */
#define AGENT_VDSO 0x70010000ul
#define AGENT_VDSO_DATA (AGENT_BASE + AGENT_SIZE) /* not before this */
#define AGENT_VDSO_MAX 0x8000ul

/* Per-task scratch memory for output buffers of blocking calls, mapped on
 * demand in spaces with several tasks: AGENT_SCRATCH + slot * AGENT_SCRATCH_STRIDE. */
#define AGENT_SCRATCH 0x71000000ul
#define AGENT_SCRATCH_STRIDE 0x100000ul
#define AGENT_SCRATCH_SLOTS 1024ul
/* All that is pastime's lies between AGENT_BASE and this. */
#define AGENT_END (AGENT_SCRATCH + AGENT_SCRATCH_STRIDE * AGENT_SCRATCH_SLOTS)

/* Not every assembler knows the suffix. */
#ifdef __ASSEMBLER__
#define AGENT_UL(x) x
#else
#define AGENT_UL(x) x##ul
#endif

/*
 * The agent proper, in the spaces where it pays (docs/AGENT.md). A patched call
 * site jumps through the first word of its stub; the stub runs the moved
 * instructions and jumps through the first word of the data:
 *
 *   site: jmp *[stub]      stub: .quad 1f             data: .quad enter, or
 * trap 1:    moved instructions mov $2f, %ecx jmp *[data] 2:    syscall trap:
 * jmp *%rcx jmp *3f(%rip) 3:    .quad site + 2
 *
 * Stubs and the word are the same in recording and replay; only recording has
 * the code that "enter" names.
 */
#define AGENT_SITES 0x70020000ul /* read-only to the program */
#define AGENT_SITE_SIZE 64ul
#define AGENT_SITES_MAX 2048ul /* number 0 is the trap */
#define AGENT_SITES_LEN (AGENT_SITE_SIZE * AGENT_SITES_MAX)
#define AGENT_TRAP AGENT_SITES
#define AGENT_CODE AGENT_UL(0x70040000) /* read-only, follows the stubs */
#define AGENT_CODE_LEN 0x8000ul
#define AGENT_DATA AGENT_UL(0x70060000) /* private, writable: agent_data */
#define AGENT_DATA_SHARED 0x1000ul /* what replay always has */
#define AGENT_DATA_RSP 8	/* offsets in it, for the assembler */
#define AGENT_DATA_FLAGS 16
#define AGENT_DATA_INSIDE 24
#define AGENT_DATA_STACK 32
#define AGENT_DATA_BATON 40
#define AGENT_DATA_POS 48
#define AGENT_FILES 0x4000	/* files that it may map: agent_stored */
#define AGENT_FILES_MAX 256u
#define AGENT_RING 0x10000	/* records, from here on */
#define AGENT_RING_LEN 0x300000ul
/* Of each task: struct agent_slot, and the agent's stack below AGENT_STACK;
 * above it what the kernel stores while another has the baton. */
#define AGENT_SLOT_SHIFT 16
#define AGENT_SLOT_SIZE (AGENT_UL(1) << AGENT_SLOT_SHIFT)
#define AGENT_SLOTS_MAX 200ul
#define AGENT_STACK 0x4000ul
#define AGENT_KEPT (AGENT_SLOT_SIZE - AGENT_STACK)
#define AGENT_XSTATE AGENT_STACK /* in replay, of a task that waits */
#define AGENT_SLOT_PHASE 0 /* offsets in it, for the assembler */
#define AGENT_SLOT_CALLED 16
#define AGENT_DATA_LEN                                                         \
	(AGENT_RING + AGENT_RING_LEN + AGENT_SLOT_SIZE * AGENT_SLOTS_MAX)
#define AGENT_SLOTS (AGENT_DATA + AGENT_RING + AGENT_RING_LEN)

/*
 * Places in the code that the tracer knows (agent/enter.S). A call that may
 * wait is made from AGENT_WAIT: a task that stands before AGENT_WAIT_DONE has
 * not made it, and may go on at AGENT_WAIT_OUT, where it is not made.
 * AGENT_LEAVE is the way out with nothing done, from anywhere, with rsp =
 * AGENT_LEAVE_RSP of its slot.
 *
 * A call that gives up the baton while it waits is made from AGENT_BLOCK. From
 * AGENT_BLOCK_TOLD on its record is out, from AGENT_BLOCK_DROPPED on the baton
 * is another's; before AGENT_BLOCK_DONE it is not made. A call from AGENT_GATE
 * says something to the tracer, in rdi: enum agent_word.
 */
#define AGENT_LEAVE (AGENT_CODE + 0x40)
#define AGENT_WAIT (AGENT_CODE + 0x80)
#define AGENT_WAIT_DONE (AGENT_CODE + 0xb0)
#define AGENT_WAIT_OUT (AGENT_CODE + 0xc0)
#define AGENT_GATE (AGENT_CODE + 0xe0)
#define AGENT_GATE_AFTER (AGENT_GATE + 2)
#define AGENT_BLOCK (AGENT_CODE + 0x100)
#define AGENT_BLOCK_TOLD (AGENT_CODE + 0x130)
#define AGENT_BLOCK_DROPPED (AGENT_CODE + 0x150)
#define AGENT_BLOCK_DONE (AGENT_CODE + 0x1a0)
/* Copies to the program's memory from where a call's output is kept. */
#define AGENT_COPY (AGENT_CODE + 0x1c0)
#define AGENT_COPY_DONE (AGENT_COPY + 2)
#define AGENT_FRAME (15 * 8)
#define AGENT_SLOT(n) (AGENT_SLOTS + ((uint64_t)(n) << AGENT_SLOT_SHIFT))
#define AGENT_LEAVE_RSP(n) (AGENT_SLOT(n) + AGENT_STACK - AGENT_FRAME)

/* The word that says who has the baton: a slot's number + 1, or one of: */
#define AGENT_BATON_FREE AGENT_UL(0)
#define AGENT_BATON_KEPT AGENT_UL(0xffff) /* the tracer gives it */
/* enum agent_flag, for the assembler. */
#define AGENT_BATON_FLAG 512
#define AGENT_BLOCKS_FLAG 1024
/* enum agent_phase */
#define AGENT_PHASE_WAITS 1
#define AGENT_PHASE_BACK 2
/* What a task says at the gate by a call that does no harm. */
#define AGENT_GATE_CALL 24 /* sched_yield */
#define AGENT_SAYS_DROPPED 1
#define AGENT_SAYS_WANTS 2

/* What a call leaves in r11, in recording and replay (docs/EVENTS.md). */
#define AGENT_R11 0x246
/* What a call that may wait says when it was broken off: it is to be made again
 * where the tracer sees it. */
#define AGENT_EINTR 4

#ifndef __ASSEMBLER__
#include "agent/data.h"
#endif

#endif
