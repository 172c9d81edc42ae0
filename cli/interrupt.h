#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

/*
 * Ctrl-C where there is something to put in order first. The first one sets a
 * flag, cancels the query that db (may be NULL) is running, and gives the
 * command half a second to end by itself; then, or at the second one, the
 * process dies of the signal as it would have without all this (a shell shows
 * 130).
 */
#include <stdbool.h>

struct db;

void interrupt_catch(struct db *db);
bool interrupted(void);
/* After the command has put things in order: die of the signal that came. */
void interrupt_die(void);

#endif
