#include "cli/say.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/interrupt.h"
#include "cli/text.h"

#define FIRST_NS 500000000u
#define AGAIN_NS 100000000u

static void
say_lines(const char *text)
{
	while (*text) {
		size_t len;

		text += strspn(text, " ");
		len = strcspn(text, "\n");
		fprintf(stderr, "  %.*s\n", (int)len, text);
		text += len;
		text += *text == '\n';
	}
}

/* The code ends the first line; what a text of several lines has besides
 * follows below it. */
void
say_error(const struct err *err)
{
	bool colour = text_coloured(stderr);
	size_t first = strcspn(err->text, "\n");

	fprintf(stderr, "%spastime:%s %.*s  [%s]\n", colour ? "\033[1;31m" : "",
		colour ? "\033[0m" : "", (int)first, err->text,
		err_name(err->code));
	say_lines(err->text + first + (err->text[first] == '\n'));
	say_lines(err->hint);
}

void
say(const char *fmt, ...)
{
	char line[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fprintf(stderr, "pastime: %s\n", line);
}

void
progress_init(struct progress *p, const char *what, const char *unit,
	      bool quiet)
{
	const char *term = getenv("TERM");

	*p = (struct progress){ .what = what, .unit = unit };
	p->off = quiet || !isatty(STDERR_FILENO) || !term ||
		 strcmp(term, "dumb") == 0;
	p->began_ns = clock_now_ns();
}

/* "1.2 M", "340 k" */
static const char *
rate_text(char *s, size_t size, double rate)
{
	if (rate >= 1e6)
		snprintf(s, size, "%.1f M", rate / 1e6);
	else if (rate >= 1e3)
		snprintf(s, size, "%.0f k", rate / 1e3);
	else
		snprintf(s, size, "%.0f ", rate);
	return s;
}

static void
show(struct progress *p, uint64_t at, uint64_t to, uint64_t now)
{
	double s = (double)(now - p->began_ns) / 1e9;
	double rate = (double)(at - p->first) / s;
	char line[256], r[32];
	size_t n, width = (size_t)text_width(stderr) - 1;

	rate_text(r, sizeof(r), rate);
	if (to > p->first && at <= to && rate > 0) {
		uint64_t left = (uint64_t)((double)(to - at) / rate);

		snprintf(line, sizeof(line),
			 "%s  %.0f %%  %lu of %lu %s  %s%s/s  %lu:%02lu left",
			 p->what, 100.0 * (double)at / (double)to, at, to,
			 p->unit, r, p->unit, left / 60, left % 60);
	} else {
		snprintf(line, sizeof(line), "%s  %lu %s  %s%s/s", p->what, at,
			 p->unit, r, p->unit);
	}
	n = text_fit(line, width);
	fprintf(stderr, "\r%.*s\033[K", (int)n, line);
	fflush(stderr);
	p->shown = true;
	p->shown_ns = now;
}

bool
progress_step(void *ctx, uint64_t at, uint64_t to)
{
	struct progress *p = ctx;
	uint64_t now;

	if (!p->begun) {
		p->begun = true;
		p->first = at;
	}
	if (!p->off) {
		now = clock_now_ns();
		if (now - p->began_ns >= FIRST_NS &&
		    now - p->shown_ns >= AGAIN_NS && at >= p->first)
			show(p, at, to, now);
	}
	return !interrupted();
}

void
progress_end(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}
