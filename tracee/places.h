#ifndef TRACEE_PLACES_H
#define TRACEE_PLACES_H

/* Instructions at which it matters who runs next: they touch memory that
 * others may touch, too. */
#include "event/regs.h"
#include "tracee/mem.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLACES_MAX 512u

/* Weights from which on it is a store; memory that is shared for sure. */
#define PLACE_STORE 6u
#define PLACE_STORE_GLOBAL 9u
#define PLACE_GLOBAL 3u

struct place {
	uint64_t pc;
	uint32_t weight; /* how much it matters */
	bool loop;	 /* it is in a loop, as far as is known */
};

struct places {
	struct place v[PLACES_MAX];
	size_t len;
	uint64_t weight; /* of all */
};

/*
 * Add what a sweep through code, which is at pc, finds: memory operands but
 * those by rsp and rbp, locked ones above all, and calls. The sweep need not
 * begin at an instruction's begin; a few places may be wrong then.
 */
void places_find(struct span code, uint64_t pc, struct places *out);

/* Take out of p what is in other, too. */
void places_without(struct places *p, const struct places *other);

/* Which code to look at. */
struct places_ops {
	bool (*wanted)(void *ctx, uint64_t addr);
	void *ctx;
};

/*
 * The same from the instruction at pc to the end of its function, with the
 * loops that it is in and what the function calls, calls of that, and so on.
 */
void places_follow(const struct mem *m, uint64_t pc,
		   const struct places_ops *ops, struct places *out);

/* How much the instruction at pc matters; 0: it is no place. */
uint32_t places_weight(const struct mem *m, uint64_t pc);

/* What the instruction at a place is about to do. */
struct access {
	uint64_t pc, addr; /* addr 0: a call */
	uint32_t weight;   /* 0: it is no place */
	uint16_t size;
	bool read, write;
	bool private;	 /* its own stack or thread-local memory */
	bool compares;	 /* it writes if expect is there, cmpxchg */
	uint64_t expect; /* size bytes of it */
	uint64_t target; /* of an indirect call, as far as it is known; or 0 */
};

/* regs: of the task, which stands there. False: no memory can be read. */
bool places_access(const struct mem *m, const struct regs *regs,
		   struct access *out);

/* From where to look. */
struct places_from {
	uint64_t pc;
	bool here;	     /* the instruction at pc may be a place itself */
	uint64_t target;     /* where it goes, too, if it is an indirect call */
	const uint64_t *ret; /* where the function returns to, then its caller,
				and so on, as far as is known */
	unsigned n_ret;
};

/* The places that come next on any way from there, at most max of them. Returns
 * how many. */
unsigned places_next(const struct mem *m, const struct places_from *from,
		     const struct places_ops *ops, uint64_t *out, unsigned max);

#endif
