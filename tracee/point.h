#ifndef TRACEE_POINT_H
#define TRACEE_POINT_H

/*
 * Execution points: a place in the middle of computing, recorded so that a
 * replay stops at exactly the same one, without counting instructions.
 * docs/EXACT_POINTS.md explains the mechanism and its cost.
 *
 * A point is the state there: registers, extended registers, the stack around
 * rsp, the pages written shortly before (hot pages), and hashes of all that was
 * written since the interval began. A replay that reaches an equal state is at
 * the point: equal states have equal futures.
 *
 * Recording, for a task that runs user code: ptrace_interrupt; its stop:
 *	point_hot; resume it; POINT_HOT_NS later ptrace_interrupt; its stop:
 *	point_take. Any other stop in between: an event, point_cancel.
 * Replaying: stand at the interval's begin; point_find.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"
#include "event/regs.h"
#include "tracee/dirty.h"
#include "tracee/mem.h"

#define POINT_HOT_NS 200000u   /* how long the hot pages are watched for */
#define POINT_HOT_MAX 12u      /* so many are kept */
#define POINT_STACK_BELOW 128u /* the red zone */
#define POINT_STACK_ABOVE 4096u
#define POINT_ANCHORS 8u
#define POINT_CODE 16u
#define POINT_NEAR 2048u

/* eflags that a program can see and change: CF PF AF ZF SF DF OF AC ID. */
#define POINT_FLAGS 0x240cd5u

enum point_way {
	POINT_JUMP = 1, /* a jump can replace the instruction there */
	POINT_TRAP = 2, /* only a breakpoint can: each visit is a stop */
};

/* Memory as it is at the point: addr and size are multiples of 8. */
struct point_range {
	uint64_t addr;
	uint32_t len;
	uint32_t at; /* in point.bytes */
};

/* Up to POINT_SUM_PAGES pages that follow each other, and their hash. */
#define POINT_SUM_PAGES 16u
struct point_sum {
	uint64_t addr;
	uint64_t hash;
	uint32_t pages;
};

struct point {
	struct regs regs; /* eflags masked by POINT_FLAGS, orig_rax -1 */
	uint8_t way;	  /* enum point_way */
	uint8_t code_len;
	uint8_t code[POINT_CODE]; /* what is at regs.rip */
	bool complete;		  /* sums cover all that was written */
	uint64_t cpu_ns;	  /* from the begin of the interval, roughly */
	uint64_t visits;   /* arrivals at regs.rip; 0 = not counted yet */
	struct buf xstate; /* NT_X86_XSTATE */
	VEC(struct point_range) ranges; /* stack first, then hot pages */
	struct buf bytes;
	VEC(struct point_sum) sums;	 /* by address */
	uint64_t anchors[POINT_ANCHORS]; /* return addresses, inner first */
};

void point_free(struct point *p); /* back to empty */

/* The stored form, and back. Hostile input: -E_FORMAT, and *out is empty. */
void point_encode(const struct point *p, struct buf *out);
int point_decode(struct span s, struct point *out, struct err *err);

/* ---- recording */

enum point_outcome {
	POINT_TAKEN = 1,
	POINT_READY, /* of point_hot: it may be taken at once */
	POINT_EVENT, /* the next thing it does is an event: let it run */
	POINT_STOP,  /* a stop waits to be taken (a signal, its death) */
	POINT_AGAIN, /* it did not run since point_hot, or cannot stop here:
		      * resume it and take it at the next interrupt */
};

/* A point being taken. */
struct point_taking {
	pid_t tid;
	const struct mem *mem;
	struct dirty *dirty;
	struct dirty_set before; /* written up to point_hot */
	uint64_t hot_cpu_ns;	 /* the task's CPU time then */
	uint64_t mark_ns, mark_cpu_ns, last_cpu_ns, asked_ns; /* the caller's */
	uint64_t code_at;	 /* code near it then: what changes? */
	uint32_t code_len;
	uint8_t code[POINT_NEAR];
	unsigned tries, steps; /* taken by point_take */
	bool ready, same_maps; /* the caller's: none since the last point */
};

/*
 * The task stands in user code: watch what it writes from here on. Returns 0,
 * POINT_READY, or POINT_EVENT when an event is due. dirty: of its space, looked
 * at (dirty_look) before the interval began or never, then by points alone.
 */
int point_hot(struct point_taking *c, pid_t tid, const struct mem *m,
	      struct dirty *dirty, struct err *err);
/*
 * Capture at the next interrupt. interval_ns: CPU time from the interval's
 * begin. Walks to a good place by single steps: what the task does until
 * then is part of the recording. With POINT_TAKEN it stands at *out; any
 * outcome but POINT_AGAIN ends the taking.
 *
 * When c->steps > 0 the task got SIGTRAPs: a disposition of SIG_IGN for it is
 * SIG_DFL now, and must be put back. The signal mask is kept.
 */
int point_take(struct point_taking *c, uint64_t interval_ns, struct point *out,
	       struct err *err);
void point_cancel(struct point_taking *c);

/* ---- replaying */

/* A process that runs to a point; one task of it runs. */
struct point_run {
	pid_t tid;
	struct mem mem;
	void *ctx; /* the caller's */
};

struct point_ops { /* copies of the stopped run, to go back to */
	int (*copy)(void *arg, const struct point_run *from,
		    struct point_run *out, struct err *err);
	void (*drop)(void *arg, struct point_run *run);
};

struct point_search {
	const struct point_ops *ops; /* NULL: do not run ahead */
	void *arg;
	uint64_t copy_ns;  /* of a copy; if that is little one is kept */
	bool count;	   /* visits are wanted, even if that is slow */
	bool trap;	   /* a jump there went wrong: use a breakpoint */
	uint64_t limit_ns; /* give up after so much time; 0 = never */
};

enum point_miss {
	POINT_FOUND = 0,
	POINT_MISS_EVENT, /* an event came before a state that agrees */
	POINT_MISS_LIMIT,
	POINT_MISS_CODE, /* other instructions are at that place */
};

struct point_found {
	enum point_miss miss;
	uint64_t visits; /* up to the point, itself included; 0 = not counted */
	uint64_t armed_visits; /* of them, counted by the stub that found it */
	unsigned mismatches;   /* stops at which not everything agreed */
	unsigned runs;	       /* armed stretches */
	unsigned copies, fell_back; /* copies made, and run */
	unsigned stops;		    /* of the tasks */
	uint64_t cpu_ns;	    /* of all tasks that ran */
	uint64_t arm_ns;	    /* spent in arming */
	bool ran_ahead;
	bool jumped, misled; /* code was changed for a while; in vain */
	bool trapped;	     /* the last way was a breakpoint */
};

/*
 * Run to p from the begin of its interval, where *run stands stopped, and stand
 * there with nothing left of the search. Returns 1 when found; with ops *run
 * may be one of the copies then (the former one was dropped). 0 when not: what
 * is left of *run is good for nothing but to be dropped. out says more in both
 * cases. Errors: -E_GONE.
 *
 * Signals that are not the run's own faults are swallowed.
 */
int point_find(struct point_run *run, const struct point *p,
	       const struct point_search *s, struct point_found *out,
	       struct err *err);
/* Run from the begin to the visit-th arrival (from 1) at pc, where it stands
 * then; as point_find without ops. */
int point_goto(struct point_run *run, uint64_t pc, uint64_t visit,
	       uint64_t limit_ns, struct point_found *out, struct err *err);

/* Does the run stand at p? 1, or 0: *what (static text) differs first. */
int point_compare(const struct point_run *run, const struct point *p,
		  const char **what, struct err *err);

/* A copy of a process with one task and no shared memory: a child of the
 * tracer, traced, stopped. */
int point_fork(const struct point_run *from, struct point_run *out,
	       struct err *err);
void point_kill(struct point_run *run);

#endif
