#ifndef SYM_CALLS_H
#define SYM_CALLS_H

/*
 * What a function was called with and what it returned, as text, by the calling
 * convention and the types of the debug information.
 */
#include "sym/sym.h"

/* A task at the first instruction of a function, or just behind its return. */
struct sym_call {
	uint64_t entry; /* the function's first instruction */
	const struct regs *regs;
	struct span xstate; /* as target.h's; empty = not known */
};

/*
 * "n=3, s=0x4010 \"abc\"", in a. Without debug information the six registers
 * that carry arguments, with the strings that they point to.
 */
const char *symbols_arguments(struct symbols *s, const struct sym_call *c,
			      struct arena *a);
/* Its result, in a; NULL: it has none. */
const char *symbols_result(struct symbols *s, const struct sym_call *c,
			   struct arena *a);

#endif
