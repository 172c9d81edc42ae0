#ifndef TRACEE_POINT_SEEK_H
#define TRACEE_POINT_SEEK_H

/* One search for a point, between the files that do it. */
#include "tracee/deadline.h"
#include "tracee/point_priv.h"

/* How a stretch of running ended. */
enum end {
	END_FOUND = 1,
	END_EVENT, /* an event, or a fault of its own */
	END_LIMIT, /* CPU time used up */
	END_JUMP,  /* it stands at the point's instruction, unarmed: a jump may
		    * be tried now */
	END_SEEN,  /* the program touched the code under the jump: it may have
		    * gone astray */
	END_TIGHT, /* the stub makes it too slow; it stands before the point's
		    * instruction, armed */
};

enum place { PLACE_UNKNOWN, PLACE_BEFORE, PLACE_BEYOND };

/* Why the stub traps at its entry, where the task is out of it again. */
enum pause { PAUSE_NOT, PAUSE_TUNE, PAUSE_TIGHT };

/*
 * A register or the learned word that changes evenly from visit to visit tells
 * how many are left. Looked for while visits are counted; a guide only.
 */
#define CLOCK_SAMPLES 3u
#define CLOCK_WORD 16u /* behind the general registers: the word */
#define CLOCK_XMM 17u  /* then halves of vector registers */
#define CLOCK_WORDS (CLOCK_XMM + 32u)

#define CLOCK_HANDS 4u
struct hand {
	unsigned which; /* of the words */
	double rate;	/* change per visit */
	double off;	/* and how unevenly */
	uint64_t want;
};

/* Where a native run is stopped, within the loop, a register may hold something
 * else; if some are alike at the point's instruction, one of them will do. */
struct clock {
	unsigned n; /* samples taken */
	uint64_t visits[CLOCK_SAMPLES];
	uint64_t values[CLOCK_SAMPLES][CLOCK_WORDS];
	unsigned n_hands; /* 0: there is no clock */
	struct hand hand[CLOCK_HANDS];
	uint64_t word; /* address */
};

/* The program touched the code that the stub stands in for. */
#define TOUCH_STORES 4u
struct touch {
	uint64_t pc;	 /* behind the instruction that did it */
	uint64_t visits; /* until then */
	uint8_t is[WINDOW_JUMP];
};

/* Words that count (point_progress.c). */
struct counter {
	uint32_t at;   /* of its 4 bytes, in what is read */
	uint32_t from; /* its value at first */
	int32_t way;   /* from there to the point */
	double part;   /* of that way, at the last look */
};

struct progress {
	const struct point *p;
	uint8_t *now; /* registers and ranges, as they are */
	VEC(struct counter) v;
	uint64_t ns; /* CPU time, natively, between begin and the last look */
	unsigned looks;
};

struct seek {
	const struct point *p; /* NULL: any state, at the visit-th arrival */
	uint64_t pc, visit;
	const struct point_search *s;
	struct point_found *out;
	struct deadline timer;
	struct stub stub;
	struct point_run begin; /* a copy of where it is armed first; tid 0 =
				 * there is none */
	uint64_t gone_ns;	/* from there natively, past touches */
	bool jump;    /* by stub, not by breakpoint */
	bool int3;    /* breakpoint by int3: no debug registers */
	bool risky;   /* the program may touch the jump: keep copies */
	bool guarded; /* debug registers tell when it does */
	bool away;    /* so long as other code is there, it is not armed */
	unsigned own_touches; /* by the stub */
	struct touch touch;   /* the last one */
	uint64_t
		stores[TOUCH_STORES]; /* what is behind those that only store */
	unsigned n_stores;
	uint64_t traps;	     /* visits that a breakpoint stopped */
	uint64_t jump_at;    /* of them: then try a jump; 0 = never */
	bool late;	     /* armed little before the point, not earlier */
	uint64_t ahead_at;   /* then run ahead, still with the breakpoint */
	uint64_t limit_ns;   /* CPU time of an armed stretch; 0 = none */
	uint64_t give_up_ns; /* seek_own_ns() then; 0 = never */
	uint8_t orig; /* what int3 replaced */
	enum pause pause;
	bool alarm;  /* SIGALRM is ours */
	bool alarm_used; /* for looks, and mask was the signal mask before */
	uint64_t mask;
	bool tight;  /* found so; samples for the clock are being taken */
	bool bare;   /* visits were not counted for a while, as it is cheap */
	uint64_t tuned_ns; /* CPU time when the stub was tuned */
	size_t sum;  /* that told the last mismatch */
	double slow; /* armed over native, at worst */
	uint64_t visits, cpu_ns; /* at the last look */
	uint64_t ran_ns;	 /* by the last seek_native */
	struct clock clock;
	struct progress *progress; /* NULL: nothing is known of it */
};

/* A copy of run, with what it costs. */
int seek_copy(struct seek *k, const struct point_run *run,
	      struct point_run *out, struct err *err);
void seek_drop(struct seek *k, struct point_run *run); /* tid 0 allowed */
/* run is of no use: go on with behind, which is no copy any more. */
void seek_fall_back(struct seek *k, struct point_run *run,
		    struct point_run *behind);
/* How close to come natively: a part of the time left, at least so much, and
 * when each visit is a stop. */
#define SEEK_NEAR 0.02
#define SEEK_NEAR_NS 200000.0
#define SEEK_NEAR_TRAP_NS 100000.0

uint64_t seek_own_ns(void);
int seek_gone(const struct point_run *run, struct err *err);

/* ---- point_run.c: each returns an enum end, or an error */

/*
 * Arm run and let it go until the point, an event, or budget_ns of CPU time (0
 * = no limit). ahead: give it up when it would be better to run ahead.
 */
int seek_stretch(struct seek *k, struct point_run *run, uint64_t budget_ns,
		 bool ahead, struct err *err);
/* Guarded, unarmed, until it touches what is guarded: 0. */
int seek_to_touch(struct seek *k, struct point_run *run, uint64_t limit_ns,
		  struct err *err);
void seek_disarm(struct seek *k, struct point_run *run);
/* Let it go unarmed for ns of CPU time; 0 when it did. */
int seek_native(struct seek *k, struct point_run *run, uint64_t ns,
		struct err *err);
/* Visits counted since it was armed. */
uint64_t seek_visits(const struct seek *k, const struct point_run *run);
/* Visits need not be counted when a visit costs nothing without. */
void seek_choose_counting(struct seek *k);

/* ---- point_guard.c */

/* The same as seek_stretch, past what touches the jump if copies are kept:
 * then END_SEEN is none of its results. */
int seek_armed(struct seek *k, struct point_run *run, uint64_t budget_ns,
	       bool ahead, struct err *err);
/* The same, where run stands as k->begin does, if there is one. */
int seek_from_begin(struct seek *k, struct point_run *run, uint64_t budget_ns,
		    bool ahead, struct err *err);
/* Guard the code that the stub stands in for, if there are debug registers. */
void guard_set(struct seek *k, const struct point_run *run);
void guard_clear(struct seek *k, const struct point_run *run);
/* It was touched just before pc; hits: ptrace_debug_hits. 0: nothing is lost,
 * or END_SEEN. */
int guard_hit(struct seek *k, struct point_run *run, uint64_t pc, unsigned hits,
	      struct err *err);

/* ---- point_progress.c */

/* By words that count to the point, which is left_ns of CPU time away. 0:
 * nothing is known of it, and *left_ns is left; else as for seek_armed. */
int seek_by_progress(struct seek *k, struct point_run *run, double *left_ns,
		     struct err *err);
/* It ran on. no_regs: registers do not tell now. */
enum place progress_place(const struct progress *g, const struct point_run *run,
			  bool no_regs);

/* ---- point_ahead.c */

/* It was found too slow to be armed all the way: run ahead. */
int seek_ahead(struct seek *k, struct point_run *run, struct err *err);
/* The task stands at a visit, regs are its own: one more sample. */
void clock_sample(struct seek *k, const struct point_run *run,
		  const struct regs *regs, uint64_t visits);
/* Visits to go, which are fewer than most; else: it was passed. */
double clock_left(const struct clock *c, const struct point_run *run,
		  double most);

#endif
