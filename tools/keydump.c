/*
 * The keys of the terminal interface as a section of its manual page, from
 * the table that dispatches them.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "tui/keys.h"

/* A dash is no hyphen, a dot or quote at a line's start is no request. */
static void
put(const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p == '-')
			fputs("\\-", stdout);
		else if (*p == '\\')
			fputs("\\e", stdout);
		else if ((*p == '.' || *p == '\'') && p == text)
			printf("\\&%c", *p);
		else if (*p == '\'')
			fputs("\\(aq", stdout);
		else
			putchar(*p);
	}
}

static void
put_request(const struct keymap *m, enum request r)
{
	const struct request_desc *d = request_desc(r);
	char keys[128];

	printf(".TP\n.B ");
	/* Inside the quotes of a macro's argument. */
	putchar('"');
	put(keymap_keys_of(m, r, keys, sizeof(keys)));
	printf("\"\n%c", toupper(d->help[0]));
	put(d->help + 1);
	printf(" (\\fB");
	put(d->name);
	printf("\\fR).\n");
}

int
main(void)
{
	struct keymap m;

	keymap_init(&m);
	printf(".SH KEYS\n"
	       "A number before a key repeats it: \\fB10l\\fR, \\fB37%%\\fR.\n"
	       "The name in parentheses is the key\\(aqs in the keys file and "
	       "in the command line.\n");
	for (int g = 0; g < GROUP_COUNT; g++) {
		printf(".SS %s\n", request_group_title((enum request_group)g));
		for (int r = REQ_NONE + 1; r < REQ_COUNT; r++)
			if (request_desc((enum request)r)->group ==
			    (enum request_group)g)
				put_request(&m, (enum request)r);
	}
	keymap_release(&m);
	return 0;
}
