#ifndef RECORDER_EXEC_H
#define RECORDER_EXEC_H

/* A fresh image: put in what pastime needs, capture what it starts from. */
#include "recorder/internal.h"

/*
 * At the exec stop of an execve (t->proc->space is new, its mem is open), after
 * which the task stands before the image's first instruction: put the agent in,
 * hide the vdso, arm RDTSC and CPUID, capture the image. Puts the file events,
 * then appends the items of the exec event to r->items.
 */
int exec_capture(struct recorder *r, struct task *t, struct err *err);
/*
 * Before an execve of path (as execveat takes it; "" = dirfd itself): why the
 * image cannot be recorded ("a 32-bit program") and what execve should say
 * instead, or NULL. Also NULL when that cannot be told; exec_capture then fails
 * with E_UNSUPPORTED.
 */
const char *exec_refusal(const struct recorder *r, const struct task *t,
			 int dirfd, const char *path, int *out_errno);
/* After it: a warning when the image lacks privileges because it is recorded.
 */
int exec_privileges(struct recorder *r, const struct task *t, struct err *err);
/* Items of the header event: host facts, argv, env, descriptors. */
int exec_header(struct recorder *r, struct task *t, struct buf *items,
		struct err *err);
void exec_forget(struct space *s);

#endif
