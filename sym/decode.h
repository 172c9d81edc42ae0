#ifndef SYM_DECODE_H
#define SYM_DECODE_H

/* Instructions as the recorder needs them (Zydis): lengths and special ones. */
#include "base/span.h"
#include <stdint.h>

enum insn_class {
	INSN_OTHER, INSN_SYSCALL, INSN_RDTSC, INSN_RDTSCP, INSN_CPUID,
	INSN_RDRAND, INSN_RDSEED, INSN_RDPID, INSN_INVALID,
};

struct insn {
	uint8_t len;
	uint8_t cls;	/* enum insn_class */
	uint8_t reg;	/* RDRAND, RDSEED, RDPID: destination, 0 rax 1 rcx ... 15 r15 */
	uint8_t bits;	/* its width: 16, 32, 64 */
};

/* Decode the instruction at the start of code. */
void decode_insn(struct span code, struct insn *out);

struct insn_site {
	uint64_t offset; /* in code */
	struct insn insn;
};

/*
 * Find RDTSC(P), CPUID, RDRAND, RDSEED and RDPID in executable bytes by a
 * linear sweep from the starts of sections or functions (starts: offsets,
 * sorted; NULL = a sweep from 0 that resynchronises after bad bytes). Appends
 * to *out (mem_realloc'ed, caller frees). Cheap when the byte patterns do not
 * occur.
 */
void decode_find_sites(struct span code, const uint64_t *starts, size_t n_starts,
		       struct insn_site **out, size_t *out_n);

#endif
