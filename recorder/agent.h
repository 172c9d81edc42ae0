#ifndef RECORDER_AGENT_H
#define RECORDER_AGENT_H

/*
 * The agent's life in the recorded spaces (docs/AGENT.md). Nothing of it exists
 * unless record_opts.agent is set. A space gets it when calls that it could
 * have made have come often enough; each call site is patched when it is seen
 * often.
 */
#include "recorder/internal.h"
#include "tracee/batch.h"
#include "tracee/maps.h"
#include "tracee/overlay.h"

struct agent_space; /* space.agent; NULL: nothing yet */

int agent_init(struct recorder *r, struct err *err);
void agent_release(struct recorder *r);

/* pc, or where the program thinks it is when that is before or behind the
 * syscall instruction of a stub. */
uint64_t agent_view(const struct task *t, uint64_t pc);
/* A file is about to be mapped: from now on the recorder has to see what is
 * written. */
void agent_no_writes(struct recorder *r);
/* t was interrupted in the agent's code, which is no place of the program's:
 * its next call will trap, and so will the one that it waits in. */
bool agent_interrupted(struct task *t);
/* t, at a signal's stop or a group's, waits in a call of the agent's: as if it
 * had trapped from now on. One that has returned just now is over, with its
 * event. matters: the signal is not just ignored. */
int agent_come_out(struct recorder *r, struct task *t, bool matters,
		   struct err *err);
/* A fault of the program's in an instruction that was moved to a stub: t stands
 * where that was. A handler that goes on there is led back (agent_sigreturn).
 */
void agent_faulted(struct task *t);
/* A fault of the agent's own, or a signal that comes once more when the call is
 * made where it traps: true, and t only needs to be resumed. */
bool agent_own_signal(struct task *t, int signo, bool fault);

/*
 * A trapped call is over and its event is being built: may patch its site, or
 * bring the agent in. Appends items.
 */
int agent_seen(struct recorder *r, struct task *t, struct err *err);
/* At the entry of one that does not return: its site is learned. */
int agent_left(struct recorder *r, struct task *t, struct err *err);
/* A mapping of code of a file that calls come from: it pays to have the agent
 * there from the beginning. */
bool agent_knows(struct recorder *r, struct task *t, const struct vma *vma,
		 uint64_t file);
/* Add the calls that map it into a fresh image; when they are through (agent:
 * NULL so far), it is put in there. Appends items. */
void agent_add_maps(const struct recorder *r, const struct space *s,
		    struct batch *b);
void agent_image(struct recorder *r, struct task *t);
/* Where it is: a file's code was mapped just now, of which sites may be known.
 * They are patched in o. Appends items. */
int agent_code_mapped(struct recorder *r, struct task *t, const struct vma *vma,
		      uint64_t file, struct overlay *o, struct err *err);
/* At any stop, and now and then: put the events of the calls that agents made.
 */
int agent_drain(struct recorder *r, struct err *err);
/* Somebody may be making such calls now. */
bool agent_is_busy(const struct recorder *r);
/* ... so many that one should look so often; 0: not. */
uint64_t agent_tick_ns(const struct recorder *r);
/* A file was mapped privately: one of those that the agent may map from now on.
 * how: enum agent_mapping, as far as it is known now. */
void agent_mapped(struct recorder *r, uint64_t number, unsigned how);
/* Before t runs on: may the agent make its calls, or must they trap? */
void agent_resume(struct task *t);
/* The next call of this space traps, whatever it is. */
void agent_hold(struct space *s);
/* ... also if t waits in the agent for something now: somebody needs it. */
void agent_break(struct task *t);
/* Somebody else of its group could run: t must not wait in the agent. */
void agent_no_waits(struct task *t);

/*
 * The baton (agent_baton.c). While nobody waits for it at a stop it changes
 * hands in the agent, and group.runner is only who had it last. agent_close
 * ends that, at any stop of a task of the space; agent_drain tells what
 * happened and who is the runner. agent_open, when all stops are dealt with,
 * begins it again.
 */
void agent_close(struct space *s);
void agent_open(struct recorder *r, struct group *g);
/* ... of another group; who has it is known at once. */
void agent_close_group(struct recorder *r, struct group *g);
/* At a call's stop: 1 when t stands at the gate, and all is done. */
int agent_gate(struct recorder *r, struct task *t, struct err *err);
/* t, whose enter is out, is stopped by job control. True: it has no baton (any
 * more) and can stay so. */
bool agent_stay(struct task *t);
/* t is no longer of its space. */
void agent_leave(struct task *t);

/* A frame is left with these registers: out of bytes that were patched since.
 */
int agent_sigreturn(struct task *t, struct regs *regs);
/* c was born of t with these clone flags. */
void agent_birth(struct task *c, struct task *t, uint64_t flags);
/* Descriptors may be others than the agent knows. */
void agent_forget_fds(struct space *s);
void agent_forget(struct space *s);

/* For tests (agent_test.c). At a stop: was it a call of the agent's own, which
 * goes on? A trap of ours, whose task goes on? A call has
 * trapped, with these registers. */
bool agent_test_call(struct recorder *r, struct task *t, struct err *err);
bool agent_test_trap(const struct recorder *r, struct task *t);
void agent_test_trapped(const struct recorder *r, const struct task *t,
			const struct regs *regs);

/* What only the agent needs. syscall.c: t was inside a call that it did not
 * trap for, with these registers at the entry; it stands amid of it. */
int syscall_adopt(struct recorder *r, struct task *t, const struct regs *regs,
		  struct err *err);
/* scratch.c: t is inside the call with stand-ins of its own, of these lengths:
 * regs, whose arguments are the program's, get those of the kernel. */
int scratch_adopt(struct task *t, const uint64_t args[6], const uint64_t len[6],
		  struct regs *regs);
/* outputs.c: the first max of them; returns how many. */
struct agent_output;
uint64_t outputs_list(const struct recorder *r, struct agent_output *out,
		      size_t max);

#endif
