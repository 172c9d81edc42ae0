#ifndef REPLAYER_AGENT_RELAY_H
#define REPLAYER_AGENT_RELAY_H

/*
 * Threads that hand over to each other while calls are made ahead: one process
 * of the replay is all of them in turn (agent/replay.c). Each has a slot; who
 * waits lies there.
 */
#include "replayer/world.h"

#define RELAY_MAX 32u

struct relay {
	struct puppet *v[RELAY_MAX]; /* by slot; the first one's runs */
	unsigned n;
	struct buf xstate; /* reused */
};

/* This machine can. */
bool relay_is_possible(void);
void relay_start(struct relay *y, struct puppet *p);
void relay_free(struct relay *y);
/* p's slot; it takes part. */
unsigned relay_slot(const struct relay *y, const struct puppet *p);
/* The task of the event, with which it returns from a call that it waits in,
 * takes part from now on, if it did not so far. False: it cannot. */
bool relay_joins(struct relay *y, struct puppet *p, const struct event *ev);
/* Before the first one runs: put the others into their slots. */
int relay_begin(struct relay *y, struct err *err);
/* It has halted: everybody is a process of his own again. *out: who halted. */
int relay_end(struct relay *y, struct puppet **out, struct err *err);

#endif
