#ifndef TRACEE_PTRACE_H
#define TRACEE_PTRACE_H

/*
 * Every ptrace request, with errors as values: -E_GONE when the task died
 * (ESRCH can come at any time), otherwise -errno. Tracer thread only: the one
 * that seized (ptrace(2): requests from another thread get ESRCH).
 */
#include "base/buf.h"
#include "base/err.h"
#include "event/regs.h"
#include <signal.h>
#include <stdbool.h>
#include <sys/ptrace.h> /* PTRACE_CONT and so on */
#include <sys/types.h>

int ptrace_seize(pid_t tid, struct err *err); /* with all options incl. EXITKILL */
/* Resume; request is PTRACE_CONT, _SYSCALL, _SINGLESTEP, _SYSEMU, _LISTEN. */
int ptrace_resume(pid_t tid, int request, int signo);
int ptrace_cont(pid_t tid); /* PTRACE_CONT without a signal */
int ptrace_interrupt(pid_t tid);
int ptrace_get_regs(pid_t tid, struct regs *out);
int ptrace_set_regs(pid_t tid, const struct regs *r);
int ptrace_get_xstate(pid_t tid, struct buf *out); /* replaces out's contents */
int ptrace_set_xstate(pid_t tid, struct span xstate);
int ptrace_get_siginfo(pid_t tid, uint8_t out[128]);
int ptrace_set_siginfo(pid_t tid, const uint8_t si[128]);
int ptrace_get_sigmask(pid_t tid, uint64_t *out);
int ptrace_set_sigmask(pid_t tid, uint64_t mask);
/*
 * Debug register slot (0-3) of a task: stop with SIGTRAP (TRAP_HWBKPT) before
 * the instruction at addr (len 1), or after one that touched the len (1, 2, 4,
 * 8) bytes there, addr a multiple of len. PTRACE_DEBUG_OFF frees the slot. Not
 * inherited by what the task forks; not for the kernel's own stores.
 */
enum ptrace_debug {
	PTRACE_DEBUG_EXEC = 0,
	PTRACE_DEBUG_WRITE = 1,
	PTRACE_DEBUG_ACCESS = 3,
	PTRACE_DEBUG_OFF = 4,
};
int ptrace_set_debug(pid_t tid, unsigned slot, enum ptrace_debug what,
		     uint64_t addr, unsigned len);
/* Bit n: slot n has trapped since it was asked last. */
int ptrace_debug_hits(pid_t tid);
int ptrace_event_msg(pid_t tid, unsigned long *out);
/* The rseq area registered by a task; *addr 0 = none. -EIO before Linux 5.13. */
int ptrace_get_rseq(pid_t tid, uint64_t *addr, uint32_t *size, uint32_t *sig);
/* 1: a fault (SIGSEGV, SIGTRAP, ... of the task's own instruction) is queued
 * and will be reported when it is resumed; 0: none. */
int ptrace_fault_pending(pid_t tid);
/* Stop with SIGTRAP before the instruction at addr, by a debug register; 0 =
 * no more. Not inherited by what the task forks. */
int ptrace_set_break(pid_t tid, uint64_t addr);
#define PTRACE_BREAKS 4u
/* The same before n <= PTRACE_BREAKS instructions, in place of any before.
 * ptrace_set_break forgets them. -ENODEV and the like: there is no such thing.
 */
int ptrace_set_breaks(pid_t tid, const uint64_t *addr, unsigned n);
/* 0 none, 1 entry, 2 exit, 3 seccomp (PTRACE_GET_SYSCALL_INFO). */
int ptrace_syscall_op(pid_t tid);

#endif
