#ifndef STORE_MAPPINGS_H
#define STORE_MAPPINGS_H

/*
 * The mappings of every space, from the event that made each to the one that
 * changed or ended it. A part that is unmapped or protected otherwise splits
 * its mapping: the pieces begin where it ends.
 */
#include "store/intervals.h"

/* True when a call of this number may change mappings. */
bool mappings_want(int call);
/* A task began in its space; a space that is new is a copy of from's. */
void mappings_birth(struct intervals *iv, const struct task_iv *t,
		    uint32_t from, uint64_t seq);
/* A task left its space: the last one ends it. */
void mappings_leave(struct intervals *iv, uint32_t space, uint64_t seq);
/* A task entered a space that an exec made. */
void mappings_enter(struct intervals *iv, uint32_t space);
/* What ev's items say was mapped, and what its call changed. */
void mappings_event(struct intervals *iv, uint32_t space,
		    const struct event *ev);
/* A row from the database, open; taken. Its space's tasks come beside. */
void mappings_add(struct intervals *iv, struct mapping_iv *row);
/* Forget the rows that ended; all of them and everything else. */
void mappings_drop_closed(struct intervals *iv);
void mappings_release(struct intervals *iv);

#endif
