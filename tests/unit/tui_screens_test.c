/*
 * Screens as text: tests/golden/tui-NAME.keys is typed, what it prints must
 * be tests/golden/tui-NAME.out. "make golden" writes those anew; the difference
 * is for a person to read.
 */
#include "tests/unit/tui_fake.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "tui/tui.h"

static char *
golden(const char *name, const char *ext)
{
	const char *top = getenv("TOP_SRCDIR");

	return mem_printf("%s/tests/golden/tui-%s.%s", top ? top : ".", name,
			  ext);
}

/* The recording that a script's "# fake: NAME" wants. */
static void
choose(const char *keys, struct fake *f)
{
	struct buf text = { 0 };
	const char *script;

	cr_assert_eq(fd_read_file(keys, &text), 0, "no %s", keys);
	script = buf_cstr(&text);
	if (strstr(script, "# fake: big"))
		fake_big(f);
	else
		fake_small(f);
	if (strstr(script, "# fake: diverged"))
		f->diverges = 30;
	if (strstr(script, "# fake: noreplay"))
		f->diverges = 1;
	if (strstr(script, "# fake: empty")) {
		f->events = 0;
		f->state = "running";
	}
	buf_free(&text);
}

static void
write_golden(const char *path, const char *text, size_t len)
{
	FILE *out = fopen(path, "we");

	cr_assert_not_null(out, "cannot write %s", path);
	cr_assert_eq(fwrite(text, 1, len, out), len);
	cr_assert_eq(fclose(out), 0);
}

/* The first line that differs, with the name of its screen. */
static void
compare(const char *name, const char *want, const char *got)
{
	char screen[80] = "?";
	int line = 1;

	while (*want && *got) {
		size_t a = strcspn(want, "\n"), b = strcspn(got, "\n");

		if (a != b || memcmp(want, got, a) != 0)
			break;
		if (!strncmp(want, "--- ", 4))
			snprintf(screen, sizeof(screen), "%.*s", (int)a, want);
		want += a + (want[a] == '\n');
		got += b + (got[b] == '\n');
		line++;
	}
	if (!*want && !*got)
		return;
	cr_assert_fail("tui-%s.out:%d, in %s\nwant: %.*s\n got: %.*s", name,
		       line, screen, (int)strcspn(want, "\n"), want,
		       (int)strcspn(got, "\n"), got);
}

static void
check_screens(const char *name, bool two)
{
	char *keys = golden(name, "keys"), *path = golden(name, "out");
	struct buf want = { 0 };
	struct err err = { 0 };
	char *text = NULL;
	size_t len = 0;
	struct fake f, second;
	struct tui_opts o = {
		.query = &fake_query,
		.nav_data = &f,
		.ask_data = &f,
		.replay = &fake_replay,
		.replay_data = &f,
		.keys_file = "",
		.script = keys,
	};
	struct tui_opts other = o;
	int rc;

	choose(keys, &f);
	if (two) {
		fake_small(&second);
		second.name = "the-other";
		other.nav_data = other.ask_data = other.replay_data = &second;
		other.at = "e20";
		other.greeting = "here they part";
		o.other = &other;
	}
	o.script_out = open_memstream(&text, &len);
	rc = tui_run(&o, &err);
	fclose(o.script_out);
	cr_assert_eq(rc, 0, "%s", err.text);
	cr_assert_eq(f.closed, 3, "every worker closes its data");
	cr_assert(!two || second.closed == 3, "and those of the other");
	if (getenv("PASTIME_GOLDEN_WRITE")) {
		write_golden(path, text, len);
	} else {
		cr_assert_eq(fd_read_file(path, &want), 0, "no %s", path);
		compare(name, buf_cstr(&want), text);
	}
	free(text);
	buf_free(&want);
	fake_release(&f);
	mem_free(keys);
	mem_free(path);
}

static void
check(const char *name)
{
	check_screens(name, false);
}

/* clang-format off */
Test(tui_screens, the_first_screen_fits_every_size) { check("start"); }
Test(tui_screens, events_are_walked) { check("events"); }
Test(tui_screens, events_are_filtered) { check("filter"); }
Test(tui_screens, ten_million_events_are_as_ten, .timeout = 120) { check("big"); }
Test(tui_screens, a_moment_is_shown) { check("state"); }
Test(tui_screens, panes_close_open_and_grow) { check("panes"); }
Test(tui_screens, help_processes_and_tasks_cover_all) { check("full"); }
Test(tui_screens, output_sql_and_bookmarks) { check("output"); }
Test(tui_screens, the_prompt_edits_completes_and_complains) { check("prompt"); }
Test(tui_screens, jumps_are_remembered) { check("history"); }
Test(tui_screens, searching) { check("search"); }
Test(tui_screens, the_keys_do_not_wait_for_workers) { check("stale"); }
Test(tui_screens, a_divergence_leaves_the_rest_usable) { check("diverged"); }
Test(tui_screens, without_a_replay_the_rest_works) { check("noreplay"); }
Test(tui_screens, motion_through_the_program) { check("motion"); }
Test(tui_screens, stops_at_events) { check("catch"); }
Test(tui_screens, the_mouse) { check("mouse"); }
Test(tui_screens, lanes_zoom_and_choose) { check("lanes"); }
Test(tui_screens, two_recordings_and_a_key_between) { check_screens("other", true); }
Test(tui_screens, an_empty_recording_that_still_runs) { check("running"); }
/* clang-format on */
