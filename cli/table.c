#include "cli/table.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "cli/text.h"

#define GAP 2
#define CUT_MIN 8

void
table_begin(struct table *t, const struct cli *c, const struct column *cols,
	    size_t n, FILE *out)
{
	*t = (struct table){ .cols = cols, .n = n, .out = out };
	t->form = c->json ? TABLE_JSON : c->csv ? TABLE_CSV : TABLE_TEXT;
	if (t->form != TABLE_CSV)
		return;
	for (size_t i = 0; i < n; i++) {
		fputs(i ? "," : "", out);
		csv_cell(out, cols[i].name);
	}
	fputs("\r\n", out);
}

bool
table_for_people(const struct table *t)
{
	return t->form == TABLE_TEXT;
}

/* The length of the UTF-8 character at s, 0 when it is none. */
static size_t
utf8_len(const unsigned char *s)
{
	size_t n = s[0] < 0x80	 ? 1
		   : s[0] < 0xc2 ? 0
		   : s[0] < 0xe0 ? 2
		   : s[0] < 0xf0 ? 3
		   : s[0] < 0xf5 ? 4
				 : 0;

	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

void
json_string(FILE *out, const char *s)
{
	const unsigned char *p = (const unsigned char *)s;

	putc('"', out);
	while (*p) {
		size_t n = utf8_len(p);

		if (*p == '"' || *p == '\\')
			fprintf(out, "\\%c", *p);
		else if (*p == '\n')
			fputs("\\n", out);
		else if (*p == '\t')
			fputs("\\t", out);
		else if (*p < ' ' || *p == 0x7f)
			fprintf(out, "\\u%04x", *p);
		else if (n == 0)
			fputs("\\ufffd", out);
		else
			fwrite(p, 1, n, out);
		p += n ? n : 1;
	}
	putc('"', out);
}

void
csv_cell(FILE *out, const char *s)
{
	if (!s)
		return;
	/* Quoted when empty, so that it differs from null. */
	if (*s && !strpbrk(s, ",\"\r\n")) {
		fputs(s, out);
		return;
	}
	putc('"', out);
	for (; *s; s++) {
		if (*s == '"')
			putc('"', out);
		putc(*s, out);
	}
	putc('"', out);
}

/* JSON has no NaN, no infinity, no "+1" and no "1e" as a number. */
static bool
is_json_number(const char *s)
{
	s += *s == '-';
	if (!isdigit((unsigned char)*s) ||
	    (*s == '0' && isdigit((unsigned char)s[1])))
		return false;
	s += strspn(s, "0123456789");
	if (*s == '.') {
		s++;
		if (!isdigit((unsigned char)*s))
			return false;
		s += strspn(s, "0123456789");
	}
	if (*s == 'e' || *s == 'E') {
		s++;
		s += *s == '+' || *s == '-';
		if (!isdigit((unsigned char)*s))
			return false;
		s += strspn(s, "0123456789");
	}
	return *s == '\0';
}

static void
json_row(const struct table *t, const char *const *cells)
{
	putc('{', t->out);
	for (size_t i = 0; i < t->n; i++) {
		fputs(i ? ", " : "", t->out);
		json_string(t->out, t->cols[i].name);
		fputs(": ", t->out);
		if (!cells[i])
			fputs("null", t->out);
		else if (t->cols[i].number && is_json_number(cells[i]))
			fputs(cells[i], t->out);
		else
			json_string(t->out, cells[i]);
	}
	fputs("}\n", t->out);
}

static void
csv_row(const struct table *t, const char *const *cells)
{
	for (size_t i = 0; i < t->n; i++) {
		fputs(i ? "," : "", t->out);
		csv_cell(t->out, cells[i]);
	}
	fputs("\r\n", t->out);
}

void
table_row(struct table *t, const char *const *cells)
{
	switch (t->form) {
	case TABLE_JSON:
		json_row(t, cells);
		return;
	case TABLE_CSV:
		csv_row(t, cells);
		return;
	case TABLE_TEXT:
		for (size_t i = 0; i < t->n; i++)
			vec_push(&t->cells, text_clean(&t->arena, cells[i]));
		return;
	}
}

static void
print_cell(FILE *out, const struct column *col, const char *s, size_t width,
	   bool last)
{
	size_t has = text_columns(s);

	if (has > width) {
		size_t n = text_fit(s, width - 1);

		fwrite(s, 1, n, out);
		fputs("~", out);
		has = text_columns("~") + width - 1;
	} else {
		if (col->number)
			fprintf(out, "%*s", (int)(width - has), "");
		fputs(s, out);
	}
	if (!last && !(col->number && has <= width))
		fprintf(out, "%*s", has < width ? (int)(width - has) : 0, "");
	if (!last)
		fprintf(out, "%*s", GAP, "");
}

/* Column widths; on a terminal, columns that may be cut give way. */
static void
widths(const struct table *t, size_t *width)
{
	size_t total = 0;
	size_t room =
		isatty(fileno(t->out)) ? (size_t)text_width(t->out) : SIZE_MAX;

	for (size_t i = 0; i < t->n; i++) {
		width[i] =
			t->cols[i].machine ? 0 : text_columns(t->cols[i].name);
		for (size_t r = i; r < t->cells.len; r += t->n) {
			size_t w = text_columns(t->cells.v[r]);

			if (!t->cols[i].machine && w > width[i])
				width[i] = w;
		}
		if (!t->cols[i].machine)
			total += width[i] + GAP;
	}
	for (size_t i = t->n; i-- > 0 && total > room;) {
		size_t over = total - room;

		if (!t->cols[i].cut || width[i] <= CUT_MIN)
			continue;
		if (over > width[i] - CUT_MIN)
			over = width[i] - CUT_MIN;
		width[i] -= over;
		total -= over;
	}
}

static size_t
last_shown(const struct table *t)
{
	size_t last = 0;

	for (size_t i = 0; i < t->n; i++) {
		if (!t->cols[i].machine)
			last = i;
	}
	return last;
}

void
table_end(struct table *t)
{
	bool colour = text_coloured(t->out);
	size_t *width, last = last_shown(t);

	if (t->form == TABLE_TEXT && t->n > 0) {
		width = mem_calloc(t->n, sizeof(*width));
		widths(t, width);
		fputs(colour ? "\033[1m" : "", t->out);
		for (size_t i = 0; i < t->n; i++) {
			char name[64];

			snprintf(name, sizeof(name), "%s", t->cols[i].name);
			for (char *p = name; *p; p++)
				*p = (char)toupper((unsigned char)*p);
			if (!t->cols[i].machine)
				print_cell(t->out, &t->cols[i], name, width[i],
					   i == last);
		}
		fputs(colour ? "\033[0m\n" : "\n", t->out);
		for (size_t r = 0; r < t->cells.len; r++) {
			size_t i = r % t->n;

			if (!t->cols[i].machine)
				print_cell(t->out, &t->cols[i], t->cells.v[r],
					   width[i], i == last);
			if (i == t->n - 1)
				putc('\n', t->out);
		}
		mem_free(width);
	}
	vec_free(&t->cells);
	arena_free(&t->arena);
}
