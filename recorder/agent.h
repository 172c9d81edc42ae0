#ifndef RECORDER_AGENT_H
#define RECORDER_AGENT_H

/*
 * The agent's life in the recorded spaces (docs/AGENT.md). Nothing of it exists
 * unless record_opts.agent is set. A space gets it when calls that it could
 * have made have come often enough; each call site is patched when it is seen
 * often.
 */
#include "recorder/internal.h"

struct agent_space; /* space.agent; NULL: nothing yet */

int agent_init(struct recorder *r, struct err *err);
void agent_release(struct recorder *r);

/* pc, or where the program thinks it is when that is before or behind the
 * syscall instruction of a stub. */
uint64_t agent_view(const struct task *t, uint64_t pc);
/* t was interrupted in the agent's code, which is no place of the program's:
 * its next call will trap. */
bool agent_interrupted(struct task *t);

/*
 * A trapped call is over and its event is being built: may patch its site, or
 * bring the agent in. Appends items.
 */
int agent_seen(struct recorder *r, struct task *t, struct err *err);
/* At any stop, and now and then: put the events of the calls that agents made.
 */
int agent_drain(struct recorder *r, struct err *err);
/* Somebody may be making such calls now. */
bool agent_is_busy(const struct recorder *r);
/* Before t runs on: may the agent make its calls, or must they trap? */
void agent_resume(struct task *t);
/* The next call of this space traps, whatever it is. */
void agent_hold(struct space *s);

/* A frame is left with these registers: out of bytes that were patched since.
 */
int agent_sigreturn(struct task *t, struct regs *regs);
/* c was born of t with these clone flags. */
void agent_birth(struct task *c, struct task *t, uint64_t flags);
/* Descriptors may be others than the agent knows. */
void agent_forget_fds(struct space *s);
void agent_forget(struct space *s);

#endif
