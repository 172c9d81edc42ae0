/* The keys, from the table that dispatches them, as they are bound now. */
#include <stdio.h>
#include <string.h>

#include "tui/ui.h"

static void
add_group(struct view *v, enum request_group g)
{
	lines_add(&v->lines, STYLE_TITLE, request_group_title(g));
	for (int r = REQ_NONE + 1; r < REQ_COUNT; r++) {
		const struct request_desc *d = request_desc((enum request)r);
		char keys[64];

		if (d->group != g)
			continue;
		keymap_keys_of(&v->ui->keys, (enum request)r, keys,
			       sizeof(keys));
		lines_addf(&v->lines, STYLE_NORMAL, "  %-14s %-16s %s", keys,
			   d->name, d->help);
	}
	lines_add(&v->lines, STYLE_NORMAL, "");
}

static void
help_update(struct view *v, unsigned dirty)
{
	static const char *const more[] = {
		"  A number before a key repeats it: 10l, 37%, 1234e.",
		"",
		"Positions, here and in every command",
		"  e1234    just after event 1234        start, end",
		"  37%      of the events                12.5s   into it",
		"  @name    a bookmark",
		"",
		"Filters and searches: words that must all fit",
		"  task:3  pid:4711  call:openat  kind:signal  fd:5  "
		"path:/etc",
		"  error:ENOENT  group:file  text:word  or an SQL condition",
		"",
		"Command line: a position, a name of the second column above,"
		" or",
		"  memory ADDRESS   register, symbol or number, with + or -; a "
		"variable: list->next[2]",
		"  filter WORDS     search WORDS     sql QUERY     "
		"mark NAME     delete NAME",
		"  watch VARIABLE   print VARIABLE     Tab completes names of "
		"the program",
		"  break PLACE [if CONDITION]   a function, FILE:LINE, LINE or "
		"0xADDRESS; n == 5",
	};

	(void)dirty;
	if (v->lines.v.len)
		return;
	v->lines.no_gutter = true;
	for (int g = 0; g < GROUP_COUNT; g++)
		add_group(v, (enum request_group)g);
	for (size_t i = 0; i < ARRAY_LEN(more); i++)
		lines_add(&v->lines, STYLE_NORMAL, more[i]);
}

const struct view_ops help_ops = {
	.title = "Help",
	.slot = SLOT_FULL,
	.size = sizeof(struct view),
	.update = help_update,
};
