#ifndef RECORDER_NONDET_H
#define RECORDER_NONDET_H

/* Instructions whose result is not a function of the state: RDTSC, CPUID, ... */
#include "recorder/internal.h"

int nondet_init(struct recorder *r, struct err *err);
void nondet_release(struct recorder *r);
/*
 * Code appeared at [start, start + len) (mmap or mprotect to executable):
 * patch what must trap; appends PATCH items. exec_capture does it for the image.
 */
int nondet_mapped(struct recorder *r, struct task *t, uint64_t start,
		  uint64_t len, struct buf *items, struct err *err);
/*
 * A SIGSEGV or SIGTRAP stop: when it is ours (RDTSC, CPUID, a patched site),
 * emulate it: set the registers, fill *ev (kind insn, begun by the caller) and
 * items, return 1; the task is then resumed without a signal. The disposition
 * that the kernel reset because the signal was blocked or ignored (PITFALLS
 * A1.4) is put back here. 0: the program's own signal.
 */
int nondet_trap(struct recorder *r, struct task *t, const uint8_t info[128],
		struct event *ev, struct buf *items, struct err *err);
/* A task was born of parent, or ends. */
void nondet_birth(struct task *t, const struct task *parent);
void nondet_forget(struct task *t);

#endif
