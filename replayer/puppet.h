#ifndef REPLAYER_PUPPET_H
#define REPLAYER_PUPPET_H

/* One process of a replay: puppet.c. What it is, is in world.h. */
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct batch;
struct halt;
struct puppet;
struct regs;
struct replayer;

/* Make these the registers (when it runs next); selectors stay. */
void puppet_set_regs(struct puppet *p, const struct regs *regs);
/* Write the registers into the process if they changed. */
int puppet_flush(struct puppet *p, struct err *err);
/* Let it run to the next halt; regs are then those of the halt. slice_ns: stop
 * it after so long with HALT_TIMEOUT, as limit_ns does for all of it; 0 = no.
 */
int puppet_run(struct replayer *r, struct puppet *p, uint64_t limit_ns,
	       uint64_t slice_ns, struct halt *out, struct err *err);
/* Its debug registers 0 to 2 are not set any more. */
void puppet_unwatch(struct puppet *p);
/* Execute one instruction, all of a rep: 1, or 0 and *out when it ran into that
 * instead. */
int puppet_step(struct replayer *r, struct puppet *p, struct halt *out,
		struct err *err);
/* At a call's halt: get the process out of the call, running nothing. */
int puppet_settle(struct puppet *p, struct err *err);
/* Something else ran the process: its registers are what they are now. 1. */
int puppet_reload(struct puppet *p, struct err *err);
/* Run a system call in the process. regs stay what they are for the program. */
int puppet_call(struct puppet *p, long nr, const uint64_t args[6], int64_t *ret,
		struct err *err);
/* The same when failing is an error of ours, "what: ENOMEM". */
int puppet_must(struct puppet *p, const char *what, long nr,
		const uint64_t args[6], struct err *err);
/* A list of calls with one halt; all must say what they should. */
int puppet_batch(struct puppet *p, const struct batch *b, struct err *err);
/* A copy of the process: with its own memory, or (vm) sharing it. */
int puppet_fork(struct puppet *p, bool vm, pid_t *out, struct err *err);
/* Kill and reap. */
void puppet_kill(pid_t *pid);
/* Kill without waiting for the end, which takes as long as its memory is
 * large. Those that are dead by now are reaped by the other; wait: all. */
void puppet_kill_later(struct replayer *r, struct puppet *p);
void puppet_reap(struct replayer *r, bool wait);

#endif
