#ifndef TUI_LAYOUT_H
#define TUI_LAYOUT_H

/*
 * Which pane stands where. The first row is the header, the last one status
 * and prompt; every pane but the lanes has its title in the row above it.
 * Pure arithmetic.
 */
#include "tui/draw.h"

enum slot {
	SLOT_LANES,
	SLOT_EVENTS,
	SLOT_DETAIL,
	SLOT_CODE,
	SLOT_STATE,
	SLOT_OUTPUT,
	SLOT_FULL, /* over everything: help, process tree, tasks */
	SLOT_COUNT,
};

struct layout {
	/* What is wanted. */
	int rows, cols;
	int lanes;		 /* lanes there are to show */
	bool hidden[SLOT_COUNT]; /* closed panes */
	int only;		 /* a maximised slot, or -1 */
	/* What follows. h = 0: not on the screen. */
	struct rect pane[SLOT_COUNT]; /* without its title */
	struct rect title[SLOT_COUNT];
	bool too_small;
};

#define LAYOUT_MIN_ROWS 10
#define LAYOUT_MIN_COLS 40

void layout_compute(struct layout *l);
/* The slot on whose pane or title (y, x) is, or -1. */
int layout_at(const struct layout *l, int y, int x);

#endif
