#ifndef TUI_LOOK_H
#define TUI_LOOK_H

/*
 * Looking at a target: everything that the panes show of one task at one
 * moment. Belongs to the thread that owns the target.
 */
#include "tui/data.h"

struct look;

struct look *look_new(struct target *t); /* borrowed */
void look_free(struct look *l);
/* The target stands at req->pos. Task 0: only the list of tasks. A part that
 * cannot be had is empty and says why; errors are those of the target. */
int look_at(struct look *l, const struct tui_moment_req *req, struct arena *a,
	    struct tui_moment *out, struct err *err);

/*
 * Places of code for a breakpoint, in the program of task: a function, "12",
 * "file.c:12", an address. file: whose line a mere number is, or NULL. At most
 * max of them. Errors: E_USAGE, E_NOT_FOUND.
 */
int look_places(struct look *l, uint32_t task, const char *spec,
		const char *file, uint64_t *out, size_t max, size_t *n,
		struct err *err);
/*
 * A variable or a part of one in the frame that req tells; or a register or an
 * address, which has no type. Errors: E_USAGE, E_NOT_FOUND.
 */
int look_variable(struct look *l, const struct tui_moment_req *req,
		  const char *expr, struct arena *a, struct sym_var *out,
		  struct err *err);
/* Names for completion in the program that was looked at last, or parts of a
 * variable, for which the target stands at req->at.pos. */
int look_names(struct look *l, const struct tui_names_req *req, struct arena *a,
	       const char ***out, size_t *n, size_t *all, struct err *err);
/* Does prefix name a part of something ("list->ne")? */
bool look_is_part(const char *prefix);
/*
 * Is the condition (tui/cond.h) true where the target stands?
 */
bool look_holds(struct look *l, uint32_t task, const char *cond);

/*
 * "rsp", "rdi+8", "main", "libc.so.6:environ-0x10", "4096": what it comes
 * to. by_name finds symbols; it may be NULL. Errors: E_USAGE.
 */
int look_value(const char *expr, const struct regs *regs,
	       int (*by_name)(void *ctx, const char *name, uint64_t *out),
	       void *ctx, uint64_t *out, struct err *err);

#endif
