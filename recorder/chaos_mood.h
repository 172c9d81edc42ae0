#ifndef RECORDER_CHAOS_MOOD_H
#define RECORDER_CHAOS_MOOD_H

/* What kind of schedule is tried, for a while. */
#include <stdbool.h>

struct chaos;

/* What kind of schedule is tried: no kind suits every race. */
enum plan {
	PLAN_FEW = 1,	/* few switches, at places, for good */
	PLAN_WALK = 2,	/* many, at places, to and fro */
	PLAN_RACE = 3,	/* who touches what another is about to touch? */
	PLAN_ANY = 4,	/* anything */
	PLAN_STEP = 5,	/* at each place */
	PLAN_NAMED = 6, /* at those that the user names */
};

/* At which places ambushes are laid. */
enum taste {
	TASTE_ANY,
	TASTE_AFTER_WRITE,  /* others see it, and not yet what belongs to it */
	TASTE_BEFORE_WRITE, /* what was read before is about to be replaced */
	TASTE_AFTER_CALL,   /* a lock was taken, an item handed over */
	TASTE_BETWEEN,	    /* two calls that belong together */
};

/* Who goes on after a birth. */
enum births {
	BIRTHS_ANY,
	BIRTHS_GATHER, /* the parent, until it waits: children begin together */
	BIRTHS_CHILD,  /* the child, until it waits */
	BIRTHS_SOFT,   /* ... or is ambushed */
};

/* What it is inclined to, in percent of cases; changes now and then. */
struct mood {
	enum plan plan;
	enum births births;
	enum taste taste;
	unsigned child, parent; /* births hold the child, else the parent */
	unsigned event;		/* events are followed by a hold */
	unsigned turn;		/* ... end the turn */
	unsigned stalk;		/* ambushes are laid place by place */
	unsigned spring;	/* ... and spring at any of them */
	unsigned springs;	/* so many of them yet */
	unsigned hold;		/* who is ambushed is held */
	unsigned firm;		/* ... and firmly */
	unsigned patient;	/* holds are long */
	unsigned watch;		/* ... until others touch what it touches */
	bool woken_last;	/* who comes from a call is chosen last */
	bool long_slices;
	unsigned spare;	  /* tasks are spared */
	unsigned barren;  /* ambushes were so far */
	bool gather_soft; /* until an ambush, too */
};

void mood_draw(struct chaos *c);
void mood_between(struct chaos *c);
/* Who is spared is drawn anew. */
void mood_spare(struct chaos *c);

#endif
