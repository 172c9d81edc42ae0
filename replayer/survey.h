#ifndef REPLAYER_SURVEY_H
#define REPLAYER_SURVEY_H

/*
 * Every write to a variable, every call of a function, found by replaying.
 *
 * The interval between two events is run with debug registers on the variable
 * and breakpoints on the functions' entries and on the addresses that live
 * calls return to. What the kernel wrote is found at the events. Where a stop's
 * name is not known, because arrivals there were not counted from the
 * interval's beginning, the interval is run once more with that address
 * counted.
 */
#include "event/pos.h"
#include "replayer/replayer.h"
#include "sym/sym.h"

#define SURVEY_FUNCTIONS 12u
#define SURVEY_LEN_MAX 512u /* bytes that can be watched */
#define SURVEY_PASS 24u	    /* bytes of one pass, at most */

struct survey_write {
	struct pos pos; /* the moment after it */
	uint32_t nth;	/* stops of its interval in order; 0 = at the event */
	uint32_t task, process;
	bool by_kernel;
	uint64_t insn; /* address of the instruction or the call, 0 = unknown */
	struct sym_place place; /* of it */
	uint64_t addr;
	uint32_t len;
	uint8_t old[SURVEY_PASS], new[SURVEY_PASS];
};

enum survey_end {
	SURVEY_OPEN = 0,     /* has not ended where the trace ends */
	SURVEY_RETURNED = 1, /* only then exit and result are told */
	SURVEY_UNWOUND = 2,  /* left by longjmp, an exception */
	SURVEY_DIED = 3,     /* its task ended in it */
	SURVEY_EXECED = 4,   /* its process executed another program in it */
};

struct survey_call {
	size_t function; /* of the request's */
	uint32_t task, process;
	uint32_t depth; /* live traced calls of the task, itself included */
	struct pos entry, exit;
	uint32_t entry_nth, exit_nth;
	/* The event after which the outermost of the live traced calls of its
	 * task began, itself included. */
	uint64_t outer;
	uint64_t pc, sp, caller_pc; /* caller_pc: where it returns to */
	struct sym_place place, caller;
	bool tail; /* begun by a jump, in place of the call before it */
	uint64_t args[6];
	const char *arguments;
	enum survey_end end;
	uint64_t ret;
	const char *result; /* NULL = none, or unknown */
	bool stored;	    /* was given before as SURVEY_OPEN */
};

/* Who takes what is found; borrowed until it returns. */
struct survey_sink {
	int (*write)(void *ctx, const struct survey_write *w, struct err *err);
	int (*call)(void *ctx, const struct survey_call *c, struct err *err);
	/* All up to event seq was given: now and then, and at the end. */
	int (*upto)(void *ctx, uint64_t seq, struct err *err);
	void *ctx;
};

struct survey_req {
	/* Calls: names, or addresses as 0x401136. */
	const char *const *functions;
	size_t n_functions;
	/* Writes: a variable or an address; len 0 = the variable's size. */
	const char *variable;
	uint32_t len;
	unsigned pass; /* which SURVEY_PASS bytes, roughly; from 0 */
	/* What happens after event from, up to event to, its effects included.
	 */
	uint64_t from, to;
	/* Not 0: when calls are open at event to, go on to where none is, at
	 * most up to there. */
	uint64_t limit;
	/* Calls that began there and end up to event follow get their ends. */
	uint64_t follow;
	/* Calls that were open at from. */
	const struct survey_call *open;
	size_t n_open;
	struct survey_sink sink;
	bool (*progress)(void *ctx, uint64_t at, uint64_t to);
	void *ctx;
};

struct survey_result {
	uint64_t upto; /* everything up to this event was given */
	bool found[SURVEY_FUNCTIONS]; /* somewhere; [0]: the variable */
	unsigned passes;	      /* that the variable needs */
	uint64_t writes, calls;	      /* calls: entries */
};

/*
 * -E_CANCELLED, -E_DIVERGED and other failures leave out valid, too: what was
 * given up to out->upto is complete.
 */
int survey_run(struct replayer *r, const struct survey_req *req,
	       struct survey_result *out, struct err *err);

#endif
