#include "cli/roff.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

#define INDENT 7
#define TAG_INDENT 7
#define WIDTH_MAX 100
#define MACRO_ARGS 12

struct roff {
	FILE *out;
	size_t width, indent, column;
	size_t base; /* indentation without .TP */
	bool colour, nofill, tag_next, tag_open, empty_line;
	char font; /* R, B, I: as the page last said */
};

static void
set_font(struct roff *r, char font)
{
	if (!r->colour || font == r->font) {
		r->font = font;
		return;
	}
	fputs("\033[0m", r->out);
	if (font == 'B')
		fputs("\033[1m", r->out);
	else if (font == 'I')
		fputs("\033[4m", r->out);
	r->font = font;
}

static void
end_line(struct roff *r)
{
	if (r->column == 0)
		return;
	putc('\n', r->out);
	r->column = 0;
	r->empty_line = false;
}

static void
blank(struct roff *r)
{
	end_line(r);
	if (!r->empty_line)
		putc('\n', r->out);
	r->empty_line = true;
}

static void
pad(struct roff *r, size_t to)
{
	for (; r->column < to; r->column++)
		putc(' ', r->out);
}

/*
 * The escape at s (after the backslash): what it prints goes to out, a font
 * change is put there as a byte 1, 2 or 3. Returns the bytes used.
 */
static size_t
escape(const char *s, struct buf *out)
{
	static const struct {
		char name[3];
		const char *text;
	} specials[] = { { "em", "--" }, { "en", "-" },	 { "aq", "'" },
			 { "dq", "\"" }, { "bu", "*" },	 { "ti", "~" },
			 { "ha", "^" },	 { "rs", "\\" }, { "lq", "\"" },
			 { "rq", "\"" } };

	switch (*s) {
	case 'f':
		buf_u8(out, s[1] == 'B' ? 2 : s[1] == 'I' ? 3 : 1);
		return s[1] ? 2 : 1;
	case '(':
		for (size_t i = 0; i < ARRAY_LEN(specials); i++) {
			if (strncmp(s + 1, specials[i].name, 2) == 0)
				buf_str(out, specials[i].text);
		}
		return strlen(s) >= 3 ? 3 : strlen(s);
	case 'e':
		buf_u8(out, '\\');
		return 1;
	case '&':
	case '|':
	case ':':
		return 1;
	case '~':
		buf_u8(out, ' ');
		return 1;
	case '\0':
		return 0;
	default:
		buf_u8(out, (uint8_t)*s);
		return 1;
	}
}

/* Escapes resolved; fonts as bytes 1 to 3. */
static void
resolve(const char *s, struct buf *out)
{
	while (*s) {
		if (*s == '\\')
			s += 1 + escape(s + 1, out);
		else
			buf_u8(out, (uint8_t)*s++);
	}
}

static size_t
shown_len(const char *s, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += (unsigned char)s[i] > 3 && (s[i] & 0xc0) != 0x80;
	return len;
}

static void
put_bytes(struct roff *r, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)s[i] <= 3)
			set_font(r, "RBI"[s[i] - 1]);
		else
			putc(s[i], r->out);
	}
	r->column += shown_len(s, n);
}

/* Text as words, filled; or as a line of its own. */
static void
put_text(struct roff *r, const char *s)
{
	if (r->nofill) {
		end_line(r);
		pad(r, r->indent);
		put_bytes(r, s, strlen(s));
		putc('\n', r->out);
		r->column = 0;
		r->empty_line = *s == '\0';
		return;
	}
	while (*s) {
		size_t n = strcspn(s, " \t");
		size_t len = shown_len(s, n);

		if (r->column > r->indent && r->column + 1 + len > r->width)
			end_line(r);
		else if (r->column > r->indent)
			pad(r, r->column + 1);
		pad(r, r->indent);
		put_bytes(r, s, n);
		s += n;
		s += strspn(s, " \t");
	}
}

/* The line after .TP: the tag, hanging to the left. */
static void
put_tag(struct roff *r, const char *s)
{
	end_line(r);
	r->indent = r->base;
	pad(r, r->base);
	put_bytes(r, s, strlen(s));
	set_font(r, 'R');
	r->indent = r->base + TAG_INDENT;
	if (r->column + 1 > r->indent)
		end_line(r);
	else
		pad(r, r->indent);
	r->tag_next = false;
}

static void
put_line(struct roff *r, const char *s)
{
	if (r->tag_next)
		put_tag(r, s);
	else
		put_text(r, s);
}

/* Arguments of a macro, quotes removed, in place. */
static size_t
split(char *s, char *args[MACRO_ARGS])
{
	size_t n = 0;

	while (n < MACRO_ARGS) {
		s += strspn(s, " \t");
		if (*s == '\0')
			break;
		if (*s == '"') {
			args[n++] = ++s;
			s += strcspn(s, "\"");
		} else {
			args[n++] = s;
			s += strcspn(s, " \t");
		}
		if (*s)
			*s++ = '\0';
	}
	return n;
}

/* .BR and kin: fonts in turn, no space between; .B and .I: one font, spaces. */
static void
fonts(struct roff *r, const char *name, char **args, size_t n)
{
	struct buf b = { 0 };
	bool alternate = name[1] != '\0';

	for (size_t i = 0; i < n; i++) {
		char f = alternate ? name[i % 2] : name[0];

		if (i > 0 && !alternate)
			buf_u8(&b, ' ');
		buf_u8(&b, f == 'B' ? 2 : f == 'I' ? 3 : 1);
		resolve(args[i], &b);
		buf_u8(&b, 1);
	}
	put_line(r, buf_cstr(&b));
	buf_free(&b);
}

static void
heading(struct roff *r, const char *text, size_t indent)
{
	blank(r);
	set_font(r, 'B');
	pad(r, indent);
	put_bytes(r, text, strlen(text));
	set_font(r, 'R');
	end_line(r);
	r->base = r->indent = INDENT;
	r->empty_line = true;
}

static void
join(char **args, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_u8(out, ' ');
		resolve(args[i], out);
	}
}

static void
paragraph(struct roff *r)
{
	r->indent = r->base;
	blank(r);
}

static void
macro(struct roff *r, const char *name, char **args, size_t n)
{
	struct buf text = { 0 };

	join(args, n, &text);
	if (strcmp(name, "TH") == 0) {
		r->empty_line = true;
	} else if (strcmp(name, "SH") == 0) {
		heading(r, buf_cstr(&text), 0);
	} else if (strcmp(name, "SS") == 0) {
		heading(r, buf_cstr(&text), 3);
	} else if (strcmp(name, "PP") == 0 || strcmp(name, "P") == 0) {
		paragraph(r);
	} else if (strcmp(name, "TP") == 0 || strcmp(name, "TQ") == 0) {
		paragraph(r);
		r->tag_next = true;
	} else if (strcmp(name, "IP") == 0) {
		paragraph(r);
		if (n > 0)
			put_tag(r, args[0]);
		r->indent = r->base + TAG_INDENT;
	} else if (strcmp(name, "RS") == 0) {
		end_line(r);
		r->base = r->indent = r->base + 4;
	} else if (strcmp(name, "RE") == 0) {
		end_line(r);
		r->base = r->indent =
			r->base >= INDENT + 4 ? r->base - 4 : INDENT;
	} else if (strcmp(name, "nf") == 0 || strcmp(name, "EX") == 0) {
		end_line(r);
		r->nofill = true;
	} else if (strcmp(name, "fi") == 0 || strcmp(name, "EE") == 0) {
		r->nofill = false;
	} else if (strcmp(name, "br") == 0) {
		end_line(r);
	} else if (strspn(name, "BIR") == strlen(name) && *name) {
		fonts(r, name, args, n);
	}
	buf_free(&text);
}

static void
line(struct roff *r, char *s)
{
	struct buf b = { 0 };
	char *args[MACRO_ARGS];
	char name[4] = "";
	size_t n;

	if (strncmp(s, ".\\\"", 3) == 0)
		return;
	if (*s == '.') {
		s += 1 + strspn(s + 1, " \t");
		n = strcspn(s, " \t");
		snprintf(name, sizeof(name), "%.*s", n < 3 ? (int)n : 3, s);
		s += n;
		n = split(s, args);
		macro(r, name, args, n);
		return;
	}
	if (*s == '\0' && !r->nofill) {
		blank(r);
		return;
	}
	resolve(s, &b);
	put_line(r, buf_cstr(&b));
	buf_free(&b);
}

void
roff_print(struct span page, FILE *out, int width, bool colour)
{
	struct roff r = { .out = out,
			  .indent = INDENT,
			  .base = INDENT,
			  .colour = colour,
			  .font = 'R',
			  .empty_line = true };
	char *text = mem_alloc(page.len + 1);
	char *p = text;

	r.width = (size_t)(width > WIDTH_MAX ? WIDTH_MAX
			   : width < 40	     ? 40
					     : width);
	memcpy(text, page.p, page.len);
	text[page.len] = '\0';
	while (*p) {
		char *end = strchr(p, '\n');

		if (end)
			*end = '\0';
		line(&r, p);
		if (!end)
			break;
		p = end + 1;
	}
	end_line(&r);
	set_font(&r, 'R');
	mem_free(text);
}
