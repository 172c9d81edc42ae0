#ifndef TUI_DRAW_H
#define TUI_DRAW_H

/*
 * Text on the screen: clipped to its place, counted in columns, control
 * characters made visible (what a traced program wrote must not reach the
 * terminal). With colours, without them, and with ASCII only where the locale
 * has no UTF-8. UI thread.
 */
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rect {
	int y, x, h, w;
};

bool rect_has(const struct rect *r, int y, int x);

enum style {
	STYLE_NORMAL,
	STYLE_DIM,
	STYLE_TITLE,
	STYLE_FOCUS,  /* title of the pane that has the keys */
	STYLE_SELECT, /* the cursor's line */
	STYLE_ERROR,
	STYLE_CHANGED, /* since the last stop */
	STYLE_MARK,
	STYLE_STATUS,
	STYLE_COUNT,
};

enum glyph {
	GLYPH_RULE,	  /* horizontal line */
	GLYPH_RULE_FOCUS, /* heavy horizontal line */
	GLYPH_BAR,	  /* vertical line */
	GLYPH_TEE_DOWN,
	GLYPH_TEE_UP,
	GLYPH_CROSS,
	GLYPH_SIGNAL,
	GLYPH_EXIT,
	GLYPH_HERE,    /* points up at the position */
	GLYPH_MORE,    /* text goes on */
	GLYPH_CONTROL, /* a control character */
	GLYPH_BRANCH,  /* process tree: a child, another follows */
	GLYPH_BRANCH_LAST,
	GLYPH_TRUNK, /* process tree: an ancestor has more children */
	GLYPH_COUNT,
};

/*
 * The user's looks, from a file of lines "STYLE WORD...": bold, dim, reverse,
 * underline, a colour by name or number (0 to 255), "on" and another one.
 * Before draw_init. Errors: E_FORMAT with the line; what came before it holds.
 */
int draw_load_theme(const char *path, struct err *err);
/* After initscr or newterm: chooses glyphs by the locale, colours unless
 * plain or NO_COLOR is set. */
void draw_init(bool plain);
const char *draw_glyph(enum glyph g);
/* Level 0 (nothing) to 8 (full) as one column. */
const char *draw_level(int level);
/* "⠋": a frame of the spinner. */
const char *draw_spinner(unsigned frame);

/* Columns that the text takes. */
int draw_width(const char *text);
/* The text from column skip on, in at most w columns; returns those used. A
 * clipped end is marked. */
int draw_text(int y, int x, int w, int skip, enum style s, const char *text);
int draw_textf(int y, int x, int w, enum style s, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* Blank w columns in the style. */
void draw_fill(int y, int x, int w, enum style s);
void draw_repeat(int y, int x, int w, enum glyph g, enum style s);
/* Does that glyph stand there? */
bool draw_is(int y, int x, enum glyph g);

/* "110 212": digits in groups. out of at least 28 bytes; returns it. */
#define DRAW_NUMBER_MAX 28
const char *draw_number(uint64_t v, char out[DRAW_NUMBER_MAX]);
/* "00:04.512" (or "1:02:03.004"); "12us", "3.2ms" for durations. */
const char *draw_time(uint64_t ns, char out[DRAW_NUMBER_MAX]);
const char *draw_duration(uint64_t ns, char out[DRAW_NUMBER_MAX]);

#endif
