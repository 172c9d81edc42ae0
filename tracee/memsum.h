#ifndef TRACEE_MEMSUM_H
#define TRACEE_MEMSUM_H

/*
 * Checksums of a space's writable memory, for comparing recording and replay.
 * They depend on contents alone: a page that is all zero counts as one that
 * was never touched or is not mapped, and memory is cut into pieces by address,
 * so that it does not matter how the kernel divides mappings or how far a stack
 * has grown.
 */
#include "base/arena.h"
#include "base/err.h"
#include "tracee/mem.h"

#define MEMSUM_PIECE 65536u
#define MEMSUM_PAGES 16u /* of 4 KB in a piece */

struct memsum {
	uint64_t addr; /* multiple of MEMSUM_PIECE */
	uint64_t hash; /* of its pages that are not zero, and where they are */
	uint16_t page[MEMSUM_PAGES]; /* of each, to say which differs; 0 = zero
				      */
};

struct memsum_range {
	uint64_t start, end;
};

/*
 * What is left out because looking takes too long: mappings of more than 64 GB
 * (shadow memory of sanitizers), in order of addresses, in a. Where one mapping
 * ends and the next begins is the kernel's business and not the same in a
 * replay (mlock divides, equal neighbours merge): so the recording decides, and
 * its replay leaves out the same addresses.
 */
int memsum_large(pid_t tid, struct arena *a, struct memsum_range **out,
		 size_t *n, struct err *err);

/*
 * The pieces of all writable memory (but pastime's own, and n_but ranges) that
 * hold anything, in order of addresses, in a. Task tid is one of the space's,
 * and stopped.
 */
int memsum_space(pid_t tid, const struct mem *m, const struct memsum_range *but,
		 size_t n_but, struct arena *a, struct memsum **out, size_t *n,
		 struct err *err);
/* One number for all of them. */
uint64_t memsum_total(const struct memsum *v, size_t n);

#endif
