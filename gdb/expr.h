#ifndef GDB_EXPR_H
#define GDB_EXPR_H

/*
 * Conditions of breakpoints, as gdb compiles them: agent expressions, a stack
 * machine of 64-bit numbers. They come from a client: hostile input.
 */
#include "base/span.h"

struct expr_env {
	/* Register number n as gdb counts; false: there is none. */
	bool (*reg)(void *ctx, unsigned n, uint64_t *out);
	bool (*read)(void *ctx, uint64_t addr, void *out, size_t n);
	void *ctx;
};

/* False when it cannot be evaluated: memory that is not there, a division by
 * zero, an operation that is unknown, no end. */
bool expr_eval(const struct expr_env *env, struct span code, uint64_t *out);

#endif
