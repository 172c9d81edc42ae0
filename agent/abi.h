#ifndef AGENT_ABI_H
#define AGENT_ABI_H

/*
 * What the tracer and the code inside the program agree on. The agent page is
 * mapped read-only and executable at AGENT_BASE in every recorded and every replayed
 * space, at the same address, because seccomp filters name it and are immutable. Both
 * sides include this file; nothing here depends on libc beyond the constants.
 */
#define AGENT_ABI_VERSION 3

#define AGENT_BASE 0x70000000ul
#define AGENT_SIZE 0x8000ul

/* Offsets in the page: "syscall; int3". A filter sees the address after the insn. */
#define AGENT_GADGET 0x0ul
#define AGENT_GADGET_AFTER (AGENT_BASE + AGENT_GADGET + 2)
/* "syscall; ret" for the agent itself. */
#define AGENT_CALL AGENT_UL(0x10)
#define AGENT_CALL_AFTER (AGENT_BASE + AGENT_CALL + 2)

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
#define AGENT_CODE_LEN 0x4000ul
#define AGENT_DATA AGENT_UL(0x70060000) /* private, writable: agent_data */
#define AGENT_DATA_SHARED 0x1000ul /* what replay always has */
#define AGENT_DATA_RSP 8	/* offsets in it, for the assembler */
#define AGENT_DATA_FLAGS 16
#define AGENT_DATA_INSIDE 24
#define AGENT_STACK 0x4000	/* top of the agent's stack */
#define AGENT_RING 0x10000	/* records, from here on */
#define AGENT_RING_LEN 0x100000ul
#define AGENT_DATA_LEN (AGENT_RING + AGENT_RING_LEN)

/*
 * Places in the code that the tracer knows (agent/enter.S). A call that may
 * wait is made from AGENT_WAIT: a task that stands before AGENT_WAIT_DONE has
 * not made it, and may go on at AGENT_WAIT_OUT, where it is not made.
 * AGENT_LEAVE is the way out with nothing done, from anywhere, with rsp =
 * AGENT_LEAVE_RSP.
 */
#define AGENT_LEAVE (AGENT_CODE + 0x40)
#define AGENT_WAIT (AGENT_CODE + 0x80)
#define AGENT_WAIT_DONE (AGENT_CODE + 0xb0)
#define AGENT_WAIT_OUT (AGENT_CODE + 0xc0)
#define AGENT_FRAME (15 * 8)
#define AGENT_LEAVE_RSP (AGENT_DATA + AGENT_STACK - AGENT_FRAME)

/* What a call leaves in r11, in recording and replay (docs/EVENTS.md). */
#define AGENT_R11 0x246
/* What a call that may wait says when it was broken off: it is to be made again
 * where the tracer sees it. */
#define AGENT_EINTR 4

#ifndef __ASSEMBLER__
#include <stdint.h>

#define AGENT_FDS 1024u
#define AGENT_DEVS 16u
#define AGENT_OUTPUTS 4u

enum agent_flag {
	AGENT_WRITES = 1,   /* writes to regular files may pass */
	AGENT_FSGSBASE = 2, /* rdfsbase is there */
	AGENT_REPLAY = 4,   /* records are read, not written: [pos, room) */
	AGENT_ON = 8,	    /* nothing stands against making calls */
	AGENT_WAITS = 16,   /* calls that may wait, too */
	AGENT_SINGLE = 32,  /* nobody else of the group could run */
	AGENT_ALONE = 64,   /* no other task exists */
	AGENT_TSC = 128,    /* rdtsc does not trap */
	AGENT_BRK = 256,    /* the recorder knows where the break was */
};

/* What the agent knows of a descriptor. */
enum agent_kind {
	AGENT_FD_UNKNOWN = 0,
	AGENT_FD_FILE,	/* regular, on a file system that is listed */
	AGENT_FD_DIR,	/* a directory of one */
	AGENT_FD_NULL,	/* /dev/null */
	AGENT_FD_ZERO,	/* /dev/zero */
	AGENT_FD_OTHER, /* its calls trap */
	AGENT_FD_PIPE,	/* from here on calls may wait */
	AGENT_FD_SOCK,
	AGENT_FD_TTY,
	AGENT_FD_ANON,		/* epoll, eventfd, timerfd, ... */
	AGENT_FD_OUTPUT = 0x80, /* besides: the command's output */
};

/* Where the command's output goes; rdev: of a terminal. */
struct agent_output {
	uint64_t dev, ino, rdev;
};

struct agent_data {
	uint64_t enter; /* where stubs jump */
	uint64_t rsp;	/* the program's, meanwhile */
	uint64_t flags; /* enum agent_flag; the tracer's */
	uint64_t inside; /* 1: in a call that may wait; its record is at pos */
	uint64_t room;	/* bytes of the ring that may be used */
	uint64_t pos;	/* bytes of records that are complete */
	uint64_t ndevs; /* file systems that hold what they were given */
	uint64_t dev[AGENT_DEVS];
	uint64_t noutputs;
	struct agent_output output[AGENT_OUTPUTS];
	uint8_t kind[AGENT_FDS]; /* enum agent_kind */
};

/* A call that the agent made: registers at its entry, what came of it. */
struct agent_rec {
	uint32_t len; /* of the record, with its pieces; a multiple of 8 */
	uint16_t nr;
	uint16_t npieces;
	uint64_t pc; /* after the syscall instruction of the site */
	uint64_t sp;
	int64_t ret;
	uint64_t rdi, rsi, rdx, r10, r8, r9;
	uint64_t rbx, rbp, r12, r13, r14, r15, eflags;
	uint64_t fs_base, gs_base; /* with AGENT_FSGSBASE */
	uint64_t begin, end; /* by the TSC, 0 = not known; begin: as it may have
				waited */
};

/* Memory as the call left it or found it; len bytes follow, padded to 8. */
struct agent_piece {
	uint64_t addr;
	uint64_t len;
};

/* The address of a piece that is no memory: the signal mask after the call. */
#define AGENT_PIECE_MASK 1ul

_Static_assert(sizeof(struct agent_data) <= AGENT_DATA_SHARED, "its page");
_Static_assert(__builtin_offsetof(struct agent_data, rsp) == AGENT_DATA_RSP,
	       "the assembler's view");
_Static_assert(__builtin_offsetof(struct agent_data, flags) ==
			       AGENT_DATA_FLAGS &&
		       __builtin_offsetof(struct agent_data, inside) ==
			       AGENT_DATA_INSIDE,
	       "the assembler's view");
_Static_assert(sizeof(struct agent_rec) == 168, "both sides");
#endif

#endif
