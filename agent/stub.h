#ifndef AGENT_STUB_H
#define AGENT_STUB_H

/*
 * The stub that finds an execution point: code and data as the tracer and the
 * stub itself see them. A jump in the program leads to the stub; it counts the
 * visit, compares, and traps when everything agrees (tracee/point.h).
 *
 * The code is agent/stub.S and agent/check.c, one position-independent blob;
 * struct stub_data lies STUB_DATA bytes after its start, the expected bytes
 * STUB_WANT bytes after it. Written for one search, mapped for as long.
 */
#ifndef __ASSEMBLER__
#include <stdint.h>
#endif

#define STUB_DATA 0x1000   /* struct stub_data */
#define STUB_STACK 0x4000  /* top of the stub's own stack */
#define STUB_VECTOR 0x4000 /* where it saves vector registers */
#define STUB_VECTOR_SIZE 0x2000
#define STUB_WANT 0x6000 /* expected bytes: vector registers, then ranges */
#define STUB_WANT_RANGES (STUB_WANT + STUB_VECTOR_SIZE)
#define STUB_WANT_SIZE 0x10000
#define STUB_SIZE (STUB_WANT_RANGES + STUB_WANT_SIZE)

/* Offsets in struct stub_data, for the assembler. */
#define STUB_VISITS 0
#define STUB_RCX 8
#define STUB_LEFT 16
#define STUB_RAX 24
#define STUB_WORD 32
#define STUB_WORD_NEG 40
#define STUB_RESULT 48
#define STUB_NEG 64
#define STUB_SAVED 192
#define STUB_KILLS 320
#define STUB_FLAGS 464
#define STUB_XSAVE 488
#define STUB_XSAVE_MASK 496

/* Room for code that the tracer writes, at the entry and before it. */
#define STUB_HOT 640
#define STUB_LEAD 256
#define STUB_WORD_KILLS 16
#define STUB_VECTOR_KILLS 17

#define STUB_RANGES 32
#define STUB_SUMS 16
#define STUB_VECTORS 8

#ifndef __ASSEMBLER__

/*
 * Offsets from the blob's start. The hot code at entry is the tracer's
 * (tracee/point_emit.c): it counts, makes the first comparison, and when that
 * fails runs the moved instructions. Otherwise it jumps to one of the others.
 */
struct stub_head {
	uint32_t entry; /* the program's jump leads here: STUB_HOT bytes, and
			 * STUB_LEAD before it */
	uint32_t word_dead; /* compare on: rcx is the program's, flags do not
			       matter */
	uint32_t word;	   /* compare on: rcx is saved; a fault from here ... */
	uint32_t word_end; /* ... to here means: the word differs */
	uint32_t out;	   /* no match: rcx back, then */
	uint32_t out_jump; /* a jump (5 bytes) to the moved instructions */
	uint32_t slow;	   /* a fault from here on: nothing matches, */
	uint32_t rest;	   /* go on here with result 0 */
	uint32_t stop;	   /* rcx back, then */
	uint32_t hit;	   /* the trap: all registers as at the visit */
};

struct stub_range {
	uint64_t addr; /* multiple of 8 */
	uint64_t want; /* address of the expected bytes */
	uint64_t words;
};

struct stub_sum {
	uint64_t addr; /* of the first page */
	uint64_t pages;
	uint64_t hash; /* stub_hash */
};

/* Registers in the order of instruction encoding: rax rcx rdx rbx rsp rbp ...
 */
struct stub_data {
	uint64_t visits;
	uint64_t rcx;
	uint64_t left; /* visits to go, when one is sought by its number */
	uint64_t rax;
	uint64_t word;	   /* address of the word that differed last */
	uint64_t word_neg; /* minus its expected value */
	uint64_t result;
	uint64_t dummy;	  /* what word points to at first: 0 */
	uint64_t neg[16]; /* minus the expected values */
	uint64_t saved[16];
	uint64_t kills[18]; /* visits that register n told apart; [16]: the
			     * word, [17]: a vector register */
	uint64_t flags, want_flags, flags_mask;
	uint64_t xsave; /* multiple of 64: where to save; 0 = do not */
	uint64_t xsave_mask;
	uint64_t vector_at; /* 4 bytes of it that differed last */
	uint64_t slot;	    /* return address of a moved call */
	uint64_t checks;    /* visits at which all registers agreed */
	uint64_t n_vectors, n_ranges, n_sums, last_sum;
	uint64_t tick; /* counts visits of several stubs, and what it was at
			* the last visit here */
	uint64_t last;
	struct stub_range vector[STUB_VECTORS]; /* of what was saved */
	struct stub_range range[STUB_RANGES];
	struct stub_sum sum[STUB_SUMS];
};

#define STUB_AT(name, off)                                                     \
	_Static_assert(__builtin_offsetof(struct stub_data, name) == (off),    \
		       "the assembler's view")
STUB_AT(visits, STUB_VISITS);
STUB_AT(rcx, STUB_RCX);
STUB_AT(rax, STUB_RAX);
STUB_AT(word, STUB_WORD);
STUB_AT(word_neg, STUB_WORD_NEG);
STUB_AT(left, STUB_LEFT);
STUB_AT(result, STUB_RESULT);
STUB_AT(neg, STUB_NEG);
STUB_AT(saved, STUB_SAVED);
STUB_AT(kills, STUB_KILLS);
STUB_AT(flags, STUB_FLAGS);
STUB_AT(xsave, STUB_XSAVE);
STUB_AT(xsave_mask, STUB_XSAVE_MASK);
_Static_assert(sizeof(struct stub_data) <= STUB_STACK - STUB_DATA - 2048,
	       "the stub's stack has room");
#undef STUB_AT

#define STUB_PAGE_WORDS 512u

static inline uint64_t
stub_rotl(uint64_t x, unsigned r)
{
	return x << r | x >> (64 - r);
}

/* One page into the hash of those before it; with general registers alone. */
static inline uint64_t
stub_hash_page(uint64_t seed, const uint64_t *p)
{
	const uint64_t m = 0x9e3779b185ebca87u, n = 0xc2b2ae3d27d4eb4fu;
	uint64_t a = seed + m + n, b = seed + n, c = seed + 1, d = seed - m;

	for (unsigned i = 0; i < STUB_PAGE_WORDS; i += 4) {
		a = stub_rotl(a + p[i] * n, 31) * m;
		b = stub_rotl(b + p[i + 1] * n, 31) * m;
		c = stub_rotl(c + p[i + 2] * n, 31) * m;
		d = stub_rotl(d + p[i + 3] * n, 31) * m;
	}
	a = stub_rotl(a, 1) + stub_rotl(b, 7) + stub_rotl(c, 12) +
	    stub_rotl(d, 18);
	a = (a ^ a >> 33) * n;
	a = (a ^ a >> 29) * m;
	return a ^ a >> 32;
}

/* Pages that follow each other. Stored in recordings: do not change it. */
static inline uint64_t
stub_hash(const uint64_t *p, uint64_t pages)
{
	uint64_t h = 0;

	for (uint64_t i = 0; i < pages; i++)
		h = stub_hash_page(h, p + i * STUB_PAGE_WORDS);
	return h;
}

#endif
#endif
