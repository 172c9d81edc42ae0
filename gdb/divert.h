#ifndef GDB_DIVERT_H
#define GDB_DIVERT_H

/*
 * Functions that the client calls. gdb knows of no copies: it writes arguments
 * and registers, lets the program run to a breakpoint at the return address,
 * and writes the registers back. The first of these writes makes a copy of the
 * moment, and from then on until the registers are what they were the client
 * sees the copy (replayer/target_divert.h); then what was recorded again.
 *
 * A string argument is a call of malloc and a write to what it returned,
 * outside of any call: the copy is kept until something else happens.
 */
#include "gdb/session.h"

/* Does the client see a copy? */
bool divert_is_shown(const struct gdb_server *s);
/* The client asked for siginfo: the next write may begin a call. */
void divert_expect(struct gdb_server *s);
/* Writes of the client, to memory and registers; errors: E_UNSUPPORTED: it is
 * not in a call, and what was recorded cannot be changed. */
int divert_write(struct gdb_server *s, uint64_t addr, struct span bytes,
		 struct err *err);
int divert_set_regs(struct gdb_server *s, const struct regs *regs,
		    struct err *err);
int divert_set_xstate(struct gdb_server *s, struct span xstate,
		      struct err *err);
/* The client goes on. True: that was the called function, s->stop says where
 * it stopped. False: it is the recording that is to go on. */
bool divert_resume(struct gdb_server *s, bool step);
/* No copy any more. */
void divert_end(struct gdb_server *s);

#endif
