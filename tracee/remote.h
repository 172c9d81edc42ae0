#ifndef TRACEE_REMOTE_H
#define TRACEE_REMOTE_H

/*
 * Run system calls inside a stopped task, from the gadget of the agent page
 * (AGENT_BASE, see agent/abi.h), whose calls the filter lets pass. All signals
 * are blocked meanwhile and all registers are put back.
 *
 * The task must be in a ptrace stop that is not between a syscall's entry and
 * its exit; at a seccomp or entry stop use remote_at_entry, which lets the
 * call be skipped, injects, and puts the task back before its syscall
 * instruction. Not for a task whose call is to be restarted (-ERESTART* in
 * rax): nothing here sees to that.
 */
#include "base/err.h"
#include "base/span.h"
#include "event/regs.h"
#include <sys/types.h>

struct mem;

/*
 * *out_ret is the kernel's result, -errno included: a call that fails is not
 * our failure. Errors: -E_GONE, the task died; its registers no longer matter.
 */
int remote_syscall(pid_t tid, long nr, const uint64_t args[6], int64_t *out_ret,
		   struct err *err);
/* The same when no agent page exists yet (right after exec): through a syscall
 * instruction poked at the program counter and taken away again. */
int remote_syscall_poke(pid_t tid, const struct mem *m, long nr,
			const uint64_t args[6], int64_t *out_ret, struct err *err);
/* As remote_syscall; args[which] points to a copy of data (at most
 * AGENT_ARG_SIZE) in the agent page, which the call may read only. */
int remote_syscall_with(pid_t tid, const struct mem *m, long nr,
			const uint64_t args[6], unsigned which,
			struct span data, int64_t *out_ret, struct err *err);
/* At a seccomp or syscall-entry stop: run another call in its place; then the
 * task stands before its syscall instruction again and will issue it anew. */
int remote_at_entry(pid_t tid, long nr, const uint64_t args[6], int64_t *out_ret,
		    struct err *err);
/*
 * Let it run from these registers up to an int3, whose registers are *out; then
 * it has the registers back. For code of ours (tracee/batch.h). What it does to
 * the disposition of an ignored SIGTRAP the caller mends.
 */
int remote_to_trap(pid_t tid, const struct regs *from, const struct regs *back,
		   struct regs *out, struct err *err);

#endif
