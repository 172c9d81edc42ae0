#ifndef RECORDER_CHAOS_NAMED_H
#define RECORDER_CHAOS_NAMED_H

/*
 * Ambushes at places that the user names (record --chaos-at), in place of those
 * that chaos_ambush.c chooses. A name is looked for in every file whose code a
 * program maps, once for each file; what has been neither found nor reached is
 * said at the end. chaos->names is NULL without any.
 */
#include "recorder/chaos_priv.h"

void named_init(struct chaos *c);
void named_release(struct chaos *c);
/* The call that t leaves may have mapped code. */
void named_leaves(struct recorder *r, const struct task *t);
/* How places of its space are to be watched: it changes with them. Never 0. */
uint64_t named_version(struct recorder *r, const struct task *t);
/*
 * Which are to be watched in t, at most max; not the one at here, where it
 * stands, but *at then: it is one. *all: these are all.
 */
unsigned named_choose(struct recorder *r, const struct task *t, uint64_t here,
		      struct ambush *out, unsigned max, bool *at, bool *all);
/* t has come by one, or could not be stopped there. */
void named_reached(struct recorder *r, const struct task *t, uint64_t pc);
void named_refused(struct recorder *r);
/* Shall others run? */
bool named_springs(struct recorder *r, const struct task *t);
/* The recording ends. */
void named_finish(struct recorder *r);

#endif
