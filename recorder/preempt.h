#ifndef RECORDER_PREEMPT_H
#define RECORDER_PREEMPT_H

/*
 * Stopping a task that computes at a place that replay finds again
 * (tracee/point.h), at an event of its own. sched.c decides when.
 */
#include "recorder/internal.h"

/* How a step of it ended. */
enum preempt {
	PREEMPT_ON_ITS_WAY, /* the task runs, or its next stop is pending */
	PREEMPT_DONE,	    /* it stands at its new last event */
	PREEMPT_IMPOSSIBLE, /* it stands where it was interrupted, no event */
};

/* t stands at an interrupt, or before a signal that it will not get here,
 * while it computes. Returns enum preempt. */
int preempt_begin(struct recorder *r, struct task *t, struct err *err);
/* t stands at a breakpoint of ours: a point exactly here, or none; may_trap as
 * in tracee/point_here.h. Returns enum preempt, never ON_ITS_WAY. */
int preempt_here(struct recorder *r, struct task *t, bool may_trap,
		 struct err *err);
/* The next interrupt after that, while t->taking_now. Returns enum preempt. */
int preempt_stop(struct recorder *r, struct task *t, struct err *err);
/* Another stop came first, or t is gone. */
void preempt_cancel(struct recorder *r, struct task *t);
int preempt_init(struct recorder *r, struct err *err);
void preempt_release(struct recorder *r);
/* Points of this space cannot be told. */
bool preempt_is_impossible(const struct task *t);
/* What the last one of its space cost. */
uint64_t preempt_cost(const struct task *t);

/* A look at the clocks while t computes. */
void preempt_tick(const struct recorder *r, struct task *t);

/* PASTIME_PREEMPT=MS[,seed=N][,sums] turns the test on; it need not. */
int preempt_test_env(struct preempt_test *p, struct err *err);
/* The test wants t, which computes, stopped now. */
bool preempt_test_due(const struct recorder *r, const struct task *t);
/* When to look for that, from now; 0 = it is off. */
uint64_t preempt_test_tick(const struct recorder *r, const struct task *t);
/* t stands at its point: the checksum, and a new slice. */
int preempt_test_done(struct recorder *r, struct task *t, struct err *err);

#endif
