#ifndef CLI_DEBUGGER_H
#define CLI_DEBUGGER_H

/*
 * The other end of pastime gdb: sockets that clients come through, and the
 * debugger that we start ourselves.
 */
#include "base/err.h"
#include "tracee/spawn.h"
#include <sys/types.h>

#define DEBUGGER_DEFAULT "gdb"

struct debugger {
	int listening; /* -1 = none */
	int port;      /* of a TCP socket */
	int quit;      /* readable when we are to end: a signal, gdb's end */
	pid_t pid;     /* of gdb, 0 = none */
	char dir[64];  /* of the socket and the commands; "" = none */
};

/* Listen on a port of localhost; 0 = any that is free. */
int debugger_listen(struct debugger *d, unsigned port, struct err *err);
/* Is there such a program? Errors: E_EXEC, with how to install it. */
int debugger_check(const char *program, struct err *err);
/* Start it, connected to a socket of our own; sysroot: where it finds files;
 * args: NULL-terminated, more words for its command line. */
int debugger_start(struct debugger *d, const char *program, const char *sysroot,
		   char **args, const struct spawn_inherit *inherit,
		   struct err *err);
/* Another program of ours in the foreground, until it ends: its exit status, as
 * a shell has it. The terminal's keys are for it. */
int debugger_run(char **argv, const struct spawn_inherit *inherit,
		 struct err *err);
/* From now on signals that would end us make quit readable. */
int debugger_catch(struct debugger *d, struct err *err);
/* The next client; -E_END when it is time to end. */
int debugger_accept(struct debugger *d, int *out, struct err *err);
/* Wait for the end of what was started: its exit status, as a shell has it. */
int debugger_wait(struct debugger *d);
void debugger_close(struct debugger *d);

#endif
