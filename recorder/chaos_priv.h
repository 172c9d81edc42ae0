#ifndef RECORDER_CHAOS_PRIV_H
#define RECORDER_CHAOS_PRIV_H

/* What the files of chaos share. Times are as r->now_ns. */
#include "recorder/chaos.h"
#include "recorder/knobs.h"

#define US 1000ull
#define MS 1000000ull

#define AMBUSHES 4u

struct ambush {
	uint64_t pc;
	unsigned left;	 /* visits before it springs, that one included */
	unsigned visits; /* so far */
};

struct chaos_task {
	uint32_t priority;	    /* 0 is the highest */
	uint64_t held_ns, until_ns; /* since, until; 0 = not held */
	uint64_t hold;		    /* enum chaos_hold */
	uint64_t soft_ns;	    /* firm up to then all the same */
	uint64_t slice_ns;	    /* of this turn */
	uint64_t slice_turn_ns;	    /* that turn's begin */
	uint64_t ready_ns;	    /* waits for its turn since */
	bool hold_next;		    /* from its next event on */
	struct ambush ambush[AMBUSHES];
	bool stalked;		    /* else its ambushes were laid around */
	uint64_t hit_ns;	    /* when it last came by one */
	bool due;		    /* its turn is over: the next one springs */
	unsigned armed;		    /* so many of them are in debug registers */
	unsigned patience;	    /* events until others are chosen */
	unsigned useless;	    /* visits while nobody else could run */
	bool out;		    /* its last turn was cut short */
};

/* What it is inclined to, in percent of cases; changes now and then, because no
 * inclination suits every race. */
struct mood {
	unsigned child, parent; /* births hold the child, else the parent */
	unsigned event;		/* events are followed by a hold */
	unsigned turn;		/* ... end the turn */
	unsigned stalk;		/* ambushes are laid place by place */
	unsigned spring;	/* ... and spring at any of them */
	unsigned hold;		/* who is ambushed is held */
	unsigned firm;		/* ... and firmly */
};

struct chaos {
	const struct chaos_opts *opts;
	uint64_t random;
	struct map tasks;   /* task number -> struct chaos_task */
	struct mood mood;
	uint64_t redraw_ns; /* of all priorities, next time */
	uint64_t spent_ns;  /* tasks were held for so long, together */
	uint64_t ambush_ns; /* and ambushes took so long */
	struct map texts;   /* space number -> struct texts */
};

bool chaos_has(const struct recorder *r, enum knob knob);
struct chaos_task *chaos_task(const struct recorder *r, const struct task *t);
uint64_t chaos_random(struct chaos *c);
/* True in percent of cases. */
bool chaos_chance(struct chaos *c, unsigned percent);
/* Less than n, which is not 0. */
uint64_t chaos_below(struct chaos *c, uint64_t n);
/* lo to hi, each power of two as likely as any other. */
uint64_t chaos_between(struct chaos *c, uint64_t lo, uint64_t hi);
/* Record a choice; t stands at an event of its own. */
int chaos_event(struct recorder *r, const struct task *t,
		enum chaos_choice what, uint64_t a, uint64_t b,
		struct err *err);
/* May somebody of g have its turn now, or if a soft hold ends? The latter
 * happens when t stops and nobody else waits for its turn. */
bool chaos_could_wait(const struct recorder *r, const struct group *g);
void chaos_let_other_go(struct recorder *r, const struct task *t);
uint32_t chaos_priority(struct chaos *c);
/* Holds have not taken their share of the time yet. */
bool chaos_may_hold(const struct recorder *r);
/* t is not let on for a while, from now on; firmly in so many percent of cases.
 */
int chaos_hold(struct recorder *r, struct task *t, unsigned firm,
	       struct err *err);

/* chaos_ambush.c */
void ambush_release(struct chaos *c);

#endif
