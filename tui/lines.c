#include "tui/lines.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

#define SIDE_STEP 8

void
lines_clear(struct lines *l)
{
	arena_clear(&l->arena);
	vec_clear(&l->v);
}

void
lines_release(struct lines *l)
{
	arena_free(&l->arena);
	vec_free(&l->v);
}

static struct line *
add(struct lines *l, enum style s, const char *text, size_t len)
{
	char *copy = arena_alloc(&l->arena, len + 1);

	memcpy(copy, text, len);
	vec_push(&l->v, ((struct line){ .text = copy, .style = s }));
	return &l->v.v[l->v.len - 1];
}

struct line *
lines_add(struct lines *l, enum style s, const char *text)
{
	return add(l, s, text, strcspn(text, "\n"));
}

struct line *
lines_addf(struct lines *l, enum style s, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return lines_add(l, s, text);
}

void
lines_add_text(struct lines *l, enum style s, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		add(l, s, text, len);
		text += len + (text[len] == '\n');
	}
}

void
lines_add_wrapped(struct lines *l, enum style s, int w, const char *text)
{
	struct buf line = { 0 };

	while (*text) {
		size_t len = strcspn(text, " \n");
		char *word = mem_printf("%.*s", (int)len, text);

		if (line.len &&
		    draw_width(buf_cstr(&line)) + 1 + draw_width(word) > w) {
			lines_add(l, s, buf_cstr(&line));
			buf_clear(&line);
		}
		if (len)
			buf_printf(&line, "%s%s", line.len ? " " : "", word);
		mem_free(word);
		text += len + (text[len] != '\0');
	}
	if (line.len)
		lines_add(l, s, buf_cstr(&line));
	buf_free(&line);
}

void
lines_set_cursor(struct lines *l, size_t at)
{
	l->cursor = at < l->v.len ? at : l->v.len ? l->v.len - 1 : 0;
}

void
lines_move(struct lines *l, int64_t delta)
{
	if (delta < 0 && (uint64_t)-delta > l->cursor)
		l->cursor = 0;
	else
		lines_set_cursor(l, (size_t)((int64_t)l->cursor + delta));
}

const struct line *
lines_current(const struct lines *l)
{
	return l->cursor < l->v.len ? &l->v.v[l->cursor] : NULL;
}

/* The least scrolling that shows the cursor. */
static void
scroll(struct lines *l)
{
	size_t h = l->height > 0 ? (size_t)l->height : 1;

	lines_set_cursor(l, l->cursor);
	if (l->v.len <= h)
		l->top = 0;
	else if (l->top > l->v.len - h)
		l->top = l->v.len - h;
	if (l->cursor < l->top)
		l->top = l->cursor;
	if (l->cursor >= l->top + h)
		l->top = l->cursor - h + 1;
}

void
lines_draw(struct lines *l, const struct rect *r, bool focus)
{
	int gutter = l->no_gutter ? 0 : 1;

	l->height = r->h;
	scroll(l);
	for (int i = 0; i < r->h; i++) {
		size_t at = l->top + (size_t)i;
		const struct line *line;
		char mark[2] = " ";
		enum style s;

		if (at >= l->v.len)
			break;
		line = &l->v.v[at];
		s = focus && at == l->cursor ? STYLE_SELECT : line->style;
		draw_fill(r->y + i, r->x, r->w, s);
		if (gutter && line->gutter) {
			mark[0] = line->gutter;
			draw_text(r->y + i, r->x, 1, 0, s, mark);
		}
		draw_text(r->y + i, r->x + gutter, r->w - gutter, l->side, s,
			  line->text);
	}
}

bool
lines_request(struct lines *l, enum request r, uint64_t count)
{
	int64_t n = count && count < INT32_MAX ? (int64_t)count : 1;
	int64_t page = l->height > 1 ? l->height - 1 : 1;

	switch ((int)r) {
	case REQ_UP:
		lines_move(l, -n);
		return true;
	case REQ_DOWN:
		lines_move(l, n);
		return true;
	case REQ_PAGE_UP:
		lines_move(l, -n * page);
		return true;
	case REQ_PAGE_DOWN:
		lines_move(l, n * page);
		return true;
	case REQ_TOP:
		lines_set_cursor(l, 0);
		return true;
	case REQ_BOTTOM:
		/* With a count the line of that number, as in vi. */
		lines_set_cursor(l, count ? (size_t)count - 1 : SIZE_MAX);
		return true;
	case REQ_SIDE_LEFT:
		l->side = l->side > SIDE_STEP ? l->side - SIDE_STEP : 0;
		return true;
	case REQ_SIDE_RIGHT:
		l->side += SIDE_STEP;
		return true;
	}
	return false;
}

bool
lines_search(struct lines *l, const char *text, bool back)
{
	size_t n = l->v.len;

	for (size_t i = 1; i <= n; i++) {
		size_t at = (back ? l->cursor + n - i : l->cursor + i) % n;

		if (!strcasestr(l->v.v[at].text, text))
			continue;
		l->cursor = at;
		return true;
	}
	return false;
}
