#ifndef CLI_MOMENT_H
#define CLI_MOMENT_H

/* A moment of a recording as text: what "replay --at" prints. */
#include "base/err.h"
#include "cli/cmd.h"
#include "replayer/target.h"

/* Position, event, registers, backtrace with source lines, code, threads. */
int moment_print(struct cli *c, uint64_t rec, struct target *t,
		 struct err *err);

#endif
