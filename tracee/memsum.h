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
/* Larger mappings (shadow memory of sanitizers) are left out. */
#define MEMSUM_MAPPING_MAX (64ull << 30)

struct memsum {
	uint64_t addr; /* multiple of MEMSUM_PIECE */
	uint64_t hash; /* of its pages that are not zero, and where they are */
};

/*
 * The pieces of all writable memory (but pastime's own) that hold anything, in
 * order of addresses, in a. Task tid is one of the space's, and stopped.
 */
int memsum_space(pid_t tid, const struct mem *m, struct arena *a,
		 struct memsum **out, size_t *n, struct err *err);
/* One number for all of them. */
uint64_t memsum_total(const struct memsum *v, size_t n);

#endif
