#ifndef REPLAYER_TIMELINE_PRIV_H
#define REPLAYER_TIMELINE_PRIV_H

/* Between the files of the timeline. */
#include "replayer/timeline.h"

#define BREAKS_MAX (TALLY_MAX - 4u)

/* A stop as a scan finds it. */
struct hit {
	enum target_why why;
	size_t index;
	uint32_t task;
	unsigned event;
	bool by_kernel;
	uint8_t old[8], new[8];
	struct pos pos;
	/* An instruction's access: the raw-th trap of the watchpoints after
	 * from, where it then stands at pc. Named when it is gone to. */
	uint64_t raw, pc;
	struct pos from;
};

struct verdict {
	uint32_t space;
	enum tally_how how;
	uint64_t addr;
};

struct timeline {
	struct replayer *r;
	const struct target_motion_req *req;
	struct spec_watch watch[SPEC_WATCHES];
	size_t n_watch;
	VEC(struct verdict) verdicts;
	uint64_t goal, told_ns; /* of progress */
	/* Of a scan. */
	bool collect;  /* go on to limit: the last hit is wanted */
	bool starting; /* it stands where the motion began */
	const struct pos *limit;
	bool exclusive; /* a hit at limit is none */
	bool hot;	/* count by stubs */
	bool uncounted; /* stopped where arrivals have not been counted */
	uint32_t last_task;
	uint32_t valued;		/* whose watched bytes value holds */
	uint8_t value[SPEC_WATCHES][8]; /* of each watchpoint */
	uint64_t raw;
	struct pos from;
	/* Results. */
	bool has_hit, ended;
	struct hit hit;
};

int tl_init(struct timeline *t, struct replayer *r,
	    const struct target_motion_req *req, struct err *err);
void tl_release(struct timeline *t);
int tl_tell(struct timeline *t, struct err *err);
/* From where it stands, to the first hit or the limit. */
int tl_scan(struct timeline *t, struct err *err);
/* The interval before event r->peek; applying that: 1 = the scan is over. */
int tl_scan_interval(struct timeline *t, struct puppet *p, struct err *err);
int tl_scan_event(struct timeline *t, struct err *err);
bool tl_watch_is_for(const struct target_watch *w, const struct puppet *p);
/* The instruction where a task stands in user code; false where it does not. */
bool tl_code(const struct timeline *t, uint32_t task, struct code *out);
/* Go where the watchpoints trapped for h, and name it. */
int tl_to_raw(struct timeline *t, const struct hit *h, struct err *err);
/* Whose the last event up to seq is. */
int tl_last_task(struct timeline *t, uint64_t seq, struct err *err);
bool tl_event_matches(struct timeline *t, const struct event *ev,
		      struct hit *out);
void tl_stop(const struct hit *h, struct replayer *r, struct target_stop *out);

/* timeline_back.c */
int tl_continue_back(struct timeline *t, struct target_stop *out,
		     struct err *err);

/* timeline_sweep.c */
/* Can a sweep tell where nothing is? Only of watchpoints. */
bool tl_sweeps(const struct timeline *t);
/* Go to event to. 1: watched bytes were touched, for the last time between
 * events *from and *upto; 0: they were not. Nothing is found. */
int tl_sweep(struct timeline *t, uint64_t to, uint64_t *from, uint64_t *upto,
	     struct err *err);

/* timeline_step.c */
int tl_step(struct timeline *t, struct target_stop *out, struct err *err);
int tl_step_back(struct timeline *t, struct target_stop *out, struct err *err);
int tl_next(struct timeline *t, struct target_stop *out, struct err *err);
int tl_next_back(struct timeline *t, struct target_stop *out, struct err *err);

/* Ends a step where it stands. */
int tl_done(struct timeline *t, enum target_why why, struct target_stop *out);

/* timeline_line.c, timeline_line_back.c: by source line */
int tl_line(struct timeline *t, bool over, struct target_stop *out,
	    struct err *err);
int tl_finish(struct timeline *t, struct target_stop *out, struct err *err);
int tl_until(struct timeline *t, struct target_stop *out, struct err *err);
/* Any of them backwards. */
int tl_line_back(struct timeline *t, struct target_stop *out, struct err *err);

/* before.c */
/* Stand one instruction before the moment of the interval where it stands,
 * which is not its beginning. */
int before_here(struct replayer *r, target_progress *progress, void *ctx,
		struct err *err);

#endif
