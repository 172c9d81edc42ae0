#ifndef REPLAYER_CHECKPOINT_H
#define REPLAYER_CHECKPOINT_H

/* Copies of worlds that are kept, and going to them. */
#include "replayer/internal.h"

struct checkpoint {
	struct world *world;
	uint64_t work_ns; /* replay time from the start to here */
	uint64_t bytes;	  /* private memory, when it was last looked at */
	bool asked;	  /* by replayer_checkpoint, not by policy */
};

int checkpoint_policy(struct replayer *r, struct err *err);
/* A copy of now with its counts, within an interval, if it is time for one.
 * left_ns of work until somebody stands there: closer, then. */
int checkpoint_inside(struct replayer *r, uint64_t left_ns, struct err *err);
/* The same, and at once, unless one stands here. */
int checkpoint_here(struct replayer *r, struct err *err);
/* One here, at an event, when the last one is farther than making one costs. */
int checkpoint_near(struct replayer *r, struct err *err);
/* Be at or before event seq; what stands in the code behind it is after it. */
int checkpoint_go(struct replayer *r, uint64_t seq, struct err *err);
bool inside_leads_to(const struct world *w, const struct pos *pos,
		     const uint64_t *track, size_t n);
/* Be in the interval after pos->seq, closest before pos, with counts for
 * pos->pc and track. 1, or 0: there is none such. */
int checkpoint_go_inside(struct replayer *r, const struct pos *pos,
			 const uint64_t *track, size_t n, struct err *err);
/* Be in the code behind event seq that ends with a call, at the last stored
 * checkpoint in it, when that saves work: 1. 0, and perhaps elsewhere. */
int checkpoint_go_stored_inside(struct replayer *r, uint64_t seq,
				struct err *err);
/* The event before seq where the closest checkpoint is; 0 = there is none. */
uint64_t checkpoint_before(const struct replayer *r, uint64_t seq);
int checkpoint_copy(struct replayer *r, struct world *from, struct world **out,
		    struct err *err);
/* A copy of now to call functions in (diversion.c). */
int diversion_open(struct replayer *r, struct diversion **out, struct err *err);
void checkpoint_drop_all(struct replayer *r);
/* keep.c */
/* So much work after the last one, and left_ns before one would be wanted: is
 * it time for a checkpoint? */
bool checkpoint_is_due(struct replayer *r, uint64_t last_ns, uint64_t left_ns);
/* Too many of them: the least useful go. */
void checkpoint_keep_budget(struct replayer *r);
/* Private memory of a world, roughly. */
uint64_t world_bytes(struct world *w);
/* There is a checkpoint here; fresh: now has just been made of one. */
void checkpoint_note_spent(struct replayer *r, bool fresh);
/* Fork does not copy some ranges of s: lift that, or set it (again). */
int space_advise(struct puppet *p, const struct space *s, bool lift,
		 struct err *err);
/* A copy of space s of from to try something on; of all when they share. */
int checkpoint_fork(struct replayer *r, struct world *from, struct space *s,
		    struct world **out, struct err *err);
/* Such a copy of now takes the place of what it is a copy of; now may be
 * another world then. */
void checkpoint_adopt(struct replayer *r, struct world *w);

#endif
