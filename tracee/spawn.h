#ifndef TRACEE_SPAWN_H
#define TRACEE_SPAWN_H

/*
 * Start a command that another process traces before its first instruction.
 *
 *   front:    spawn_stopped     the child prepares itself and waits
 *             fork the tracer, spawn_disown
 *   tracer:   spawn_seize       traced; it still waits, free of stops
 *             spawn_go          it installs the filter and calls execve
 *             spawn_exec_failure, when it ends before its image is there
 *
 * One process may play both parts. Between spawn_go and the first STOP_EXEC the
 * child makes one traced execve per candidate of PATH and, when all fail, a
 * write and an exit_group: the tracer lets these pass without recording them.
 * When the tracer goes away before spawn_go the child exits; later, EXITKILL.
 */
#include "base/err.h"
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What our own parent gave us, to be given on. */
struct spawn_inherit {
	sigset_t mask;
	uint64_t ignored; /* bit n - 1: signal n is ignored */
};

/* Call it first in main, before any signal call. */
void spawn_inherit_get(struct spawn_inherit *out);

struct spawn_opts {
	const struct spawn_inherit *inherit; /* NULL: as it is now */
	bool keep_privs;     /* see filter_install */
	bool trap_tsc;	     /* RDTSC gives SIGSEGV */
	bool filter_all;     /* filter_install_all */
	bool no_filter;	     /* for callers that trace with PTRACE_SYSCALL */
	int cpu;	     /* the CPU to start on, -1 = any */
};

struct spawned {
	pid_t pid;
	int ctl;    /* our end of the handshake, -1 */
	int status; /* where a failure before or in execve is read, -1 */
};

/*
 * Fork argv (argv[0] is looked up in the PATH of envp, as execvpe does).
 * The caller should have one thread. No program has run when it returns.
 */
int spawn_stopped(char *const argv[], char *const envp[],
		  const struct spawn_opts *o, struct spawned *out,
		  struct err *err);
/* Trace it from the calling thread; Yama's rule for non-children is met.
 * Errors: E_PTRACE_DENIED. */
int spawn_seize(struct spawned *s, struct err *err);
int spawn_go(struct spawned *s, struct err *err);
/*
 * Why the child ended without a STOP_EXEC: -ENOENT, -EACCES, ... with the
 * system's text, to be wrapped with the command's name. Does not wait; 0 when
 * there is no failure (yet).
 */
int spawn_exec_failure(struct spawned *s, struct err *err);
/* Front: leave the handshake to the tracer, keep the status. */
void spawn_disown(struct spawned *s);
/* Close what is open; the child is not waited for. */
void spawn_release(struct spawned *s);

#endif
