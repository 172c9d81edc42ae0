#ifndef RECORDER_NONDET_H
#define RECORDER_NONDET_H

/* Instructions whose result is not a function of the state: RDTSC, CPUID, ... */
#include "recorder/internal.h"
#include "tracee/batch.h"
#include "tracee/maps.h"

int nondet_init(struct recorder *r, struct err *err);
void nondet_release(struct recorder *r);
/*
 * Code appeared at [start, start + len) (mmap or mprotect to executable):
 * patch what must trap; appends PATCH items. exec_capture does it for the
 * image. fresh: it was just mapped, so that no task stands in it.
 */
int nondet_mapped(struct recorder *r, struct task *t, uint64_t start,
		  uint64_t len, bool fresh, struct buf *items, struct err *err);
/* The same of [start, start + len) in vma, fresh, a mapping of that file (0: of
 * none). */
int nondet_mapped_file(struct recorder *r, struct task *t,
		       const struct vma *vma, uint64_t file, uint64_t start,
		       uint64_t len, struct buf *items, struct err *err);
/* Is nothing to be patched in that file's code? Of one that was asked for by
 * nondet_mapped. */
bool nondet_is_plain(const struct recorder *r, uint64_t file);
/* Code appeared there that cannot be searched, or what was patched may be as
 * before: from now on RDTSC traps in the whole space, and items say so. */
void nondet_unsearched(struct space *s, struct buf *items);
/* After nondet_mapped of a new image: what it maps from now on. */
void nondet_image(struct task *t, const char *exe);
/* t stands where a call can be injected and goes on into its program: arm or
 * disarm the trap of RDTSC. */
int nondet_go_on(struct task *t, struct err *err);
/*
 * A SIGSEGV or SIGTRAP stop: when it is ours (RDTSC, CPUID, a patched site),
 * emulate it: set the registers, fill *ev (kind insn, begun by the caller) and
 * items, return 1; the task is then resumed without a signal. The disposition
 * that the kernel reset because the signal was blocked or ignored is put back
 * here. 0: the program's own signal.
 */
int nondet_trap(struct recorder *r, struct task *t, const uint8_t info[128],
		struct event *ev, struct buf *items, struct err *err);
/* After a trap of our own: undo what the kernel did to a signal that was
 * blocked or ignored. */
int nondet_repair(struct task *t, int signo, struct err *err);
/*
 * At a seccomp stop: a call through the vsyscall page, which has no entry
 * and no exit stop. 1: answered, *ev (kind insn) and items are filled, resume
 * with PTRACE_CONT. 0: an ordinary call.
 */
int nondet_vsyscall(struct recorder *r, struct task *t, struct event *ev,
		    struct buf *items, struct err *err);
/*
 * For the repair after a trap the handlers and the mask before it must be
 * known: call the first when an rt_sigaction succeeded (act: the kernel's
 * struct of 32 bytes), the second when the mask may have changed: at the exit of
 * rt_sigprocmask, rt_sigreturn and of calls with a mask of their own, and when
 * a frame was built.
 */
void nondet_sigaction(struct task *t, int signo, const uint8_t act[32]);
/* CLONE_SIGHAND: with another process. */
void nondet_shares_handlers(struct task *t);
/* A handler was set, and nothing has taken it away. False: or it is not known.
 */
bool nondet_catches(const struct task *t, int signo);
void nondet_sigmask(struct task *t);
void nondet_sigmask_is(struct task *t, uint64_t mask);
/* For exec.c: add the calls that arm the traps of a fresh image. */
void nondet_exec(const struct recorder *r, struct task *t, struct batch *b);
/* The header's KV cpuid. */
void nondet_cpuid(const struct recorder *r, struct buf *out);
/* A task was born of parent, or ends. */
void nondet_birth(struct task *t, const struct task *parent);
void nondet_forget(struct task *t);

#endif
