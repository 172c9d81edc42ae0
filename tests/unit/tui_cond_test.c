#include "tui/cond.h"

#include <criterion/criterion.h>
#include <string.h>

/* a is 5, b is -1, p->n[1] is 7; nothing else is known. */
static bool
value(void *ctx, const char *name, int64_t *out)
{
	static const struct {
		const char *name;
		int64_t value;
	} known[] = {
		{ "a", 5 }, { "b", -1 }, { "p->n[1]", 7 }, { "q[a == 5]", 1 }
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (strcmp(known[i].name, name) == 0) {
			*out = known[i].value;
			return true;
		}
	}
	return false;
}

static const struct cond_env env = { .value = value };

Test(tui_cond, comparisons)
{
	cr_assert(cond_holds(&env, "a == 5"));
	cr_assert(cond_holds(&env, " a==5 "));
	cr_assert_not(cond_holds(&env, "a != 5"));
	cr_assert(cond_holds(&env, "a >= 5"));
	cr_assert_not(cond_holds(&env, "a > 5"));
	cr_assert(cond_holds(&env, "b < 0"));
	cr_assert(cond_holds(&env, "b <= -1"));
	cr_assert(cond_holds(&env, "-a == -5"));
	cr_assert(cond_holds(&env, "a == 0x5"));
	cr_assert(cond_holds(&env, "p->n[1] > a"));
	cr_assert(cond_holds(&env, "a"));
	cr_assert_not(cond_holds(&env, "0"));
	cr_assert(cond_holds(&env, "18446744073709551615 == b"));
}

Test(tui_cond, put_together)
{
	cr_assert(cond_holds(&env, "a == 5 && b == -1"));
	cr_assert_not(cond_holds(&env, "a == 5 && b == 1"));
	cr_assert(cond_holds(&env, "a == 4 || b == -1"));
	cr_assert_not(cond_holds(&env, "a == 4 || b == 1"));
	/* && binds closer. */
	cr_assert(cond_holds(&env, "a == 5 || a == 6 && a == 7"));
	cr_assert_not(cond_holds(&env, "(a == 5 || a == 6) && a == 7"));
	cr_assert(cond_holds(&env, "!(a == 6)"));
	cr_assert_not(cond_holds(&env, "!a"));
	cr_assert(cond_holds(&env, "!!a"));
	cr_assert(cond_holds(&env, "0 < a && a < 10 && b != 0"));
}

Test(tui_cond, what_cannot_be_told_is_true)
{
	cr_assert(cond_holds(&env, "nobody == 5"));
	cr_assert(cond_holds(&env, "nobody"));
	cr_assert(cond_holds(&env, "nobody == 5 && a == 5"));
	cr_assert_not(cond_holds(&env, "nobody == 5 && a == 6"));
}

Test(tui_cond, what_makes_no_sense_is_said)
{
	static const char *const bad[] = {
		"",	   "a ==",  "== 5",  "a == 5 &&", "(a == 5",
		"a == 5)", "a = 5", "a & 4", "||",	  "a == 5 b == 6 &&"
	};
	char deep[201];
	struct err err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		cr_assert_eq(cond_check(bad[i], &err), -E_USAGE, "%s", bad[i]);
		cr_assert_not_null(strstr(err.text, "condition"));
		cr_assert(cond_holds(&env, bad[i]), "%s", bad[i]);
	}
	cr_assert_eq(cond_check("a == 5 && !(b < p->n[1] || c)", &err), 0);
	memset(deep, '(', sizeof(deep) - 1);
	deep[200] = '\0';
	cr_assert_eq(cond_check(deep, &err), -E_USAGE);
}
