#ifndef REPLAYER_TIMELINE_LINE_H
#define REPLAYER_TIMELINE_LINE_H

/* Between the files that move by source line. */
#include "replayer/lines.h"
#include "replayer/timeline_priv.h"

#define JUMPS_MAX 4u /* functions that leave several frames at once */

/* Who walks: where it stands, in which frame of which function. */
struct walker {
	struct timeline *t;
	struct replayer *r;
	uint32_t task;
	bool over;
	struct arena arena;
	struct symbols *sym;
	struct regs regs;
	/* The frame in which lines are looked for. */
	struct sym_lines fn;
	uint64_t cfa;
	uint64_t id;	     /* of the line that it leaves */
	VEC(uint64_t) quiet; /* calls of code without lines */
	uint64_t jumps[JUMPS_MAX];
	size_t n_jumps;
	struct target_stop *out;
	struct err *err;
};

void walker_init(struct walker *w, struct timeline *t, bool over,
		 struct target_stop *out, struct err *err);
void walker_release(struct walker *w);
/* Look where the task stands; -E_NOT_FOUND: it has no program here. */
int walker_look(struct walker *w);
/* Make the frame that it stands in the one that counts: 1; 0: no lines here. */
int walker_enter(struct walker *w);
/* The frame that it stands in: its CFA, and the pc in its caller; 0 = none.
 * *signal: a handler returns there. */
bool walker_frame(struct walker *w, uint64_t *cfa, uint64_t *caller,
		  bool *signal);
/* A condition, ctx the walker: not in a deeper frame than it. */
bool walker_in_frame(void *ctx, struct target *t, uint32_t task);
/* The instruction there. */
bool walker_code(struct walker *w, struct code *out);
/* One instruction of the task. 1, or 0: the motion is over, as *w->out tells.
 */
int walker_step(struct walker *w);

#endif
