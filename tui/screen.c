/* The whole screen: header, titles, panes, foot. Drawn anew each time; curses
 * sends what differs. */
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "tui/ui.h"

/* A wait shorter than this is not worth a word. */
#define QUIET_NS 200000000ull

static void
draw_header(struct ui *ui)
{
	enum style s = ui->focus == SLOT_LANES && !ui->full ? STYLE_FOCUS
							    : STYLE_TITLE;
	enum glyph rule = s == STYLE_FOCUS ? GLYPH_RULE_FOCUS : GLYPH_RULE;
	char seq[DRAW_NUMBER_MAX], all[DRAW_NUMBER_MAX], time[DRAW_NUMBER_MAX];
	char within[POS_TEXT_MAX];
	const char *g = draw_glyph(GLYPH_RULE);
	struct buf left = { 0 }, right = { 0 };
	int cols = ui->layout.cols, w;

	draw_repeat(0, 0, cols, rule, s);
	if (!ui->rec_known) {
		draw_text(0, 1, cols - 1, 0, STYLE_STATUS, " opening ");
		return;
	}
	buf_printf(&left, " #%" PRIu64 " %s ", ui->rec.recording,
		   ui->rec.name && *ui->rec.name ? ui->rec.name
						 : ui->rec.command);
	pos_format(&(struct pos){ .pc = ui->inside.pc,
				  .visit = ui->inside.visit,
				  .steps = ui->inside.steps },
		   within);
	buf_printf(
		&right, " e%s%s of %s %s %d %% %s ", draw_number(ui->seq, seq),
		within + strlen("e0"), draw_number(ui->rec.events, all), g,
		ui->rec.events
			? (int)((double)ui->seq * 100 / (double)ui->rec.events)
			: 0,
		g);
	if (ui->here.seq == ui->seq)
		buf_printf(&right, "%s %s ", draw_time(ui->here.time_ns, time),
			   g);
	moment_status(ui, &right);
	buf_str(&right, " ");
	w = draw_width(buf_cstr(&right));
	draw_text(0, 1, cols - w - 3, 0, STYLE_STATUS, buf_cstr(&left));
	if (w < cols - 2)
		draw_text(0, cols - w - 1, w, 0, STYLE_STATUS,
			  buf_cstr(&right));
	buf_free(&left);
	buf_free(&right);
}

static void
draw_title(struct ui *ui, enum slot slot)
{
	const struct rect *r = &ui->layout.title[slot];
	bool focus = slot == ui->focus;
	enum style s = focus ? STYLE_FOCUS : STYLE_TITLE;
	const struct view *top = ui->views[ui->tab[slot]];
	int x = r->x + 1, end = r->x + r->w - 1, tabs = 0;
	struct buf label = { 0 };

	draw_repeat(r->y, r->x, r->w, focus ? GLYPH_RULE_FOCUS : GLYPH_RULE, s);
	draw_fill(r->y, x++, 1, s);
	for (int i = 0; i < VIEW_COUNT; i++)
		tabs += ui->views[i]->ops->slot == slot;
	for (int i = 0; i < VIEW_COUNT; i++) {
		const struct view *v = ui->views[i];
		bool mark = v == top && tabs > 1 && slot != SLOT_FULL;

		if (v->ops->slot != slot)
			continue;
		/* What is over everything shows only itself. */
		if (slot == SLOT_FULL && v != top)
			continue;
		if (x >= end)
			break;
		x += draw_textf(r->y, x, end - x, s, "%s%s%s", mark ? "[" : "",
				v->ops->title, mark ? "]" : "");
		if (x < end)
			draw_fill(r->y, x++, 1, s);
	}
	if (top->ops->label)
		top->ops->label(top, &label);
	if (label.len && x < end) {
		x += draw_text(r->y, x, end - x, 0, s, buf_cstr(&label));
		if (x < end)
			draw_fill(r->y, x, 1, s);
	}
	buf_free(&label);
}

/* The bar between two panes that stand side by side, and its ends. */
static void
draw_bars(struct ui *ui)
{
	static const enum slot rows[][2] = {
		{ SLOT_EVENTS, SLOT_DETAIL },
		{ SLOT_CODE, SLOT_STATE },
	};
	const struct layout *l = &ui->layout;
	bool above = false;
	int x = 0, end = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct rect *left = &l->pane[rows[i][0]];
		const struct rect *right = &l->pane[rows[i][1]];
		int y = left->h ? left->y - 1 : right->y - 1;
		bool below = left->h && right->h;

		if (!left->h && !right->h)
			continue;
		if (below)
			x = right->x - 1;
		if (above || below)
			draw_text(y, x, 1, 0, STYLE_TITLE,
				  draw_glyph(above && below ? GLYPH_CROSS
					     : below	    ? GLYPH_TEE_DOWN
							    : GLYPH_TEE_UP));
		for (int k = 0; below && k < left->h; k++)
			draw_text(left->y + k, x, 1, 0, STYLE_TITLE,
				  draw_glyph(GLYPH_BAR));
		above = below;
		end = (left->h ? left : right)->y + (left->h ? left : right)->h;
	}
	/* Unless the title is so long that it stands there. */
	if (above && l->pane[SLOT_OUTPUT].h && l->title[SLOT_OUTPUT].y == end &&
	    (draw_is(end, x, GLYPH_RULE) || draw_is(end, x, GLYPH_RULE_FOCUS)))
		draw_text(end, x, 1, 0, STYLE_TITLE, draw_glyph(GLYPH_TEE_UP));
}

/* What a worker is at, for people; NULL = not worth telling. */
static const char *
job_text(unsigned key)
{
	switch (key) {
	case JOB_SEARCH:
	case JOB_STEP:
		return "searching";
	case JOB_SQL:
		return "running the query";
	case JOB_PAGES:
		return "reading events";
	case JOB_OUTPUT:
		return "reading output";
	case JOB_LANES:
		return "counting events";
	case JOB_TASKS:
		return "finding tasks";
	}
	return "asking the database";
}

/* Returns the columns left for other things. */
static int
draw_busy(struct ui *ui, int y, int cols)
{
	struct worker *const all[] = { ui->ask, ui->nav };

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		uint64_t since, at, to;
		char text[96], share[16] = "", key[KEY_NAME_MAX];
		unsigned job;
		int w;

		if (!all[i] || !worker_running(all[i], &job, &since, &at, &to))
			continue;
		if (!ui->headless && clock_now_ns() - since < QUIET_NS)
			continue;
		if (to)
			snprintf(share, sizeof(share), " %d %%",
				 (int)((double)at * 100 / (double)to));
		snprintf(text, sizeof(text), "%s %s%s, %s stops",
			 draw_spinner(ui->spin), job_text(job), share,
			 keymap_key_of(&ui->keys, REQ_CANCEL, key));
		w = draw_width(text);
		if (w >= cols)
			continue;
		draw_text(y, cols - w, w, 0, STYLE_STATUS, text);
		return cols - w - 1;
	}
	return cols;
}

/* The most wanted keys, as they are bound now. */
static void
draw_hints(struct ui *ui, int y, int cols)
{
	static const struct {
		enum request a, b;
		const char *what;
	} hints[] = {
		{ REQ_HELP, REQ_NONE, "keys" },
		{ REQ_PREV_EVENT, REQ_NEXT_EVENT, "event" },
		{ REQ_PREV_TASK_EVENT, REQ_NEXT_TASK_EVENT, "same task" },
		{ REQ_LINE, REQ_LINE_BACK, "step" },
		{ REQ_CONTINUE, REQ_CONTINUE_BACK, "continue" },
		{ REQ_COMMAND, REQ_NONE, "command" },
		{ REQ_SEARCH, REQ_NONE, "search" },
		{ REQ_FILTER, REQ_NONE, "filter" },
		{ REQ_NEXT_PANE, REQ_NONE, "pane" },
		{ REQ_QUIT, REQ_NONE, "quit" },
	};
	int x = 1;

	for (size_t i = 0; i < ARRAY_LEN(hints); i++) {
		char a[KEY_NAME_MAX], b[KEY_NAME_MAX] = "", text[96];

		keymap_key_of(&ui->keys, hints[i].a, a);
		if (hints[i].b)
			keymap_key_of(&ui->keys, hints[i].b, b);
		snprintf(text, sizeof(text), "%s%s%s %s", a, *b ? " " : "", b,
			 hints[i].what);
		if (!*a || x + draw_width(text) > cols)
			continue;
		x += draw_text(y, x, cols - x, 0, STYLE_DIM, text) + 3;
	}
}

static void
draw_prompt(struct ui *ui, int y, int cols)
{
	struct prompt *p = &ui->prompt;
	const char *label = prompt_label(p->kind);
	int x = draw_text(y, 0, cols, 0, STYLE_STATUS, label);
	int w = cols - x, at, skip = 0;
	char *text = mem_strdup(prompt_text(p));
	char *head = mem_strdup(text);

	head[p->cursor] = '\0';
	at = draw_width(head);
	if (at >= w)
		skip = at - w + 1;
	draw_text(y, x, w, skip, STYLE_NORMAL, text);
	mem_free(text);
	mem_free(head);
	curs_set(1);
	move(y, x + at - skip);
}

/*
 * What Tab found, when it is several things: above the prompt, in columns, the
 * one that stands in it marked. A list that is longer than its place shows the
 * part around that one, and says how many there are.
 */
static void
draw_offers(struct ui *ui, int y, int cols)
{
	const struct prompt *p = &ui->prompt;
	size_t n = p->offers.v.len, now = p->offer_at ? p->offer_at - 1 : 0;
	int most = ui->layout.rows / 3, w = 1, rows, per_row;
	char count[64];
	size_t from;

	for (size_t i = 0; i < n; i++) {
		int text = draw_width(p->offers.v.v[i]) + 2;

		w = text > w ? text : w;
	}
	w = w > cols ? cols : w;
	per_row = cols / w;
	rows = (int)((n + (size_t)per_row - 1) / (size_t)per_row);
	rows = rows > most ? most : rows;
	now %= n;
	from = now / (size_t)per_row;
	from = from < (size_t)rows ? 0 : from - (size_t)rows + 1;
	draw_repeat(y - rows - 1, 0, cols, GLYPH_RULE, STYLE_TITLE);
	if (p->offer_at)
		snprintf(count, sizeof(count), " %zu of %zu ", now + 1,
			 n + p->offers.more);
	else
		snprintf(count, sizeof(count), " %zu ", n + p->offers.more);
	draw_text(y - rows - 1, 1, cols - 1, 0, STYLE_TITLE, count);
	for (int r = 0; r < rows; r++) {
		draw_fill(y - rows + r, 0, cols, STYLE_NORMAL);
		for (int c = 0; c < per_row; c++) {
			size_t i = (from + (size_t)r) * (size_t)per_row +
				   (size_t)c;
			bool here = i == now && p->offer_at;

			if (i < n)
				draw_textf(y - rows + r, c * w, w - 1,
					   here ? STYLE_SELECT : STYLE_NORMAL,
					   "%s%s", here ? ">" : " ",
					   p->offers.v.v[i]);
		}
	}
}

static void
draw_foot(struct ui *ui)
{
	int y = ui->layout.rows - 1, cols = ui->layout.cols;

	if (ui->prompt.kind != PROMPT_NONE) {
		if (ui->prompt.offering)
			draw_offers(ui, y, cols);
		else if (ui->message[0])
			draw_textf(y - 1, 0, cols, STYLE_STATUS, " %-*s",
				   cols - 1, ui->message);
		draw_prompt(ui, y, cols);
		return;
	}
	curs_set(0);
	cols = draw_busy(ui, y, cols);
	if (ui->message[0])
		draw_text(y, 1, cols - 1, 0,
			  ui->message_error ? STYLE_ERROR : STYLE_STATUS,
			  ui->message);
	else
		draw_hints(ui, y, cols);
	move(y, ui->layout.cols - 1);
}

void
ui_draw(struct ui *ui)
{
	/* What is learnt while drawing may ask for another one. */
	ui->redraw = false;
	getmaxyx(stdscr, ui->layout.rows, ui->layout.cols);
	erase();
	ui_layout(ui);
	if (ui->layout.too_small) {
		draw_textf(0, 0, ui->layout.cols, STYLE_NORMAL,
			   "%dx%d is too small: 80x24 is enough",
			   ui->layout.cols, ui->layout.rows);
		refresh();
		return;
	}
	draw_header(ui);
	for (int s = 0; s < SLOT_COUNT; s++)
		if (ui->layout.title[s].h && ui->layout.title[s].y > 0)
			draw_title(ui, (enum slot)s);
	if (ui->layout.only < 0)
		draw_bars(ui);
	for (int s = 0; s < SLOT_COUNT; s++)
		if (ui->layout.pane[s].h)
			view_draw(ui->views[ui->tab[s]], &ui->layout.pane[s],
				  s == (int)ui->focus);
	draw_foot(ui);
	refresh();
}
