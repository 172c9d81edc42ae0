#ifndef SYM_VARS_H
#define SYM_VARS_H

/*
 * Variables of a frame, from the program's debug information (libdw): what is
 * in scope at its pc, with types and values read through the symbols' memory
 * callback. Nothing here runs code of the program.
 */
#include "sym/sym.h"

#define SYM_VARS_MAX 2000u /* lines in one list; the rest is left out */

/* A variable, or a part of one. */
struct sym_var {
	const char *name;  /* "count", ".next", "[3]", "*" */
	const char *path;  /* an expression for it: "list.next", "*p", "a[3]" */
	const char *type;  /* as C writes it; NULL = unknown */
	const char *value; /* one line; "<optimized out>" when nowhere */
	uint64_t addr;	   /* where it lies; 0 = in registers or nowhere */
	uint64_t size;	   /* bytes, 0 = unknown */
	unsigned depth;	   /* parts stand one deeper, right after their whole */
	bool parts;	   /* it has parts, which are shown when it is open */
	bool open;
	bool argument; /* else a local variable, */
	bool global;   /* or one of the frame's compilation unit */
	bool counts;   /* an integer, a pointer: number is its value */
	int64_t number;
};

/*
 * The variables in scope in frame f, inner scopes first, then the unit's own
 * when "globals" is open. open: paths whose parts are wanted. *n == 0 is no
 * error: there is no debug information. Strings live in a.
 */
int symbols_vars(struct symbols *s, const struct sym_frame *f,
		 const char *const *open, size_t n_open, struct arena *a,
		 struct sym_var **out, size_t *n, struct err *err);

/*
 * One by its expression: a name, then any of .member ->member [index], with
 * stars before it; f NULL: globals of any module only. E_NOT_FOUND tells which
 * part is not there.
 */
int symbols_var(struct symbols *s, const struct sym_frame *f, const char *expr,
		struct arena *a, struct sym_var *out, struct err *err);

#endif
