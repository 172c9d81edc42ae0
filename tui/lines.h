#ifndef TUI_LINES_H
#define TUI_LINES_H

/*
 * A list of lines with a cursor: what most panes are. Text is copied; a
 * line may stand for an event, or for any number that its view understands.
 */
#include "base/arena.h"
#include "base/vec.h"
#include "tui/draw.h"
#include "tui/keys.h"

struct line {
	const char *text;
	enum style style;
	char gutter;  /* '*' changed, '>' current; 0 = none */
	uint64_t seq; /* event it stands for, 0 = none */
	uint64_t num; /* of the view's own */
};

struct lines {
	struct arena arena;
	VEC(struct line) v;
	size_t cursor, top;
	int side;	/* columns scrolled */
	int height;	/* when last drawn */
	bool no_gutter; /* no column for marks */
};

void lines_clear(struct lines *l); /* the cursor stays where it is */
void lines_release(struct lines *l);
/* Returns the new line, good until the next one is added. Text is copied up to
 * its first newline. */
struct line *lines_add(struct lines *l, enum style s, const char *text);
struct line *lines_addf(struct lines *l, enum style s, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Every line of a text that has newlines. */
void lines_add_text(struct lines *l, enum style s, const char *text);
/* Broken between words into lines of at most w columns. */
void lines_add_wrapped(struct lines *l, enum style s, int w, const char *text);
void lines_set_cursor(struct lines *l, size_t at); /* clipped */
void lines_move(struct lines *l, int64_t delta);
const struct line *lines_current(const struct lines *l); /* or NULL */
void lines_draw(struct lines *l, const struct rect *r, bool focus);
/* Up, down, pages, ends, sideways; false: not a request for lists. */
bool lines_request(struct lines *l, enum request r, uint64_t count);
/* The next line that contains text, without regard to case; wraps around. */
bool lines_search(struct lines *l, const char *text, bool back);

#endif
