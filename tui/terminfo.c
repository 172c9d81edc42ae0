#define NCURSES_WIDECHAR 1
#include "tui/terminfo.h"

#include <curses.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <unistd.h>

#include "base/mem.h"

static const char *
capability(const char *name)
{
	const char *text = tigetstr(name);

	return text == (const char *)-1 ? NULL : text;
}

bool
terminfo_usable(void)
{
	const char *name = getenv("TERM");
	int found = 0;

	return name && *name && setupterm(NULL, STDOUT_FILENO, &found) == OK &&
	       capability("cup");
}

void
terminfo_reset(char *out, size_t size, size_t *len)
{
	static const char *const names[] = { "sgr0", "cnorm", "rmkx", "rmcup" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *text = capability(names[i]);
		size_t n = text ? strlen(text) : 0;

		if (*len + n > size)
			continue;
		memcpy(out + *len, text ? text : "", n);
		*len += n;
	}
}
