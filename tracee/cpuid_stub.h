#ifndef TRACEE_CPUID_STUB_H
#define TRACEE_CPUID_STUB_H

/*
 * CPUID answered inside the program. A jump stands in place of the instruction
 * and of a few before it (tracee/patch_room.h); it leads to a stub that does
 * what those did, looks leaf and subleaf up in a table, and goes on behind the
 * instruction. The stub uses the four registers that CPUID overwrites and
 * nothing else: no stack, no memory that is written, so that any number of
 * threads and signals can be in it. Flags come out as they went in.
 */
#include "base/buf.h"
#include "base/span.h"
#include "tracee/cpuid.h"
#include <stdbool.h>

#define CPUID_STUB_PRE_MAX 24u
#define CPUID_STUB_JUMP 7u /* bytes of the jump to a stub */

struct cpuid_stubs {
	struct buf table;      /* for AGENT_CPUID_TABLE */
	uint32_t default_leaf; /* in place of one that is out of range */
};

/* False: this CPU, or this table, must do without stubs. */
bool cpuid_stubs_init(struct cpuid_stubs *s, const struct cpuid_table *t);
void cpuid_stubs_free(struct cpuid_stubs *s);
/* Append stub number n: the code of the instructions pre, then CPUID, then on
 * at after. */
void cpuid_stub_put(const struct cpuid_stubs *s, unsigned n, struct span pre,
		    uint64_t after, struct buf *out);
/* The jump to it: CPUID_STUB_JUMP bytes, and traps up to len. */
void cpuid_stub_jump(unsigned n, uint8_t *out, size_t len);
/* code begins with such a jump. */
bool cpuid_stub_is_jump(const uint8_t *code);

#endif
