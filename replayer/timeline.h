#ifndef REPLAYER_TIMELINE_H
#define REPLAYER_TIMELINE_H

/*
 * Moments between two events, and motion over them.
 *
 * An interval is what runs between event N and N + 1: code of one task, that of
 * event N + 1 (which has EVF_RUNS), or nothing. It ends when that event comes,
 * for a sched event when its point is reached, whose arrivals are counted once
 * (r->points). A moment of it is named by arrivals at an address, counted from
 * its beginning; world.inside keeps what has been counted so far.
 */
#include "replayer/checkpoint.h"
#include "tracee/tally.h"

/* How long code runs at a time: then progress is told, and a checkpoint left.
 */
static inline uint64_t
timeline_slice(const struct replayer *r)
{
	return r->opts.slice_ns ? r->opts.slice_ns : 20000000;
}

/* ---- spec.c: running with places watched */

#define SPEC_WATCHES 3u /* debug registers; the fourth is the tally's */

struct spec_watch {
	uint64_t addr; /* a multiple of len */
	uint8_t len;   /* 1, 2, 4, 8 */
	bool access;   /* reads, too */
	size_t owner;  /* the caller's */
};

enum spec_end {
	SPEC_HALT,  /* the event is due; the puppet keeps the halt for it */
	SPEC_SITE,  /* stands at site which, at the arrival asked for */
	SPEC_WATCH, /* an instruction touched what hits tells, one bit each */
	SPEC_SLICE, /* slice_ns are over */
};

struct spec {
	struct tally tally;
	struct spec_watch watch[SPEC_WATCHES];
	size_t n_watch;
	uint64_t slice_ns; /* 0 = none */
	/* Results. */
	enum spec_end end;
	size_t which;
	unsigned hits;
};

/*
 * Let p, which stands in the interval before event r->peek, run on. Sites' seen
 * is what has arrived since, and is added to the counts of the world. Standing
 * at a site is no arrival. Nothing is left armed.
 */
int spec_go(struct replayer *r, struct puppet *p, struct spec *s,
	    struct err *err);

/* The same for one instruction: 1, or 0 when the interval is over. */
int spec_step(struct replayer *r, struct puppet *p, struct spec *s,
	      struct err *err);

/* ---- inside.c: where in the interval the world stands */

bool inside_count(const struct inside *in, uint64_t pc, uint64_t *n);
/* It is counted on in a run with these sites; -E_UNSUPPORTED: too many. */
int inside_put_counts(const struct inside *in, struct tally *t);
/* What is named from here on counts arrivals at pc from via, which is now. */
void inside_start_via(struct inside *in, const struct arrivals *via,
		      uint64_t pc);
void inside_leave_via(struct inside *in);
/* Arrivals at pos's address so far, from where its name counts. */
uint64_t inside_arrived(const struct inside *in, const struct pos *pos);
/* Stand at the interval after now->seq: *out is its task. 1, or 0: nothing runs
 * there, the next event is applied where its task stands; -E_POSITION: the
 * recording ends here. */
int inside_enter(struct replayer *r, struct puppet **out, struct err *err);
/* Count pc from now on: only at the very beginning of the interval. */
void inside_track(struct replayer *r, uint64_t pc);
/* Add the end of the interval as a site, when it ends at a point. */
int inside_add_end(struct replayer *r, struct spec *s);
/* Is site which of s, where it stands, the end of the interval? */
bool inside_at_end(const struct replayer *r, uint64_t pc);
/* Exactly one instruction: 1, or 0 when the interval is over instead. */
int inside_step(struct replayer *r, struct puppet *p, struct err *err);
/* What where tells. */
void inside_pos(const struct replayer *r, struct pos *out);

typedef bool target_progress(void *ctx, uint64_t at, uint64_t to);

/* ---- long.c: code that takes long, on the way to an event */

bool inside_ends_with_call(const struct event *ev);
/* Where the code of p that ends with ev stands last. */
uint64_t inside_last_pc(const struct puppet *p, const struct event *ev);
/* Did the code before ev, which began at from_ns of the recording, take more
 * than a slice, and does it end with a call? */
bool inside_took_long(const struct replayer *r, uint64_t from_ns,
		      const struct event *ev);
/* Then run it up to the event r->peek, whose halt its puppet keeps, and leave
 * checkpoints in it, denser when that is seq. Otherwise nothing is done. */
int inside_run_long(struct replayer *r, uint64_t seq, target_progress *progress,
		    void *ctx, struct err *err);

/* ---- inside.c */

/* The event before the interval that pos means: by its task, and on to the next
 * code that runs. */
int inside_resolve(struct replayer *r, struct pos *pos, struct err *err);
/* Go to pos, counting arrivals at the n addresses of track, too, from the
 * interval's beginning (n = 0: what is known is enough). */
int inside_seek(struct replayer *r, const struct pos *pos,
		const uint64_t *track, size_t n, target_progress *progress,
		void *ctx, struct err *err);

/* Name pos by arrivals from the event on; it may stand there then. */
int inside_absolute(struct replayer *r, struct pos *pos,
		    target_progress *progress, void *ctx, struct err *err);

/* ---- timeline.c, timeline_back.c, timeline_step.c */

struct timeline;

int timeline_move(struct replayer *r, const struct target_motion_req *req,
		  struct target_stop *out, struct err *err);
int timeline_compare(struct replayer *r, const struct pos *a,
		     const struct pos *b, int *out, struct err *err);

#endif
