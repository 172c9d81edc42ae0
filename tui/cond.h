#ifndef TUI_COND_H
#define TUI_COND_H

/*
 * Conditions of breakpoints: comparisons (== != < <= > >=) of variables and
 * numbers, or one alone (not 0), put together by && || ! and parentheses.
 */
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct cond_env {
	/* The value of a name; false: it cannot be told here. */
	bool (*value)(void *ctx, const char *name, int64_t *out);
	void *ctx;
};

/* Is it true? A comparison that cannot be told is, so that nothing is passed by
 * without a word. */
bool cond_holds(const struct cond_env *env, const char *text);
/* Errors: E_USAGE, saying where it makes no sense. */
int cond_check(const char *text, struct err *err);

#endif
