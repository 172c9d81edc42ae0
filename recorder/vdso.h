#ifndef RECORDER_VDSO_H
#define RECORDER_VDSO_H

/* The vdso must be out of reach: it tells the time without a system call. */
#include "recorder/internal.h"
#include "tracee/batch.h"
#include "tracee/maps.h"

/*
 * In a fresh image whose stack, from rsp on, is in stack, with the auxiliary
 * vector of auxc entries at offset auxv: take the vdso out of the vector, and
 * add the calls that take it out of the kernel's copy and of the address space.
 * stack is changed likewise. stat: what /proc/PID/stat says. keep: it is moved
 * to where the agent may find it (struct space, vdso), and when one of these
 * calls fails, vdso_unmap is next.
 */
int vdso_hide(struct task *t, const struct maps *m, uint64_t rsp,
	      struct buf *stack, size_t auxv, size_t auxc, const char *stat,
	      bool keep, struct batch *b, struct err *err);
void vdso_unmap(struct task *t, const struct maps *m, struct batch *b);

#endif
