#ifndef RECORDER_CHAOS_PRIV_H
#define RECORDER_CHAOS_PRIV_H

/* What the files of chaos share. Times are as r->now_ns. */
#include "recorder/chaos.h"
#include "recorder/chaos_mood.h"
#include "recorder/chaos_vector.h"
#include "recorder/knobs.h"
#include "tracee/places.h"

#define US 1000ull
#define MS 1000000ull

#define AMBUSHES 4u
#define SEEN 16u /* places that are told apart, a power of two */
#define TOUCHED 4u
#define LINES 1024u /* words of memory, a power of two */
#define TEXTS_MAX 16u
#define RETURNS_MAX 4u
#define CPU_FILES 5u

/* What a place is, once it is behind. */
enum did {
	DID_NOTHING,
	DID_READ,
	DID_WRITE,
	DID_CALL,
};

struct ambush {
	uint64_t pc;
	unsigned left;	 /* visits before it springs, that one included */
	unsigned visits; /* so far */
	bool way;	 /* only on the way to a named place */
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
	bool spared;		    /* no ambushes in this mood */
	bool gathered;		    /* held until its parent waits */
	/* Since its turn began, and it was let through there: */
	uint64_t fresh_turn_ns;
	unsigned fresh;		   /* places */
	uint64_t touched[TOUCHED]; /* memory, at the last of them */
	uint64_t held_pc;	   /* at this place */
	enum did did;		   /* the last thing */
	enum did at_place;	   /* its next turn begins with that */
	struct seen {
		uint64_t pc, addr;
		unsigned visits;
		unsigned again; /* with the same addr */
	} seen[SEEN];
	struct cut cut;
	unsigned watching; /* the watch that is in a debug register, 0 = none */
	uint32_t space;	   /* its debug registers are for this image */
	uint64_t version;  /* of the named places in them */
	unsigned named;	   /* visits of such */
};

/* What one who is held is about to touch, watched in all others of its group.
 * One at a time. */
struct watch {
	unsigned id;	 /* changes with each; 0 = none so far */
	uint32_t holder; /* task number */
	const struct group *group;
	uint64_t addr;
	unsigned len;
	bool stores;   /* else any access */
	bool compares; /* it is released when memory is as it was: */
	bool changed;
	unsigned patience; /* hits until anything will do */
	uint64_t expect;
};

/* Who has touched 8 bytes of memory; tasks by number modulo 32. */
struct line {
	uint64_t key;
	uint32_t readers, writers;
};

/* Code of the program's own in a space. */
struct texts {
	uint64_t read_ns;
	uint64_t bytes;
	size_t n;
	struct span_of_text {
		uint64_t start, end;
	} v[TEXTS_MAX];
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
	struct names *names; /* chaos_named.c; NULL: none */
	struct watch watch;
	bool requeues; /* futexes move waiters: no choice of whom to wake */
	struct buf cpu_file[CPU_FILES];
	struct line lines[LINES];
	struct seen barren[SEEN]; /* holds there had all others wait */
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
/* The hold of that task ends, and it is next. */
void chaos_let_go(struct recorder *r, uint32_t task);
uint32_t chaos_priority(struct chaos *c);
/* Holds have not taken their share of the time yet. */
bool chaos_may_hold(const struct recorder *r);
/* t is not let on for a while, from now on; firmly in so many percent of cases.
 */
int chaos_hold(struct recorder *r, struct task *t, unsigned firm,
	       struct err *err);

/* --- chaos_call.c, chaos_vector.c, chaos_futex.c, chaos_cpus.c: what calls do
 */

/* The arguments that the kernel gets in place of the program's, to change. */
uint64_t *call_given(struct task *t);
/* Put them where it finds them. */
int call_give(struct task *t);
int futex_call(struct recorder *r, struct task *t, struct err *err);
/* 1: answered. */
int cpus_call(struct recorder *r, struct task *t, struct err *err);
void cpus_release(struct chaos *c);

/* --- chaos_code.c: where a task's own code is --- */

void code_release(struct chaos *c);
/* What is mapped from files but the system's libraries. */
struct texts *code_of(struct recorder *r, const struct task *t);
bool code_is_own(const struct texts *x, uint64_t addr);
/* The own code that words at rsp return to, inner first. Returns how many. */
unsigned code_returns(const struct task *t, const struct texts *x, uint64_t rsp,
		      uint64_t ret[RETURNS_MAX]);
/* Where its own code goes on, 0 = unknown; *here: it has not got there. */
uint64_t code_next(const struct task *t, const struct texts *x, bool *here);
/* Places near where it has been, and anywhere. */
void code_near(const struct task *t, struct texts *x, struct places *out);
void code_far(struct chaos *c, const struct task *t, const struct texts *x,
	      struct places *out);

/* --- chaos_race.c: who touches what --- */

/* t is let through at a place. */
void race_touch(struct recorder *r, const struct task *t,
		const struct access *a);
/* The odds, in percent, for an ambush of t at a place. */
unsigned race_percent(struct recorder *r, const struct task *t,
		      const struct access *a);
/* t, which is about to do a, was ambushed and is held: others are watched. */
void race_watch(struct recorder *r, const struct task *t,
		const struct access *a);
/* t, held at a place, is let go as nobody else had anything to do. */
void race_barren(struct recorder *r, const struct task *t);
enum did race_did(const struct access *a);
/* What is to be watched in t, or NULL. */
struct watch *race_watched(const struct recorder *r, const struct task *t);
/* t has touched it: shall it wait, and the one that is held go on? */
bool race_meets(struct recorder *r, const struct task *t);

#endif
