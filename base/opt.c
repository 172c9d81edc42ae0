#include "base/opt.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define NAME_MAX_LEN 32
#define HELP_COLUMN_MAX 30

/* Where parsing stands; shown[] names the option in messages. */
struct parse {
	const struct opt *opts;
	int argc;
	char **argv;
	int at;
	char shown[NAME_MAX_LEN + 3];
	struct err *err;
};

static bool
takes_word(const struct opt *o)
{
	return o->kind == OPT_STR || o->kind == OPT_STRS || o->kind == OPT_U64;
}

static int
suffix_shift(const char *s)
{
	static const char units[] = "kMG";
	const char *u;

	if (*s == '\0')
		return 0;
	u = strchr(units, *s == 'K' ? 'k' : *s);
	return u && s[1] == '\0' ? 10 * (int)(u - units + 1) : -1;
}

static int
parse_u64(const struct parse *p, const char *s, uint64_t *out_value)
{
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
	const char *digits = hex ? s + 2 : s;
	unsigned long long v;
	int shift;
	char *end;

	errno = 0;
	v = strtoull(digits, &end, hex ? 16 : 10);
	shift = suffix_shift(end);
	if (!(hex ? isxdigit((unsigned char)*digits)
		  : isdigit((unsigned char)*digits)) ||
	    shift < 0)
		return err_set(p->err, E_USAGE, "%s: '%s' is not a number",
			       p->shown, s);
	if (errno == ERANGE || v > UINT64_MAX >> shift)
		return err_set(p->err, E_USAGE, "%s: %s is too large", p->shown,
			       s);
	*out_value = (uint64_t)v << shift;
	return 0;
}

static void
strs_add(struct opt_strs *s, const char *word)
{
	s->v = mem_realloc(s->v, (s->len + 1) * sizeof(*s->v));
	s->v[s->len++] = word;
}

/* arg is NULL when there is none. */
static int
store(const struct parse *p, const struct opt *o, const char *arg)
{
	switch (o->kind) {
	case OPT_FLAG:
		*(bool *)o->value = true;
		return 0;
	case OPT_COUNT:
		++*(int *)o->value;
		return 0;
	case OPT_STR:
		*(const char **)o->value = arg;
		return 0;
	case OPT_STRS:
		strs_add(o->value, arg);
		return 0;
	case OPT_U64:
		return parse_u64(p, arg, o->value);
	case OPT_OPT_STR:
		*(const char **)o->value = arg ? arg : "";
		return 0;
	}
	die("option %s has no kind", o->name);
}

/* The word after the one at p->at, for an option that wants it. */
static int
next_word(struct parse *p, const struct opt *o, const char **out_arg)
{
	if (p->at + 1 >= p->argc)
		return err_set(p->err, E_USAGE, "%s needs %s", p->shown,
			       o->arg ? o->arg : "an argument");
	*out_arg = p->argv[++p->at];
	return 0;
}

static size_t
min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Levenshtein distance between the first len bytes of word and name. */
static size_t
distance(const char *word, size_t len, const char *name)
{
	size_t row[NAME_MAX_LEN + 1];
	size_t n = strlen(name);
	size_t diag, up;

	if (n > NAME_MAX_LEN)
		return SIZE_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 0; i < len; i++) {
		diag = row[0];
		row[0] = i + 1;
		for (size_t j = 0; j < n; j++) {
			up = row[j + 1];
			row[j + 1] = min3(up + 1, row[j] + 1,
					  diag + (word[i] != name[j]));
			diag = up;
		}
	}
	return row[n];
}

static void
unknown_long(struct parse *p, const char *word, size_t len)
{
	const struct opt *best = NULL;
	size_t best_d = 1 + len / 3;

	err_set(p->err, E_USAGE, "unknown option '--%.*s'", (int)len, word);
	for (const struct opt *o = p->opts; o->name; o++) {
		size_t d = distance(word, len, o->name);

		if (d <= best_d && (!best || d < best_d)) {
			best = o;
			best_d = d;
		}
	}
	if (best)
		err_hint(p->err, "did you mean --%s?", best->name);
}

/* NULL with the error set when none or several begin so. */
static const struct opt *
find_long(struct parse *p, const char *word, size_t len)
{
	const struct opt *found = NULL;
	const struct opt *second = NULL;

	for (const struct opt *o = p->opts; o->name; o++) {
		if (strncmp(o->name, word, len) != 0)
			continue;
		if (o->name[len] == '\0')
			return o;
		if (!found)
			found = o;
		else
			second = o;
	}
	if (len == 0 || !found) {
		unknown_long(p, word, len);
		return NULL;
	}
	if (second) {
		err_set(p->err, E_USAGE, "'--%.*s' may be --%s or --%s",
			(int)len, word, found->name, second->name);
		return NULL;
	}
	return found;
}

/* word: what follows the two dashes. */
static int
parse_long(struct parse *p, const char *word)
{
	size_t len = strcspn(word, "=");
	const char *arg = word[len] == '=' ? word + len + 1 : NULL;
	const struct opt *o = find_long(p, word, len);
	int ret;

	if (!o)
		return -E_USAGE;
	snprintf(p->shown, sizeof(p->shown), "--%s", o->name);
	if (arg && (o->kind == OPT_FLAG || o->kind == OPT_COUNT))
		return err_set(p->err, E_USAGE, "%s takes no argument",
			       p->shown);
	if (!arg && takes_word(o)) {
		ret = next_word(p, o, &arg);
		if (ret < 0)
			return ret;
	}
	return store(p, o, arg);
}

static const struct opt *
find_letter(const struct opt *opts, char letter)
{
	for (; opts->name; opts++) {
		if (opts->letter == letter)
			return opts;
	}
	return NULL;
}

/* letters: what follows the dash; the last one may have an argument. */
static int
parse_letters(struct parse *p, const char *letters)
{
	int ret = 0;

	for (; *letters && ret == 0; letters++) {
		const struct opt *o = find_letter(p->opts, *letters);
		const char *arg = letters[1] ? letters + 1 : NULL;

		if (!o)
			return err_set(p->err, E_USAGE, "unknown option '-%c'",
				       *letters);
		if (o->kind == OPT_FLAG || o->kind == OPT_COUNT) {
			store(p, o, NULL);
			continue;
		}
		snprintf(p->shown, sizeof(p->shown), "-%c", o->letter);
		if (!arg && takes_word(o)) {
			ret = next_word(p, o, &arg);
			if (ret < 0)
				return ret;
		}
		return store(p, o, arg);
	}
	return ret;
}

int
opt_parse(const struct opt *opts, int argc, char **argv, bool stop_at_operand,
	  int *out_argc, struct err *err)
{
	struct parse p = {
		.opts = opts, .argc = argc, .argv = argv, .err = err
	};
	bool only_operands = false;
	int n = 0;
	int ret;

	for (p.at = 1; p.at < argc; p.at++) {
		char *word = argv[p.at];

		if (only_operands || word[0] != '-' || word[1] == '\0') {
			argv[n++] = word;
			only_operands |= stop_at_operand;
			continue;
		}
		if (strcmp(word, "--") == 0) {
			only_operands = true;
			continue;
		}
		ret = word[1] == '-' ? parse_long(&p, word + 2)
				     : parse_letters(&p, word + 1);
		if (ret < 0)
			return ret;
	}
	argv[n] = NULL;
	*out_argc = n;
	return 0;
}

/* "  -n, --name=N" into s; the length. */
static size_t
left_column(const struct opt *o, char *s, size_t size)
{
	const char *arg = o->arg ? o->arg : "ARG";
	char letter[] = "   ";

	if (o->letter) {
		letter[0] = '-';
		letter[1] = o->letter;
		letter[2] = ',';
	}
	if (o->kind == OPT_FLAG || o->kind == OPT_COUNT)
		snprintf(s, size, "  %s --%s", letter, o->name);
	else if (o->kind == OPT_OPT_STR)
		snprintf(s, size, "  %s --%s[=%s]", letter, o->name, arg);
	else
		snprintf(s, size, "  %s --%s=%s", letter, o->name, arg);
	return strlen(s);
}

/* Words of text from column on, wrapped to width. */
static void
wrap(FILE *out, const char *text, size_t column, size_t width)
{
	size_t at = column;

	while (*text) {
		size_t len = strcspn(text, " ");

		if (at > column && at + 1 + len > width) {
			fprintf(out, "\n%*s", (int)column, "");
			at = column;
		} else if (at > column) {
			putc(' ', out);
			at++;
		}
		fwrite(text, 1, len, out);
		at += len;
		text += len;
		text += strspn(text, " ");
	}
	putc('\n', out);
}

void
opt_help(const struct opt *opts, FILE *out, int width)
{
	size_t column = 0;
	char left[128];

	for (const struct opt *o = opts; o->name; o++) {
		size_t len = left_column(o, left, sizeof(left)) + 2;

		if (len <= HELP_COLUMN_MAX && len > column)
			column = len;
	}
	for (const struct opt *o = opts; o->name; o++) {
		size_t len = left_column(o, left, sizeof(left));

		fputs(left, out);
		if (len + 2 > column)
			fprintf(out, "\n%*s", (int)column, "");
		else
			fprintf(out, "%*s", (int)(column - len), "");
		wrap(out, o->help, column, width > 0 ? (size_t)width : 80);
	}
}

void
opt_strs_free(struct opt_strs *s)
{
	mem_free(s->v);
	*s = (struct opt_strs){ 0 };
}
