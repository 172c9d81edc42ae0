#ifndef TUI_HISTORY_H
#define TUI_HISTORY_H

/* Where one has been, as in a browser: jumps are remembered, steps are not. */
#include "base/vec.h"
#include <stdbool.h>
#include <stdint.h>

struct history {
	VEC(uint64_t) v;
	size_t at; /* what lies before it is back, from it on forward */
};

void history_release(struct history *h);
/* About to jump away from seq: forgets what was forward. */
void history_leave(struct history *h, uint64_t seq);
/* now = where we are. False: nothing there. */
bool history_back(struct history *h, uint64_t now, uint64_t *out);
bool history_forward(struct history *h, uint64_t now, uint64_t *out);

#endif
