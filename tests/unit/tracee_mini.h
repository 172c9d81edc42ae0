#ifndef TESTS_TRACEE_MINI_H
#define TESTS_TRACEE_MINI_H

/* A tracer of a few lines, for tests of what is below the recorder: runs a
 * command with every call trapped and its output in a pipe. */
#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "tracee/spawn.h"

struct mini {
	struct spawned child;
	int out;	 /* read end of its standard output */
	pid_t root;
	int status;	 /* of the command, when mini_run returned */
	unsigned calls;	 /* seccomp stops */
	unsigned execs;
	unsigned agents; /* pages injected */
	bool trap_tsc;
	const struct spawn_inherit *inherit;
	/* Called at each exit stop of an execve, may be NULL. */
	void (*on_exec)(struct mini *m, pid_t tid);
	/* A signal stop: the signal to deliver. May be NULL. */
	int (*on_signal)(struct mini *m, pid_t tid, int signo);
	void *arg;
};

void mini_start(struct mini *m, const char *const argv[]);
void mini_run(struct mini *m);		     /* to the end of the last task */
void mini_output(struct mini *m, struct buf *out); /* all it printed */

#endif
