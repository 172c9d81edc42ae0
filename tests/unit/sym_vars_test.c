/* The test looks at its own variables. */
#include "sym/vars.h"

#include "base/mem.h"
#include "tests/unit/sym_self.h"

#include <criterion/criterion.h>
#include <string.h>

enum colour { RED, GREEN = 7 };

struct node {
	int value;
	unsigned low : 3;
	int high : 5;
	enum colour colour;
	union {
		float f;
		uint32_t raw;
	};
	struct node *next;
	const char *name;
	int (*work)(int);
	int grid[2][3];
	bool yes;
};

static int
twice(int x)
{
	return 2 * x;
}

static int vars_global = 4242;
static __thread int vars_thread = 17;
static struct node chain[2] = { { .value = 1, .next = &chain[1] },
				{ .value = 2, .name = "two" } };

/* What was seen of a function's variables while it ran. */
struct seen {
	struct symbols *s;
	struct arena *a;
	const char *const *open;
	size_t n_open;
	struct sym_frame *frames;
	struct sym_var *v;
	size_t n;
};

static void
note(struct seen *seen, const struct regs *r)
{
	size_t n;

	cr_assert_eq(symbols_backtrace(seen->s, r, 8, seen->a, &seen->frames,
				       &n, NULL),
		     0);
	cr_assert_gt(n, 0);
	cr_assert_eq(symbols_vars(seen->s, &seen->frames[0], seen->open,
				  seen->n_open, seen->a, &seen->v, &seen->n,
				  NULL),
		     0);
}

/* Variables in memory whatever the optimisation, and all registers. */
#define HERE(r)                                                                \
	__asm__ volatile("mov %%rsp, %0; mov %%rbp, %1; mov %%rbx, %2;"        \
			 "mov %%r12, %3; mov %%r13, %4; mov %%r14, %5;"        \
			 "mov %%r15, %6; lea (%%rip), %7"                      \
			 : "=m"((r)->rsp), "=m"((r)->rbp), "=m"((r)->rbx),     \
			   "=m"((r)->r12), "=m"((r)->r13), "=m"((r)->r14),     \
			   "=m"((r)->r15), "=r"((r)->rip)                      \
			 :                                                     \
			 : "memory")
#define KEEP(v) __asm__ volatile("" : : "r"(&(v)) : "memory")

__attribute__((noinline, no_sanitize_address)) int
with_variables(struct seen *seen, int argument);

int
with_variables(struct seen *seen, int argument)
{
	struct node last = { .value = -5, .name = "tail\n", .yes = true };
	struct node first = { .value = 3,
			      .low = 5,
			      .high = -2,
			      .colour = GREEN,
			      .f = 1.5f,
			      .next = &last,
			      .work = twice,
			      .grid = { { 1, 2, 3 }, { 4, 5, 6 } } };
	struct node *list = &first;
	volatile double ratio = 0.25;
	char text[8] = "abc";
	int parameter = argument;
	struct regs r = { 0 };

	KEEP(last);
	KEEP(first);
	KEEP(list);
	KEEP(ratio);
	KEEP(text);
	KEEP(parameter);
	vars_thread++;
	vars_global++;
	HERE(&r);
	note(seen, &r);
	KEEP(last);
	KEEP(first);
	KEEP(list);
	KEEP(ratio);
	KEEP(text);
	KEEP(parameter);
	return first.value + last.value + list->value + parameter;
}

static const struct sym_var *
find(const struct seen *seen, const char *path)
{
	for (size_t i = 0; i < seen->n; i++)
		if (!strcmp(seen->v[i].path, path))
			return &seen->v[i];
	return NULL;
}

static void
expect(const struct seen *seen, const char *path, const char *type,
       const char *value)
{
	const struct sym_var *v = find(seen, path);

	cr_assert(v, "%s is not there", path);
	if (type)
		cr_expect_str_eq(v->type, type, "%s: type %s, not %s", path,
				 v->type, type);
	cr_expect(strstr(v->value, value), "%s: value %s, not %s", path,
		  v->value, value);
}

Test(sym_vars, tells_names_types_and_values)
{
	static const char *const open[] = { "first", "first.next", "first.grid",
					    "first.grid[1]", "list" };
	struct arena a = { 0 };
	struct seen seen = { .s = symbols_of_self(&a),
			     .a = &a,
			     .open = open,
			     .n_open = ARRAY_LEN(open) };

	with_variables(&seen, 99);
	expect(&seen, "parameter", "int", "99");
	expect(&seen, "ratio", "volatile double", "0.25");
	expect(&seen, "text", "char [8]", "\"abc\"");
	expect(&seen, "list", "struct node *", "0x7");
	expect(&seen, "list->value", "int", "3");
	expect(&seen, "first", "struct node", "value = 3");
	expect(&seen, "first.low", "unsigned int", "5");
	expect(&seen, "first.high", "int", "-2");
	expect(&seen, "first.colour", "enum colour", "GREEN (7)");
	expect(&seen, "first.f", "float", "1.5");
	expect(&seen, "first.raw", NULL, "1069547520");
	expect(&seen, "first.next->value", "int", "-5");
	expect(&seen, "first.next->name", "const char *", "\"tail\\n\"");
	expect(&seen, "first.next->yes", NULL, "true");
	expect(&seen, "first.work", "int (*)(int)", "<twice>");
	expect(&seen, "first.grid", "int [2][3]", "{{1, 2, 3}, {4, 5, 6}}");
	expect(&seen, "first.grid[1]", "int [3]", "{4, 5, 6}");
	expect(&seen, "first.grid[1][2]", "int", "6");
	cr_assert_eq(find(&seen, "first.grid[1][2]")->depth, 3);
	cr_assert_eq(find(&seen, "first.value")->size, sizeof(int));
	cr_assert(!find(&seen, "list->next->value"), "it is not open");
	symbols_free(seen.s);
	arena_free(&a);
}

Test(sym_vars, globals_open_like_a_struct)
{
	static const char *const open[] = { "globals" };
	struct arena a = { 0 };
	struct seen seen = { .s = symbols_of_self(&a), .a = &a };
	const struct sym_var *v;

	with_variables(&seen, 1);
	v = find(&seen, "globals");
	cr_assert(v && v->parts && !v->open);
	cr_assert(!find(&seen, "vars_global"));
	seen.open = open;
	seen.n_open = 1;
	with_variables(&seen, 1);
	expect(&seen, "vars_global", "int", "4244");
	cr_assert_eq(find(&seen, "vars_global")->addr,
		     (uint64_t)(uintptr_t)&vars_global);
	symbols_free(seen.s);
	arena_free(&a);
}

static int
value_of(struct seen *seen, const char *expr, struct sym_var *out,
	 struct err *err)
{
	return symbols_var(seen->s, &seen->frames[0], expr, seen->a, out, err);
}

Test(sym_vars, expressions_find_parts)
{
	struct arena a = { 0 };
	struct seen seen = { .s = symbols_of_self(&a), .a = &a };
	struct err err = { 0 };
	struct sym_var v;

	KEEP(chain);
	with_variables(&seen, 1);
	cr_assert_eq(symbols_var(seen.s, NULL, "vars_global", &a, &v, NULL), 0);
	cr_assert_eq(v.addr, (uint64_t)(uintptr_t)&vars_global);
	cr_assert_eq(v.size, sizeof(int));
	/* the frame has ended: its variables' places are still told */
	cr_assert_eq(value_of(&seen, "first.grid[1][2]", &v, NULL), 0);
	cr_assert_eq(v.size, sizeof(int));
	cr_assert_eq(value_of(&seen, "(chain[0].next)->value", &v, NULL), 0);
	cr_assert_str_eq(v.value, "2");
	cr_assert_eq(v.addr, (uint64_t)(uintptr_t)&chain[1].value);
	cr_assert_eq(value_of(&seen, "*chain[0].next->name", &v, NULL), 0);
	cr_assert(strstr(v.value, "'t'"), "%s", v.value);
	cr_assert_eq(value_of(&seen, "chain->next[0].name[1]", &v, NULL), 0);
	cr_assert(strstr(v.value, "'w'"), "%s", v.value);
	cr_assert_eq(value_of(&seen, "vars_thread", &v, NULL), 0);
	cr_assert_eq(value_of(&seen, "first.nothing", &v, &err), -E_NOT_FOUND);
	cr_assert(strstr(err.text, "nothing"), "%s", err.text);
	cr_assert_eq(value_of(&seen, "no_such_variable", &v, &err),
		     -E_NOT_FOUND);
	cr_assert_eq(value_of(&seen, "first.", &v, &err), -E_NOT_FOUND);
	cr_assert_eq(value_of(&seen, "first)", &v, &err), -E_USAGE);
	cr_assert_eq(value_of(&seen, "first[", &v, &err), -E_USAGE);
	cr_assert_eq(value_of(&seen, "", &v, &err), -E_USAGE);
	symbols_free(seen.s);
	arena_free(&a);
}

Test(sym_vars, frames_without_debug_information_are_empty)
{
	struct arena a = { 0 };
	struct seen seen = { .s = symbols_of_self(&a), .a = &a };
	struct sym_frame f = { .pc = 0x10, .at = 0x10 };

	cr_assert_eq(
		symbols_vars(seen.s, &f, NULL, 0, &a, &seen.v, &seen.n, NULL),
		0);
	cr_assert_eq(seen.n, 0);
	symbols_free(seen.s);
	arena_free(&a);
}
