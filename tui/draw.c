/* ncursesw shows its wide functions only so. */
#define NCURSES_WIDECHAR 1
#include "tui/draw.h"

#include <curses.h>
#include <inttypes.h>
#include <langinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/buf.h"
#include "base/mem.h"
#include "tui/config.h"

/* Of the process, as its terminal is: a theme changes them once. */
static struct {
	const char *name;
	attr_t attr;
	short colour, back;
} styles[STYLE_COUNT] = {
	[STYLE_NORMAL] = { "normal", A_NORMAL, -1, -1 },
	[STYLE_DIM] = { "dim", A_DIM, -1, -1 },
	[STYLE_TITLE] = { "title", A_NORMAL, COLOR_CYAN, -1 },
	[STYLE_FOCUS] = { "focus", A_BOLD, COLOR_CYAN, -1 },
	[STYLE_SELECT] = { "select", A_REVERSE, -1, -1 },
	[STYLE_ERROR] = { "error", A_BOLD, COLOR_RED, -1 },
	[STYLE_CHANGED] = { "changed", A_BOLD, COLOR_YELLOW, -1 },
	[STYLE_MARK] = { "mark", A_BOLD, COLOR_MAGENTA, -1 },
	[STYLE_STATUS] = { "status", A_BOLD, -1, -1 },
};

static const struct {
	const char *name;
	attr_t attr;
} attributes[] = {
	{ "bold", A_BOLD },
	{ "dim", A_DIM },
	{ "reverse", A_REVERSE },
	{ "underline", A_UNDERLINE },
};

static const char *const colours[] = { "black", "red",	   "green", "yellow",
				       "blue",	"magenta", "cyan",  "white" };

static const char *const glyphs[GLYPH_COUNT][2] = {
	[GLYPH_RULE] = { "─", "-" },	      [GLYPH_RULE_FOCUS] = { "━", "=" },
	[GLYPH_BAR] = { "│", "|" },	      [GLYPH_TEE_DOWN] = { "┬", "+" },
	[GLYPH_TEE_UP] = { "┴", "+" },	      [GLYPH_CROSS] = { "┼", "+" },
	[GLYPH_SIGNAL] = { "⚡", "!" },	      [GLYPH_EXIT] = { "✖", "x" },
	[GLYPH_HERE] = { "▲", "^" },	      [GLYPH_MORE] = { "…", ">" },
	[GLYPH_CONTROL] = { "·", "." },	      [GLYPH_BRANCH] = { "├─", "|-" },
	[GLYPH_BRANCH_LAST] = { "└─", "`-" }, [GLYPH_TRUNK] = { "│ ", "| " },
};

static const char *const levels[9][2] = {
	{ " ", " " }, { "▁", "." }, { "▂", "." }, { "▃", ":" }, { "▄", ":" },
	{ "▅", "+" }, { "▆", "+" }, { "▇", "#" }, { "█", "#" },
};

static const char *const spinner[4][2] = {
	{ "⠙", "|" }, { "⠸", "/" }, { "⠴", "-" }, { "⠦", "\\" }
};

bool
rect_has(const struct rect *r, int y, int x)
{
	return y >= r->y && y < r->y + r->h && x >= r->x && x < r->x + r->w;
}

/* -1 is what the terminal has, -2 no colour. */
static int
colour_of(const char *word)
{
	char *end;
	long n = strtol(word, &end, 10);

	if (*word >= '0' && *word <= '9')
		return *end || n > 255 ? -2 : (int)n;
	for (size_t i = 0; i < ARRAY_LEN(colours); i++)
		if (!strcmp(word, colours[i]))
			return (int)i;
	return strcmp(word, "default") ? -2 : -1;
}

static int
theme_word(int s, const char *word, bool *on, struct err *err)
{
	int colour = colour_of(word);

	for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
		if (strcmp(word, attributes[i].name) != 0)
			continue;
		styles[s].attr |= attributes[i].attr;
		return 0;
	}
	if (!strcmp(word, "on")) {
		*on = true;
		return 0;
	}
	if (colour < -1)
		return err_set(err, E_FORMAT,
			       "\"%s\" is no colour: black, red, green, "
			       "yellow, blue, magenta, cyan, white, default, "
			       "0 to 255; nor bold, dim, reverse, underline",
			       word);
	*(*on ? &styles[s].back : &styles[s].colour) = (short)colour;
	return 0;
}

static int
theme_line(void *ctx, char *line, struct err *err)
{
	char *save, *word = strtok_r(line, " \t\r", &save);
	bool on = false;
	int rc = 0, s = 0;

	(void)ctx;
	if (!word || *word == '#')
		return 0;
	while (s < STYLE_COUNT && strcmp(styles[s].name, word) != 0)
		s++;
	if (s == STYLE_COUNT)
		return err_set(err, E_FORMAT, "there is no style \"%s\"", word);
	styles[s].attr = A_NORMAL;
	styles[s].colour = styles[s].back = -1;
	while (rc == 0 && (word = strtok_r(NULL, " \t\r", &save)))
		rc = theme_word(s, word, &on, err);
	return rc;
}

int
draw_load_theme(const char *path, struct err *err)
{
	return config_load(path, theme_line, NULL, err);
}

static bool
has_colour(int s)
{
	return styles[s].colour >= 0 || styles[s].back >= 0;
}

/* A terminal may have fewer than the theme wants. */
static short
shown_colour(short colour)
{
	return colour < COLORS ? colour : -1;
}

void
draw_init(bool plain)
{
	const char *no_color = getenv("NO_COLOR");

	if (plain || (no_color && *no_color) || !has_colors())
		return;
	start_color();
	use_default_colors();
	for (short i = 0; i < STYLE_COUNT; i++)
		if (has_colour(i))
			init_pair((short)(i + 1),
				  shown_colour(styles[i].colour),
				  shown_colour(styles[i].back));
}

static short
style_pair(enum style s)
{
	/* No pairs before start_color: no colours. */
	return COLOR_PAIRS > 0 && has_colour((int)s) ? (short)(s + 1) : 0;
}

/* 1 = the locale has no UTF-8. */
static int
is_ascii(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
}

const char *
draw_glyph(enum glyph g)
{
	return glyphs[g][is_ascii()];
}

const char *
draw_level(int level)
{
	return levels[level < 0 ? 0 : level > 8 ? 8 : level][is_ascii()];
}

const char *
draw_spinner(unsigned frame)
{
	return spinner[frame % ARRAY_LEN(spinner)][is_ascii()];
}

/* One character of text as it is shown: what cannot be shown is replaced. */
struct cell {
	wchar_t ch[2];
	int width;
};

/* The character at *text, which moves on; false at the end. column is where it
 * would stand, for tabs. */
static bool
next_cell(const char **text, int column, struct cell *out)
{
	const unsigned char *p = (const unsigned char *)*text;
	mbstate_t st = { 0 };
	size_t n;

	*out = (struct cell){ .width = 1 };
	if (!*p)
		return false;
	if (*p == '\t') {
		*text += 1;
		out->ch[0] = L' ';
		out->width = 8 - column % 8;
		return true;
	}
	n = mbrtowc(&out->ch[0], *text, strlen(*text), &st);
	if (n == (size_t)-1 || n == (size_t)-2) {
		*text += 1;
		out->ch[0] = L'?';
		return true;
	}
	*text += n;
	out->width = wcwidth(out->ch[0]);
	if (out->width < 0) {
		st = (mbstate_t){ 0 };
		mbrtowc(&out->ch[0], draw_glyph(GLYPH_CONTROL), 8, &st);
		out->width = 1;
	}
	return true;
}

int
draw_width(const char *text)
{
	struct cell c;
	int w = 0;

	while (next_cell(&text, w, &c))
		w += c.width;
	return w;
}

static void
put_cell(int y, int x, const struct cell *c, enum style s)
{
	cchar_t cc;

	setcchar(&cc, c->ch, styles[s].attr, style_pair(s), NULL);
	if (c->ch[0] == L' ')
		for (int i = 0; i < c->width; i++)
			mvadd_wch(y, x + i, &cc);
	else if (c->width > 0)
		mvadd_wch(y, x, &cc);
}

/* The last column says that there is more. What begins at from, a wide
 * character perhaps, makes room. */
static void
put_more(int y, int x, int w, int from, enum style s)
{
	const char *text = draw_glyph(GLYPH_MORE);
	struct cell more;

	draw_fill(y, x + from, w - from, s);
	if (next_cell(&text, 0, &more))
		put_cell(y, x + w - 1, &more, s);
}

int
draw_text(int y, int x, int w, int skip, enum style s, const char *text)
{
	struct cell c;
	int column = 0, used = 0, last = 0;

	if (w <= 0)
		return 0;
	while (next_cell(&text, column, &c)) {
		int at = column - skip;

		column += c.width;
		if (at < 0)
			continue;
		if (at + c.width > w) {
			put_more(y, x, w, used < w ? used : last, s);
			return w;
		}
		put_cell(y, x + at, &c, s);
		if (c.width)
			last = at;
		used = at + c.width;
	}
	return used;
}

int
draw_textf(int y, int x, int w, enum style s, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	return draw_text(y, x, w, 0, s, line);
}

void
draw_fill(int y, int x, int w, enum style s)
{
	struct cell c = { .ch = { L' ' }, .width = w };

	if (w > 0)
		put_cell(y, x, &c, s);
}

void
draw_repeat(int y, int x, int w, enum glyph g, enum style s)
{
	for (int i = 0; i < w; i++)
		draw_text(y, x + i, 2, 0, s, draw_glyph(g));
}

bool
draw_is(int y, int x, enum glyph g)
{
	const char *text = draw_glyph(g);
	wchar_t there[CCHARW_MAX + 1] = { 0 };
	struct cell want;
	cchar_t cc;
	attr_t attr;
	short pair;

	return next_cell(&text, 0, &want) && mvin_wch(y, x, &cc) == OK &&
	       getcchar(&cc, there, &attr, &pair, NULL) == OK &&
	       there[0] == want.ch[0];
}

const char *
draw_number(uint64_t v, char out[DRAW_NUMBER_MAX])
{
	char plain[24];
	int n = snprintf(plain, sizeof(plain), "%" PRIu64, v);
	int o = 0;

	for (int i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			out[o++] = ' ';
		out[o++] = plain[i];
	}
	out[o] = '\0';
	return out;
}

const char *
draw_time(uint64_t ns, char out[DRAW_NUMBER_MAX])
{
	uint64_t ms = ns / 1000000, s = ms / 1000;

	if (s < 3600)
		snprintf(out, DRAW_NUMBER_MAX,
			 "%02" PRIu64 ":%02" PRIu64 ".%03" PRIu64, s / 60,
			 s % 60, ms % 1000);
	else
		snprintf(out, DRAW_NUMBER_MAX,
			 "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64 ".%03" PRIu64,
			 s / 3600, s / 60 % 60, s % 60, ms % 1000);
	return out;
}

const char *
draw_duration(uint64_t ns, char out[DRAW_NUMBER_MAX])
{
	if (ns < 1000000)
		snprintf(out, DRAW_NUMBER_MAX, "%" PRIu64 "us", ns / 1000);
	else if (ns < 10000000)
		snprintf(out, DRAW_NUMBER_MAX, "%.1fms", (double)ns / 1e6);
	else if (ns < 1000000000)
		snprintf(out, DRAW_NUMBER_MAX, "%" PRIu64 "ms", ns / 1000000);
	else if (ns < 100000000000)
		snprintf(out, DRAW_NUMBER_MAX, "%.1fs", (double)ns / 1e9);
	else
		snprintf(out, DRAW_NUMBER_MAX, "%" PRIu64 "s", ns / 1000000000);
	return out;
}
