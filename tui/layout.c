#include "tui/layout.h"

#include <string.h>

/* One row of panes: one or two side by side, below a row of titles. */
static void
place_row(struct layout *l, int y, int h, int left, int right)
{
	bool has_left = left >= 0 && !l->hidden[left];
	bool has_right = right >= 0 && !l->hidden[right];
	int split = l->cols;

	if (h < 2)
		return;
	if (has_left && has_right)
		split = l->cols * 3 / 5;
	if (has_left) {
		l->title[left] = (struct rect){ y, 0, 1, split };
		l->pane[left] = (struct rect){ y + 1, 0, h - 1, split };
	}
	if (has_right) {
		int x = has_left ? split + 1 : 0;

		l->title[right] = (struct rect){ y, x, 1, l->cols - x };
		l->pane[right] = (struct rect){ y + 1, x, h - 1, l->cols - x };
	}
}

static bool
row_wanted(const struct layout *l, int left, int right)
{
	return !l->hidden[left] || (right >= 0 && !l->hidden[right]);
}

static void
place_all(struct layout *l)
{
	int y = 1, end = l->rows - 1, lanes = 0;
	int bottom = 0, top = 0, rest;
	bool has_mid = row_wanted(l, SLOT_CODE, SLOT_STATE);
	bool has_top = row_wanted(l, SLOT_EVENTS, SLOT_DETAIL);

	if (!l->hidden[SLOT_LANES]) {
		int most = l->rows / 8 > 2 ? l->rows / 8 : 2;

		lanes = l->lanes < most ? l->lanes : most;
		/* And a ruler below them. */
		lanes = lanes > 0 ? lanes + 1 : 2;
		l->title[SLOT_LANES] = (struct rect){ 0, 0, 1, l->cols };
		l->pane[SLOT_LANES] = (struct rect){ y, 0, lanes, l->cols };
		y += lanes;
	}
	rest = end - y;
	if (!l->hidden[SLOT_OUTPUT])
		bottom = has_top || has_mid ? rest / 5 : rest;
	if (bottom == 1)
		bottom = 2;
	rest -= bottom;
	if (has_top)
		top = has_mid ? (rest + 1) / 2 : rest;
	place_row(l, y, top, SLOT_EVENTS, SLOT_DETAIL);
	place_row(l, y + top, rest - top, SLOT_CODE, SLOT_STATE);
	place_row(l, end - bottom, bottom, SLOT_OUTPUT, -1);
}

void
layout_compute(struct layout *l)
{
	memset(l->pane, 0, sizeof(l->pane));
	memset(l->title, 0, sizeof(l->title));
	l->too_small = l->rows < LAYOUT_MIN_ROWS || l->cols < LAYOUT_MIN_COLS;
	if (l->too_small)
		return;
	if (l->only >= 0) {
		l->title[l->only] = (struct rect){ 1, 0, 1, l->cols };
		l->pane[l->only] = (struct rect){ 2, 0, l->rows - 3, l->cols };
		return;
	}
	place_all(l);
}

int
layout_at(const struct layout *l, int y, int x)
{
	for (int i = 0; i < SLOT_COUNT; i++)
		if (rect_has(&l->pane[i], y, x) ||
		    (rect_has(&l->title[i], y, x) && y > 0))
			return i;
	return -1;
}
