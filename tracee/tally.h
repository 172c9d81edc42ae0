#ifndef TRACEE_TALLY_H
#define TRACEE_TALLY_H

/*
 * Counting arrivals at addresses of a stopped process, and stopping at one of
 * them. Where a jump fits a counting stub does it at a nanosecond or two a
 * visit; elsewhere a breakpoint does, and each visit is a stop.
 *
 *	tally_arm; while it runs into traps: tally_trap; tally_disarm
 *
 * An arrival is the moment before the instruction is executed; where the task
 * stands when the tally is armed is one when it runs on. Nothing is left of a
 * tally in memory once it is disarmed; while armed the process must not be
 * copied, shown, or run by anyone else.
 */
#include "tracee/point.h"
#include "tracee/point_priv.h"

#define TALLY_MAX 64u

enum tally_how {
	TALLY_OFF,
	TALLY_STUB,
	TALLY_INT3,
	TALLY_DEBUG, /* debug register: at most one of a tally */
};

struct tally_site {
	/* The caller's. */
	uint64_t pc;
	enum tally_how how; /* TALLY_STUB, a wish: may turn into INT3 */
	uint64_t stop;	    /* stop at this arrival; 0 = only count */
	/* Results. */
	uint64_t seen; /* arrivals, the one that it stopped at included */
	uint64_t last; /* orders the last arrivals of the sites */
	/* Private. */
	enum tally_how armed;
	struct stub stub;
	uint8_t orig;
};

struct tally {
	struct tally_site v[TALLY_MAX];
	size_t n;
	bool ticks; /* last is wanted */
	uint64_t tick_at, tick;
};

#define TALLY_SLOT 3u /* the debug register it uses */

/* The site at pc, added when there is none; NULL: no room. */
struct tally_site *tally_site(struct tally *t, uint64_t pc);

/* The task must not stand in a call. */
int tally_arm(struct tally *t, const struct point_run *run, struct err *err);
int tally_disarm(struct tally *t, const struct point_run *run, struct err *err);

enum tally_trap {
	TALLY_NOT_OURS, /* *regs are as without the tally: the program's own */
	TALLY_AT_STOP,	/* stands at site *which, regs are the program's */
	TALLY_GO_ON,	/* resume it */
	TALLY_PASS,	/* site *which was counted; it stands there: disarm that
			 * one, step over the instruction, arm it again */
};

/*
 * The task was stopped by a fault (signo SIGTRAP or another) or by an interrupt
 * (signo 0), regs are what it has. When they are to change (*out_set) the
 * caller writes them.
 */
enum tally_trap tally_trap(struct tally *t, const struct point_run *run,
			   int signo, struct regs *regs, bool *out_set,
			   size_t *which);
/* For TALLY_PASS. */
void tally_lift(struct tally *t, const struct point_run *run, size_t which);
void tally_put(struct tally *t, const struct point_run *run, size_t which);
/* Is pc in code of a stub, whose instructions are not the program's? Then it
 * has to be stepped out of before a disarm. */
bool tally_holds(const struct tally *t, uint64_t pc);

#endif
