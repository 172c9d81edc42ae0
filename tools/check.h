#ifndef TOOLS_CHECK_H
#define TOOLS_CHECK_H

/* What the tools share that record into memory and compare moments. */
#include "base/err.h"
#include "event/memlog.h"
#include "recorder/recorder.h"
#include <stdbool.h>

/* Say on standard error what went wrong, under the program's name. 2, to exit
 * with. */
int check_fail(const struct err *err, const char *what);
/* The whole command, as a root's if we are. 0, or 2 as check_fail. */
int check_record(const struct record_opts *o, struct memlog *m,
		 struct record_result *out);
/* With the agent from the first call on, or without it. */
int check_command(char **argv, bool agent, struct memlog *m);
/* What main ends with: fn(ctx, its recording) of the command that argv is,
 * recorded as by check_command. What to exit with; 2 if there is no command. */
int check_main(char **argv, bool agent, int (*fn)(void *ctx, struct memlog *m),
	       void *ctx);
/* Below n, 0 if that is 0. */
uint64_t check_pick(unsigned short seed[3], uint64_t n);

#endif
