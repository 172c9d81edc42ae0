#ifndef TUI_HISTORY_H
#define TUI_HISTORY_H

/* Where one has been, as in a browser: jumps are remembered, steps are not. */
#include "base/vec.h"
#include "event/pos.h"

struct history {
	VEC(struct pos) v;
	size_t at; /* what lies before it is back, from it on forward */
};

void history_release(struct history *h);
/* About to jump away from there: forgets what was forward. */
void history_leave(struct history *h, struct pos from);
/* *pos: from where we are to the place before (after) it. False: there is
 * none. */
bool history_back(struct history *h, struct pos *pos);
bool history_forward(struct history *h, struct pos *pos);

#endif
