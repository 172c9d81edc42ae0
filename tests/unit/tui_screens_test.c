/*
 * Screens as text: tests/golden/tui-NAME.keys is typed, what it prints must
 * be tests/golden/tui-NAME.out. "make golden-screens" writes those anew; the
 * difference is for a person to read. A script with "# every size" is typed
 * three times: at 80x24, at 120x40, and with a resize before each screen.
 */
#include "tests/unit/tui_fake.h"

#include <criterion/criterion.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "tui/keys.h"
#include "tui/tui.h"
#include "tui/view.h"

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

static int
fake_gdb(void *ctx, const char *pos, struct err *err)
{
	return err_set(err, E_UNSUPPORTED, "no debugger for %s", pos);
}

/* One way through the script keys. */
static void
run_script(const char *keys, const char *script, FILE *out, FILE *log)
{
	struct buf text = { 0 };
	struct err err = { 0 };
	struct fake f, second;
	struct tui_opts o = {
		.query = &fake_query,
		.nav_data = &f,
		.ask_data = &f,
		.replay = &fake_replay,
		.replay_data = &f,
		.keys_file = "",
		.script = script,
		.script_out = out,
		.script_log = log,
		.gdb = fake_gdb,
	};
	struct tui_opts other = o;
	bool two;
	int rc;

	choose(keys, &f);
	fake_small(&second);
	cr_assert_eq(fd_read_file(keys, &text), 0);
	two = strstr(buf_cstr(&text), "# fake: two") != NULL;
	if (two) {
		second.name = "the-other";
		other.nav_data = other.ask_data = other.replay_data = &second;
		other.at = "e20";
		other.greeting = "here they part";
		o.other = &other;
	}
	rc = tui_run(&o, &err);
	cr_assert_eq(rc, 0, "%s", err.text);
	cr_assert_eq(f.closed, 3, "every worker closes its data");
	cr_assert(!two || second.closed == 3, "and those of the other");
	buf_free(&text);
	fake_release(&f);
	fake_release(&second);
}

/* keys once more, begun at first; resized before each screen. */
static void
run_at(const char *keys, const char *first, const char *resized, FILE *out,
       FILE *log)
{
	char path[] = "/tmp/tui_screens.XXXXXX";
	struct buf text = { 0 };
	const char *line, *next;
	bool flip = false;
	int fd = mkstemp(path);
	FILE *script = fdopen(fd, "we");

	cr_assert_not_null(script);
	cr_assert_eq(fd_read_file(keys, &text), 0);
	fprintf(script, "size %s\n", first);
	for (line = buf_cstr(&text); *line; line = next) {
		next = line + strcspn(line, "\n");
		next += *next == '\n';
		if (resized && !strncmp(line, "screen ", 7)) {
			flip = !flip;
			fprintf(script, "size %s\n", flip ? resized : first);
		}
		fwrite(line, 1, (size_t)(next - line), script);
	}
	fclose(script);
	run_script(keys, path, out, log);
	unlink(path);
	buf_free(&text);
}

static void
run_all(const char *keys, FILE *out, FILE *log)
{
	struct buf text = { 0 };

	cr_assert_eq(fd_read_file(keys, &text), 0, "no %s", keys);
	if (strstr(buf_cstr(&text), "# every size")) {
		run_at(keys, "80x24", NULL, out, log);
		run_at(keys, "120x40", NULL, out, log);
		run_at(keys, "80x24", "120x40", out, log);
	} else {
		run_script(keys, keys, out, log);
	}
	buf_free(&text);
}

static void
check(const char *name)
{
	char *keys = golden(name, "keys"), *path = golden(name, "out");
	struct buf want = { 0 };
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	run_all(keys, out, NULL);
	fclose(out);
	if (getenv("PASTIME_GOLDEN_WRITE")) {
		write_golden(path, text, len);
	} else {
		cr_assert_eq(fd_read_file(path, &want), 0, "no %s", path);
		compare(name, buf_cstr(&want), text);
	}
	free(text);
	buf_free(&want);
	mem_free(keys);
	mem_free(path);
}

/* Every key of the table is pressed by a script, while no prompt is open. */
static void
check_keys(const char *log)
{
	struct keymap m;

	keymap_init(&m);
	for (size_t i = 0; i < m.len; i++) {
		char key[KEY_NAME_MAX];
		char *line =
			mem_printf("\nkey %s %s\n", keys_name(m.v[i].key, key),
				   request_desc(m.v[i].req)->name);

		cr_expect(strstr(log, line), "no script presses %s", key);
		mem_free(line);
	}
	keymap_release(&m);
}

/* Every view is on a screen of each size. */
static void
check_views(const char *log)
{
	static const struct view_ops *const all[] = {
		&lanes_ops, &events_ops, &detail_ops, &source_ops, &code_ops,
		&stack_ops, &vars_ops,	 &regs_ops,   &memory_ops, &fds_ops,
		&maps_ops,  &output_ops, &sql_ops,    &marks_ops,  &breaks_ops,
		&tree_ops,  &tasks_ops,	 &help_ops,
	};
	static const char *const sizes[] = { "80x24", "120x40" };

	cr_assert_eq(ARRAY_LEN(all), VIEW_COUNT);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
			char *line = mem_printf("\nview %s %s\n", sizes[k],
						all[i]->title);

			cr_expect(strstr(log, line), "%s is on no %s screen",
				  all[i]->title, sizes[k]);
			mem_free(line);
		}
}

/* PASTIME_KEY_TABLE=FILE: which script presses which key. */
static void
write_table(const char *name, const char *log)
{
	const char *path = getenv("PASTIME_KEY_TABLE");
	FILE *out = path ? fopen(path, "ae") : NULL;

	if (!out)
		return;
	for (const char *p = log; *p;) {
		size_t len = strcspn(p, "\n");

		if (!strncmp(p, "key ", 4))
			fprintf(out, "%.*s %s\n", (int)len - 4, p + 4,
				strrchr(name, '/') + 1);
		p += len + (p[len] == '\n');
	}
	fclose(out);
}

static void
check_coverage(void)
{
	char *pattern = golden("*", "keys"), *all = NULL;
	size_t len = 0;
	FILE *out = fopen("/dev/null", "we"), *log;
	glob_t g;

	log = open_memstream(&all, &len);
	fputs("\n", log);
	cr_assert_eq(glob(pattern, 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		long from;

		fflush(log);
		from = (long)len;
		run_all(g.gl_pathv[i], out, log);
		fflush(log);
		write_table(g.gl_pathv[i], all + from);
	}
	fclose(log);
	fclose(out);
	check_keys(all);
	check_views(all);
	globfree(&g);
	free(all);
	mem_free(pattern);
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
Test(tui_screens, two_recordings_and_a_key_between) { check("other"); }
Test(tui_screens, an_empty_recording_that_still_runs) { check("running"); }
Test(tui_screens, keys_that_move) { check("keys-move"); }
Test(tui_screens, keys_that_step) { check("keys-step"); }
Test(tui_screens, keys_of_panes) { check("keys-pane"); }
Test(tui_screens, keys_of_views) { check("keys-view"); }
Test(tui_screens, other_keys) { check("keys-other"); }
Test(tui_screens, a_script_presses_every_key, .timeout = 300) { check_coverage(); }
Test(tui_screens, tab_completes_names) { check("complete"); }
/* clang-format on */
