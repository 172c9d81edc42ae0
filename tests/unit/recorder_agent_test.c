#include <criterion/criterion.h>
#include <string.h>

#include "event/sys.h"
#include "recorder/special.h"

struct row {
	int nr;
	const char *name, *class;
	int path, out, bytes;
};

static const struct row rows[] = {
#define AGENT_ROW(nr, name, class, path, out, bytes)                           \
	{ nr, #name, #class, path, out, bytes },
#include "agent/calls.def"
#undef AGENT_ROW
};

#define NROWS (sizeof(rows) / sizeof(rows[0]))

Test(recorder_agent, a_call_that_the_agent_makes_is_an_ordinary_one)
{
	for (size_t i = 0; i < NROWS; i++) {
		const struct sys_desc *d = sys_desc(rows[i].nr);

		cr_assert_str_eq(d->name, rows[i].name);
		cr_assert_eq(d->decision, SYS_RUN, "%s", d->name);
		cr_assert_eq(d->replay, SYS_DATA, "%s", d->name);
		cr_assert_null(special_find(rows[i].nr)->enter, "%s", d->name);
	}
}

Test(recorder_agent, what_it_writes_down_is_what_the_table_says_is_written)
{
	for (size_t i = 0; i < NROWS; i++) {
		const struct sys_desc *d = sys_desc(rows[i].nr);

		for (int k = 0; k < d->nargs; k++) {
			const struct sys_arg *a = &d->args[k];

			/* structures that commands of fcntl have trap */
			if (!(a->dir & DIR_OUT) || a->len_from == LEN_CUSTOM)
				continue;
			if (strcmp(rows[i].class, "TWO") == 0 && k == 1) {
				cr_assert_eq(a->len_k, 8, "%s", d->name);
				continue;
			}
			cr_assert_eq(rows[i].out, k + 1, "%s", d->name);
			if (rows[i].bytes != 0) {
				cr_assert_eq(a->len_from, LEN_CONST, "%s",
					     d->name);
				cr_assert_eq(a->len_k, rows[i].bytes, "%s",
					     d->name);
			} else {
				cr_assert_eq(a->len_from, LEN_RET, "%s",
					     d->name);
				cr_assert_eq(a->len_k, 1, "%s", d->name);
				/* its size is the argument behind it */
				cr_assert_eq(a->len_arg, k + 1, "%s", d->name);
			}
		}
	}
}

Test(recorder_agent, it_keeps_the_paths)
{
	for (size_t i = 0; i < NROWS; i++) {
		const struct sys_desc *d = sys_desc(rows[i].nr);

		for (int k = 0; k < d->nargs; k++)
			if (d->args[k].type == ARG_PATH)
				cr_assert_eq(rows[i].path, k + 1, "%s",
					     d->name);
	}
}
