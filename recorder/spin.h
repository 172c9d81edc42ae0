#ifndef RECORDER_SPIN_H
#define RECORDER_SPIN_H

/* Tasks that wait by looking at memory. */
#include "event/regs.h"
#include "tracee/spin.h"

struct group;
struct recorder;
struct task;

/* What is known of one of them. */
struct waiting {
	struct regs samples[2]; /* what it did when it was looked at */
	struct spin on;		/* n > 0: until one of these words changes */
	uint64_t since_ns;	/* known since; 0 = it does not wait */
	uint64_t seen_ns;	/* then no signal was due */
	uint64_t cpu_ns;	/* CPU time when its turn began */
	bool spun;		/* it seemed to, in this turn or its last one */
	bool found;		/* what it waits for */
	unsigned tries;		/* in this turn it was looked into so often */
};

/* The turn of t begins. */
void spin_turn(struct task *t);
/* Has t done anything in its turn? A busy machine may not have let it, and then
 * it looks as if it spun. */
bool spin_has_run(const struct task *t);
/*
 * t stands at an interrupt while it computes. Returns enum spin_what;
 * t->waiting.spun is set when it does not get anywhere, as it seems, whatever
 * it is that it waits for.
 */
int spin_look(struct recorder *r, struct task *t, const struct regs *regs,
	      struct err *err);
/* t stands in user code, at regs: may it be in a loop in which it has spun
 * before? */
bool spin_is_there_again(const struct task *t, const struct regs *regs);
/* What does it wait for? Returns enum spin_what. */
int spin_try(struct recorder *r, struct task *t, struct err *err);
/* t stands at a point, and its turn ends. */
void spin_ends(const struct recorder *r, struct task *t);
/* How long t may compute before it is looked at for the first time in a turn,
 * when that is ns as a rule. */
uint64_t spin_look_ns(const struct task *t, uint64_t ns);
/* t waits for its turn, and it would be of no use to it. */
bool spin_is_stuck(const struct recorder *r, const struct task *t);
/* The same; what has changed meanwhile is looked into. */
bool spin_stays_stuck(struct recorder *r, struct task *t);
/* t waits for its turn, at a tick: is it to have it because of a signal? */
void spin_tick(const struct recorder *r, struct task *t);
/* Without choices, whose turn it is: the first who can make use of it, or if
 * that is nobody who has waited for longest. */
size_t spin_first(struct recorder *r, const struct group *g);
size_t spin_oldest(const struct group *g);

#endif
