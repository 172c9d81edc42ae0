#ifndef RECORDER_SCHED_H
#define RECORDER_SCHED_H

/*
 * Whose turn it is. Per group one task at a time has the baton and may run
 * user code. The handlers of stops say what becomes of a task; sched_pump,
 * called after each stop, hands free batons on.
 */
#include "recorder/internal.h"

#define TURN_NS 10000000ull /* a turn ends at the first event after this */

/* t stands in a stop and wants the baton (it must not have it). */
void sched_ready(struct task *t, enum task_next next);
/* t gives the baton up: it is inside a call, held, or dying. */
void sched_release(struct task *t);
/* t goes on with the baton it has: resumed, or, when its turn is over and
 * others wait, made READY. At an event only. */
int sched_continue(struct recorder *r, struct task *t, struct err *err);
/* t leaves its group's queue and baton for ever (death, exec). */
void sched_forget(struct recorder *r, struct task *t);
/* sched_yield: the turn is over at the next sched_continue. */
void sched_yield_turn(struct task *t);
/* Give free batons to READY tasks until nothing changes. */
int sched_pump(struct recorder *r, struct err *err);
/* How many tasks of its group could run while t waits. */
bool sched_others(const struct task *t);

/* Timers: slices, spins, stashed signals. Wait for stops with sched_wait. */
int sched_init(struct recorder *r, struct err *err);
void sched_release_timer(struct recorder *r);
/* As stop_wait(-1, true), but STOP_NONE when time is up for sched_tick. */
int sched_wait(struct recorder *r, struct stop *out, struct err *err);
/* t computes, and a signal has just been stashed: resume it. */
int sched_stashed(struct recorder *r, struct task *t, struct err *err);
/* t stands at a point: do what it was stopped for, its turn is over. */
int sched_at_point(struct recorder *r, struct task *t, struct err *err);
int sched_tick(struct recorder *r, struct err *err);
/* An EVENT_STOP of a task that sched_tick interrupted. */
int sched_interrupted(struct recorder *r, struct task *t, struct err *err);

#endif
