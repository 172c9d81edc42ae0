#ifndef RECORDER_NONDET_CODE_H
#define RECORDER_NONDET_CODE_H

/* The instructions of nondet.c in a program's code: replaced by a jump to where
 * they are answered, or by a trap. */
#include "recorder/internal.h"
#include "tracee/cpuid_stub.h"
#include "tracee/maps.h"
#include "tracee/overlay.h"
#include "tracee/patch.h"

struct code_patcher {
	bool faulting;	/* CPUID needs no int3 */
	bool has_stubs; /* CPUID is answered in the program, where there is
			   room for a jump */
	struct cpuid_stubs stubs;
};

/* Is an int3 put in this one's place, when nothing better is? */
bool code_traps(const struct code_patcher *c, const struct patch_site *s);
/*
 * Replace the sites of a mapping within [start, end), in o; PATCH items say
 * what was done. fresh: no task stands in it; quiet: nobody wants to know what
 * RDTSC says, which then is something else, without a trap. false: something
 * else stands there than in the file, or it cannot be written.
 */
bool code_patch(const struct code_patcher *c, struct task *t,
		const struct vma *vma, const struct patch_list *l,
		uint64_t start, uint64_t end, bool fresh, bool quiet,
		struct overlay *o, struct buf *items);
/* Register number as in instruction encodings, so many bits of it. Returns what
 * was put there. */
uint64_t code_put_reg(struct regs *r, unsigned number, unsigned bits,
		      uint64_t v);

#endif
