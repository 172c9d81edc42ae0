#include "tui/cond.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define DEPTH_MAX 50u

struct parser {
	const struct cond_env *env;
	const char *p;
	const char *bad; /* NULL, or what makes no sense from p on */
	unsigned depth;
};

static bool either(struct parser *c);

static void
blanks(struct parser *c)
{
	while (isspace((uint8_t)*c->p))
		c->p++;
}

static bool
word(struct parser *c, const char *text)
{
	size_t n = strlen(text);

	blanks(c);
	if (strncmp(c->p, text, n) != 0)
		return false;
	c->p += n;
	return true;
}

static void
fail(struct parser *c, const char *what)
{
	if (!c->bad)
		c->bad = what;
}

/* How long a name or number is: up to an operator, but for that of p->x and
 * what stands in brackets. */
static size_t
operand_len(const char *p)
{
	unsigned open = 0;
	size_t n = 0;

	for (; p[n]; n++) {
		if (p[n] == '[')
			open++;
		else if (p[n] == ']' && open)
			open--;
		else if (open)
			continue;
		else if (p[n] == '-' && p[n + 1] == '>')
			n++;
		else if (strchr("=!<>&|()", p[n]))
			break;
	}
	while (n && isspace((uint8_t)p[n - 1]))
		n--;
	return n;
}

/* False: it cannot be told. */
static bool
operand(struct parser *c, int64_t *out)
{
	bool negative = word(c, "-"), known;
	char *name, *end;
	size_t n;

	blanks(c);
	n = operand_len(c->p);
	if (n == 0) {
		fail(c, "a variable or a number is missing");
		return false;
	}
	name = mem_printf("%.*s", (int)n, c->p);
	c->p += n;
	*out = (int64_t)strtoull(name, &end, 0);
	known = end > name && *end == '\0';
	if (!known)
		known = c->env && c->env->value(c->env->ctx, name, out);
	if (negative)
		*out = (int64_t) - (uint64_t)*out;
	mem_free(name);
	return known;
}

static bool
compare(struct parser *c)
{
	static const char *const ops[] = { "==", "!=", "<=", ">=", "<", ">" };
	int64_t a = 0, b = 0;
	bool known = operand(c, &a);
	size_t op;

	for (op = 0; op < ARRAY_LEN(ops) && !word(c, ops[op]); op++)
		;
	if (op == ARRAY_LEN(ops)) {
		blanks(c);
		if (*c->p == '=')
			fail(c, "a comparison is ==");
		return !known || a != 0;
	}
	if (!operand(c, &b) || !known)
		return true;
	switch (op) {
	case 0:
		return a == b;
	case 1:
		return a != b;
	case 2:
		return a <= b;
	case 3:
		return a >= b;
	case 4:
		return a < b;
	}
	return a > b;
}

static bool
single(struct parser *c)
{
	bool yes;

	if (++c->depth > DEPTH_MAX) {
		fail(c, "this is too deep");
		return true;
	}
	blanks(c);
	if (c->p[0] == '!' && c->p[1] != '=') {
		c->p++;
		yes = !single(c);
	} else if (word(c, "(")) {
		yes = either(c);
		if (!word(c, ")"))
			fail(c, "a ) is missing");
	} else {
		yes = compare(c);
	}
	c->depth--;
	return yes;
}

static bool
both(struct parser *c)
{
	bool yes = single(c);

	while (!c->bad && word(c, "&&"))
		yes &= single(c);
	return yes;
}

static bool
either(struct parser *c)
{
	bool yes = both(c);

	while (!c->bad && word(c, "||"))
		yes |= both(c);
	return yes;
}

static bool
whole(struct parser *c)
{
	bool yes = either(c);

	blanks(c);
	if (*c->p)
		fail(c, "nothing more is expected");
	return yes;
}

bool
cond_holds(const struct cond_env *env, const char *text)
{
	struct parser c = { .env = env, .p = text };
	bool yes = whole(&c);

	return c.bad || yes;
}

int
cond_check(const char *text, struct err *err)
{
	struct parser c = { .p = text };

	whole(&c);
	return c.bad ? err_set(err, E_USAGE, "condition \"%s\": %s at \"%s\"",
			       text, c.bad, c.p)
		     : 0;
}
