#ifndef REPLAYER_TARGET_DIVERT_H
#define REPLAYER_TARGET_DIVERT_H

/*
 * A throw-away copy of a moment, in which a debugger calls functions of the
 * program. While it is shown, tasks, regs, xstate, read and maps of the target
 * are of the copy, and the target must not be moved. Nothing that is done to
 * the copy is seen in the recording's own state.
 *
 * What the program asks of the system there is answered without touching
 * anything outside: memory is mapped, clocks are read, writes to the outputs
 * are shown, others pretended; nothing is opened, sent or killed.
 */
#include "base/err.h"
#include "base/span.h"
#include "event/regs.h"
#include <stdbool.h>

struct diversion;

struct diversion_req {
	uint32_t task; /* runs; all others stand still */
	bool step;     /* one instruction */
	/* Stop before these instructions, but not where it stands. */
	const uint64_t *breaks;
	size_t n_breaks;
	void (*output)(void *ctx, struct span bytes); /* what it prints */
	bool (*go_on)(void *ctx); /* asked now and then: false = stop it */
	void *ctx;
};

struct diversion_stop {
	int signo; /* SIGTRAP: a step or breakpoint; SIGINT: go_on said so;
		      else what would have been delivered */
	bool at_break;
	const char *note; /* why it cannot go on, or NULL */
};

struct diversion_ops {
	/* Show the copy, or what it is a copy of. */
	void (*show)(struct diversion *d, bool copy);
	int (*write)(struct diversion *d, uint32_t task, uint64_t addr,
		     struct span bytes, struct err *err);
	int (*set_regs)(struct diversion *d, uint32_t task,
			const struct regs *regs, struct err *err);
	int (*set_xstate)(struct diversion *d, uint32_t task,
			  struct span xstate, struct err *err);
	int (*run)(struct diversion *d, const struct diversion_req *req,
		   struct diversion_stop *out, struct err *err);
	/* The copy is gone; the target is shown. */
	void (*close)(struct diversion *d);
};

struct diversion {
	const struct diversion_ops *ops;
};

#endif
