#ifndef RECORDER_CHAOS_H
#define RECORDER_CHAOS_H

/*
 * Hostile choices (record --chaos): whose turn it is and for how long, where
 * it ends, what calls answer. Nothing here makes anything happen that could not
 * happen without it; each choice is an event of kind chaos, which replay
 * passes over. r->chaos is NULL without the option, and every function here
 * answers then as if it were not there.
 */
#include "recorder/internal.h"
#include <signal.h>

void chaos_init(struct recorder *r);
void chaos_release(struct recorder *r);
/* The recording is about to end: notes for the end. */
void chaos_finish(struct recorder *r);
/* Facts for the header event. */
void chaos_header(const struct recorder *r, struct buf *items);
/* A task was born (it and its parent stand stopped), or ends. */
int chaos_birth(struct recorder *r, struct task *t, struct task *parent,
		struct err *err);
void chaos_forget(struct recorder *r, const struct task *t);

/* t is about to run user code from where its last event left it: lay ambushes.
 */
void chaos_resume(struct recorder *r, struct task *t);
/* The turn of t, which computes, is over. True: it is stalked, and will be
 * stopped at the next place in no time. */
bool chaos_stops_it(struct recorder *r, struct task *t);
/* No ambushes for t: it is going to be stopped otherwise. */
void chaos_disarm(struct recorder *r, struct task *t);
/* Signal signo of t can be delivered where it stands. 1: it shall not yet. */
int chaos_delays(struct recorder *r, struct task *t, int signo,
		 struct err *err);
/* A signal is kept for t, which goes on: lay ambushes for it. */
void chaos_stashed(struct recorder *r, struct task *t);
/* At a signal stop: 1: an ambush, dealt with. 0: a signal. */
int chaos_trap(struct recorder *r, struct task *t, const siginfo_t *si,
	       struct err *err);

/* At the entry of a call, before it is decided: change what the kernel is asked
 * for, or answer. 1: it is issued again (resumed already). */
int chaos_call(struct recorder *r, struct task *t, struct err *err);

/* How many CPUs files are to tell of; 0: as many as there are. */
unsigned chaos_cpus(const struct recorder *r);
/* It enters the kernel; seen: tasks that share its memory run meanwhile. */
void chaos_enters(struct recorder *r, struct task *t, bool seen);
/* It has left the kernel. */
void chaos_leaves(struct recorder *r, struct task *t);

/* --- for sched.c --- */

/* Which of g's READY tasks is next: its index, or -1: none of them now. */
ssize_t chaos_choose(struct recorder *r, const struct group *g);
/* Does a task of g that is READY want its turn now? */
bool chaos_waits(const struct recorder *r, const struct group *g);
/*
 * t goes on after an event. 1: its turn ends even if nobody waits for it,
 * 0: it goes on unless its turn is over anyway; or an error.
 */
int chaos_turn_ends(struct recorder *r, struct task *t, struct err *err);
/* t was stopped in computation, or yields: others come first now. */
int chaos_cut(struct recorder *r, struct task *t, struct err *err);
/* How long a turn of t may last that usually lasts ns. */
uint64_t chaos_slice(struct recorder *r, const struct task *t, uint64_t ns);
/* In how many ns sched_tick must look, 0: never on our account. */
uint64_t chaos_tick_ns(struct recorder *r);

#endif
