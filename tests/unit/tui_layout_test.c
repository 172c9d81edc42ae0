#include "tui/layout.h"

#include <criterion/criterion.h>

static bool
overlap(const struct rect *a, const struct rect *b)
{
	return a->h && b->h && a->y < b->y + b->h && b->y < a->y + a->h &&
	       a->x < b->x + b->w && b->x < a->x + a->w;
}

/* No two panes or titles share a cell, none leaves the screen, none takes the
 * last row. */
static void
check_sane(const struct layout *l)
{
	struct rect all[2 * SLOT_COUNT];

	for (int i = 0; i < SLOT_COUNT; i++) {
		all[2 * i] = l->pane[i];
		/* The lanes' title is the header. */
		all[2 * i + 1] =
			i == SLOT_LANES ? (struct rect){ 0 } : l->title[i];
	}
	for (int i = 0; i < 2 * SLOT_COUNT; i++) {
		const struct rect *r = &all[i];

		if (!r->h)
			continue;
		cr_assert_geq(r->x, 0);
		cr_assert_geq(r->y, 1);
		cr_assert_leq(r->x + r->w, l->cols);
		cr_assert_leq(r->y + r->h, l->rows - 1, "%dx%d: %d", l->cols,
			      l->rows, i);
		cr_assert_gt(r->w, 0);
		for (int k = i + 1; k < 2 * SLOT_COUNT; k++)
			cr_assert_not(overlap(r, &all[k]), "%dx%d: %d, %d",
				      l->cols, l->rows, i, k);
	}
}

Test(tui_layout, panes_never_overlap_or_leave_the_screen)
{
	for (int rows = 1; rows < 70; rows++)
		for (int cols = 1; cols < 220; cols += 3)
			for (unsigned hide = 0; hide < 64; hide++) {
				struct layout l = { .rows = rows,
						    .cols = cols,
						    .lanes = 3,
						    .only = -1 };

				for (int s = 0; s < SLOT_FULL; s++)
					l.hidden[s] = s != SLOT_EVENTS &&
						      hide >> s & 1;
				layout_compute(&l);
				check_sane(&l);
			}
}

Test(tui_layout, at_80x24_every_pane_has_room)
{
	struct layout l = { .rows = 24, .cols = 80, .lanes = 50, .only = -1 };

	layout_compute(&l);
	for (int s = 0; s < SLOT_FULL; s++) {
		cr_assert_geq(l.pane[s].h, 2, "%d", s);
		cr_assert_geq(l.pane[s].w, 30, "%d", s);
	}
	cr_assert_geq(l.pane[SLOT_EVENTS].h, 6);
}

Test(tui_layout, every_row_is_used)
{
	for (int rows = 16; rows < 80; rows++) {
		struct layout l = {
			.rows = rows, .cols = 80, .lanes = 2, .only = -1
		};
		int used;

		layout_compute(&l);
		used = 2 + l.pane[SLOT_LANES].h + l.pane[SLOT_EVENTS].h +
		       l.pane[SLOT_CODE].h + l.pane[SLOT_OUTPUT].h + 3;
		cr_assert_eq(used, rows);
	}
}

Test(tui_layout, a_maximised_pane_has_everything)
{
	struct layout l = {
		.rows = 24, .cols = 80, .lanes = 2, .only = SLOT_STATE
	};

	layout_compute(&l);
	cr_assert_eq(l.pane[SLOT_STATE].h, 21);
	cr_assert_eq(l.pane[SLOT_STATE].w, 80);
	cr_assert_eq(l.pane[SLOT_EVENTS].h, 0);
	cr_assert_eq(layout_at(&l, 10, 10), SLOT_STATE);
}

Test(tui_layout, a_place_belongs_to_a_pane_or_its_title)
{
	struct layout l = { .rows = 24, .cols = 80, .lanes = 2, .only = -1 };
	const struct rect *t = &l.title[SLOT_CODE];

	layout_compute(&l);
	cr_assert_eq(layout_at(&l, t->y, t->x + 3), SLOT_CODE);
	cr_assert_eq(layout_at(&l, t->y + 1, t->x + 3), SLOT_CODE);
	cr_assert_eq(layout_at(&l, 1, 3), SLOT_LANES);
	cr_assert_eq(layout_at(&l, 0, 3), -1, "the header");
	cr_assert_eq(layout_at(&l, 23, 3), -1, "the foot");
}

Test(tui_layout, closing_one_of_two_gives_its_room_to_the_other)
{
	struct layout l = { .rows = 24, .cols = 80, .lanes = 2, .only = -1 };

	l.hidden[SLOT_DETAIL] = true;
	layout_compute(&l);
	cr_assert_eq(l.pane[SLOT_EVENTS].w, 80);
	l.hidden[SLOT_CODE] = l.hidden[SLOT_STATE] = true;
	layout_compute(&l);
	cr_assert_gt(l.pane[SLOT_EVENTS].h, 12);
}
