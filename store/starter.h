#ifndef STORE_STARTER_H
#define STORE_STARTER_H

/*
 * Start the embedded server from a process of its own: initdb and postgres are
 * nobody's business who waits for children here, as a tracer does. It outlives
 * us when the recording is shorter than the start.
 */
#include "base/err.h"

/* A descriptor for starter_wait; -1: the server runs, or no process could be
 * made (connecting will tell). */
int starter_fork(void);
/* What came of it; closes *fd. 0 for -1. */
int starter_wait(int *fd, struct err *err);

#endif
