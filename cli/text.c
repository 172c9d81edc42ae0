#include "cli/text.h"

#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "base/buf.h"
#include "base/mem.h"
#include "event/format.h"

#define NS_PER_S 1000000000u

const char *
text_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	char *s;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	s = arena_alloc(a, n < 0 ? 1 : (size_t)n + 1);
	if (n >= 0)
		vsnprintf(s, (size_t)n + 1, fmt, again);
	va_end(again);
	return s;
}

const char *
text_count(struct arena *a, uint64_t n)
{
	char digits[24], out[32];
	size_t len, j = 0;

	snprintf(digits, sizeof(digits), "%lu", n);
	len = strlen(digits);
	for (size_t i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			out[j++] = ',';
		out[j++] = digits[i];
	}
	out[j] = '\0';
	return arena_strdup(a, out);
}

const char *
text_counted(struct arena *a, uint64_t n, const char *noun)
{
	return text_printf(a, "%s %s%s", text_count(a, n), noun,
			   n == 1 ? "" : "s");
}

const char *
text_bytes(struct arena *a, uint64_t n)
{
	static const char *const units[] = { "KB", "MB", "GB", "TB" };
	double v = (double)n / 1024;
	size_t u = 0;

	if (n < 1024)
		return text_printf(a, "%lu B", n);
	for (; v >= 1024 && u + 1 < ARRAY_LEN(units); u++)
		v /= 1024;
	return text_printf(a, v < 10 ? "%.1f %s" : "%.0f %s", v, units[u]);
}

const char *
text_duration(struct arena *a, uint64_t ns)
{
	uint64_t s = ns / NS_PER_S;

	if (ns < 1000000)
		return text_printf(a, "%lu us", ns / 1000);
	if (ns < 100 * 1000000u)
		return text_printf(a, "%.1f ms", (double)ns / 1e6);
	if (s < 60)
		return text_printf(a, "%.2f s", (double)ns / 1e9);
	if (s < 3600)
		return text_printf(a, "%lu:%02lu", s / 60, s % 60);
	return text_printf(a, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
}

const char *
text_when(struct arena *a, uint64_t real_ns)
{
	time_t t = (time_t)(real_ns / NS_PER_S);
	struct tm tm;
	char s[40];

	localtime_r(&t, &tm);
	strftime(s, sizeof(s), "%Y-%m-%d %H:%M:%S", &tm);
	return arena_strdup(a, s);
}

const char *
text_when_utc(struct arena *a, uint64_t real_ns)
{
	time_t t = (time_t)(real_ns / NS_PER_S);
	struct tm tm;
	char s[40];

	gmtime_r(&t, &tm);
	strftime(s, sizeof(s), "%Y-%m-%dT%H:%M:%S", &tm);
	return text_printf(a, "%s.%06luZ", s, real_ns % NS_PER_S / 1000);
}

const char *
text_status(struct arena *a, int status)
{
	if (status == -1)
		return "";
	if (WIFSIGNALED(status))
		return text_printf(a, "%s%s", signal_name(WTERMSIG(status)),
				   WCOREDUMP(status) ? " (core)" : "");
	return text_printf(a, "%d", WEXITSTATUS(status));
}

const char *
text_clean(struct arena *a, const char *s)
{
	struct buf b = { 0 };
	const char *out;

	if (!s)
		return "";
	for (; *s; s++) {
		unsigned char ch = (unsigned char)*s;

		if (ch == '\n')
			buf_str(&b, "\\n");
		else if (ch == '\t')
			buf_str(&b, "\\t");
		else if (ch < ' ' || ch == 0x7f)
			buf_printf(&b, "\\x%02x", ch);
		else
			buf_u8(&b, ch);
	}
	out = arena_strdup(a, buf_cstr(&b));
	buf_free(&b);
	return out;
}

/* The next character of s: its bytes, and its columns. */
static size_t
next_char(const char *s, mbstate_t *state, size_t *out_columns)
{
	wchar_t wc;
	size_t n = mbrtowc(&wc, s, strlen(s), state);
	int w;

	if (n == 0 || n == (size_t)-1 || n == (size_t)-2) {
		*state = (mbstate_t){ 0 };
		*out_columns = 1;
		return 1;
	}
	w = wcwidth(wc);
	*out_columns = w < 0 ? 0 : (size_t)w;
	return n;
}

size_t
text_columns(const char *s)
{
	mbstate_t state = { 0 };
	size_t total = 0, w;

	while (*s) {
		s += next_char(s, &state, &w);
		total += w;
	}
	return total;
}

size_t
text_fit(const char *s, size_t max)
{
	mbstate_t state = { 0 };
	size_t at = 0, total = 0;

	while (s[at]) {
		size_t w;
		size_t n = next_char(s + at, &state, &w);

		if (total + w > max)
			break;
		total += w;
		at += n;
	}
	return at;
}

int
text_width(FILE *f)
{
	struct winsize ws;

	if (isatty(fileno(f)) && ioctl(fileno(f), TIOCGWINSZ, &ws) == 0 &&
	    ws.ws_col > 0)
		return ws.ws_col;
	return 80;
}

bool
text_coloured(FILE *f)
{
	const char *no = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (no && *no)
		return false;
	return isatty(fileno(f)) && term && *term && strcmp(term, "dumb") != 0;
}

size_t
text_distance(const char *a, const char *b)
{
	size_t n = strlen(b);
	size_t *row = mem_calloc(n + 1, sizeof(*row));
	size_t d;

	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t diag = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < n; j++) {
			size_t up = row[j + 1];
			size_t best = diag + (a[i] != b[j]);

			if (up + 1 < best)
				best = up + 1;
			if (row[j] + 1 < best)
				best = row[j] + 1;
			row[j + 1] = best;
			diag = up;
		}
	}
	d = row[n];
	mem_free(row);
	return d;
}
