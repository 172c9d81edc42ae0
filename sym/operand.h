#ifndef SYM_OPERAND_H
#define SYM_OPERAND_H

/* What an instruction is about to touch, with the registers as they are. */
#include "base/span.h"
#include "event/regs.h"
#include <stdbool.h>
#include <stdint.h>

struct operand {
	uint64_t addr; /* 0: no memory but by push, call and the like */
	uint16_t size; /* bytes */
	bool read, write;
	bool locked;	 /* lock prefix, or xchg */
	bool private;	 /* by fs or gs: the thread's own */
	bool compares;	 /* cmpxchg: it writes if this is there: */
	uint64_t expect; /* as many bytes of it as size, up to 8 */
	uint64_t target; /* of a call or jump through a register; else 0 */
	bool indirect;	 /* ... or through memory at addr */
	bool plain;	 /* no other memory, none but general registers */
};

/* The instruction at the start of bytes, which regs->rip points to; false:
 * there is none. */
bool operand_find(struct span bytes, const struct regs *regs,
		  struct operand *out);

#endif
