/*
 * The interface over a recording that never was: tui_demo small|big|diverged
 * [POSITION]. For trying the terminal side by hand and from tests.
 */
#include "tests/unit/tui_fake.h"

#include <stdio.h>
#include <string.h>

#include "tui/tui.h"

int
main(int argc, char **argv)
{
	struct err err = { 0 };
	struct fake f;
	struct tui_opts o = {
		.query = &fake_query,
		.nav_data = &f,
		.ask_data = &f,
		.replay = &fake_replay,
		.replay_data = &f,
		.at = argc > 2 ? argv[2] : NULL,
	};
	int rc;

	if (argc > 1 && !strcmp(argv[1], "big"))
		fake_big(&f);
	else
		fake_small(&f);
	if (argc > 1 && !strcmp(argv[1], "diverged"))
		f.diverges = 30;
	rc = tui_run(&o, &err);
	if (rc < 0)
		fprintf(stderr, "tui_demo: %s\n%s%s%s", err.text,
			err.hint[0] ? "  " : "", err.hint,
			err.hint[0] ? "\n" : "");
	fake_release(&f);
	return rc < 0 ? 125 : 0;
}
