#ifndef AGENT_DATA_H
#define AGENT_DATA_H

/* What lies at AGENT_DATA: the agent's data, and its records in the ring. For
 * agent/abi.h, which has the addresses. */
#include "agent/slot.h"
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
	AGENT_BATON = AGENT_BATON_FLAG,	  /* it may be taken in here */
	AGENT_BLOCKS = AGENT_BLOCKS_FLAG, /* ... or at least be dropped */
};

/* Functions of the vdso, by what they are called with. */
enum agent_clock {
	AGENT_CLOCK_GETTIME, /* clock, timespec */
	AGENT_GETTIMEOFDAY,  /* timeval, timezone */
	AGENT_TIME,	     /* time_t */
	AGENT_CLOCKS,
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

/* Registers at a call's entry. */
enum agent_reg {
	AGENT_PC, /* after the syscall instruction of the site */
	AGENT_SP,
	AGENT_RDI, /* from here on in the order of the frame */
	AGENT_RSI,
	AGENT_RDX,
	AGENT_R10,
	AGENT_R8,
	AGENT_R9,
	AGENT_RBX,
	AGENT_RBP,
	AGENT_R12,
	AGENT_R13,
	AGENT_R14,
	AGENT_R15,
	AGENT_EFLAGS,
	AGENT_FS, /* with AGENT_FSGSBASE */
	AGENT_GS,
	AGENT_REGS,
};

/* What the last stat of a path has told. */
struct agent_seen {
	uint64_t pos;  /* of agent_data, behind its record */
	uint64_t path; /* in the record: struct agent_piece */
	uint64_t dir;
	uint64_t end; /* by the TSC, 0 = not known */
	uint64_t kind;
};

struct agent_data {
	uint64_t enter;	 /* where stubs jump */
	uint64_t rsp;	 /* the program's, meanwhile */
	uint64_t flags;	 /* enum agent_flag; the tracer's */
	uint64_t inside; /* 1: in a call that may wait; its record is at pos */
	uint64_t stack;	 /* where that of the baton's holder begins */
	uint64_t baton;	 /* who may use all of this: AGENT_BATON_FREE, ... */
	uint64_t pos;	 /* bytes of records that are complete */
	uint64_t room;	 /* bytes of the ring that may be used */
	uint64_t ndevs;	 /* file systems that hold what they were given */
	uint64_t nfiles; /* that may be mapped */
	uint64_t dev[AGENT_DEVS];
	uint64_t noutputs;
	struct agent_output output[AGENT_OUTPUTS];
	uint64_t known; /* regs are those of the last record, unless
			   pos is 0 */
	uint64_t regs[AGENT_REGS];
	uint64_t clock[AGENT_CLOCKS]; /* their addresses, 0 = not there */
	struct agent_seen seen;
	uint8_t kind[AGENT_FDS];      /* enum agent_kind */
};

enum agent_what {
	AGENT_CALLED = 0, /* from entry to return */
	AGENT_ENTERS = 1, /* gives up the baton and waits */
	AGENT_EXITS = 2,  /* has returned and taken it again */
};

/*
 * A call that the agent made. The registers that differ from those of the
 * record before it in the ring follow, in the order of the bits of changed; all
 * of them do in the first one.
 */
struct agent_rec {
	uint32_t len; /* of the record, with its pieces; a multiple of 8 */
	uint16_t nr;
	uint16_t npieces;
	int64_t ret;
	uint64_t begin, end; /* by the TSC, 0 = not known; begin: as it may have
				waited */
	uint32_t changed;    /* 1 << enum agent_reg */
	uint16_t slot;	     /* whose call */
	uint16_t what;	     /* enum agent_what */
};

#define AGENT_ALL_REGS ((1ul << AGENT_REGS) - 1)

/* Memory as the call left it or found it; len bytes follow, padded to 8. */
struct agent_piece {
	uint64_t addr;
	uint64_t len;
};

/* Addresses of pieces that are no memory: the signal mask after the call; the
 * number of the file that was mapped; in replay a call that is to be made:
 * struct agent_again. */
#define AGENT_PIECE_MASK 1ul
#define AGENT_PIECE_FILE 2ul
#define AGENT_PIECE_AGAIN 3ul

struct agent_again {
	int64_t nr;
	uint64_t arg[6];
	int64_t want; /* any other result: the event's own call traps */
};

struct agent_time {
	uint64_t sec, ns;
};

/* A file whose contents [from, to) the recording has, as long as it has
 * these times and this size. */
struct agent_stored {
	uint64_t dev, ino, size;
	struct agent_time mtime, ctime;
	uint64_t from, to;
	uint64_t number;
	uint64_t how; /* enum agent_mapping */
};

enum agent_mapping {
	AGENT_STILL = 1, /* nobody writes to it; otherwise it is mapped as a
			    library only */
	AGENT_PLAIN = 2, /* its code needs no patches */
};

/* Contents are captured in pieces of this, but for the end of a file. */
#define AGENT_FILE_PIECE 0x40000u

_Static_assert(sizeof(struct agent_data) <= AGENT_DATA_SHARED, "its page");
_Static_assert(__builtin_offsetof(struct agent_data, rsp) == AGENT_DATA_RSP,
	       "the assembler's view");
_Static_assert(__builtin_offsetof(struct agent_data, flags) ==
			       AGENT_DATA_FLAGS &&
		       __builtin_offsetof(struct agent_data, inside) ==
			       AGENT_DATA_INSIDE &&
		       __builtin_offsetof(struct agent_data, stack) ==
			       AGENT_DATA_STACK &&
		       __builtin_offsetof(struct agent_data, baton) ==
			       AGENT_DATA_BATON &&
		       __builtin_offsetof(struct agent_data, pos) ==
			       AGENT_DATA_POS,
	       "the assembler's view");
_Static_assert(sizeof(struct agent_rec) == 40, "both sides");

#endif
