#include "tui/keys.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

Test(tui_keys, every_name_comes_back)
{
	static const char *const names[] = {
		"l",	 "$",	   "Left",  "PgDn",	"Home",	     "Delete",
		"Enter", "Tab",	   "Esc",   "Space",	"Shift-Tab", "F1",
		"F12",	 "Ctrl-C", "Alt-1", "Alt-Left", "Backspace",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char name[KEY_NAME_MAX];
		uint32_t key = keys_parse(names[i]);

		cr_assert_neq(key, 0, "%s", names[i]);
		cr_assert_str_eq(keys_name(key, name), names[i]);
	}
}

Test(tui_keys, unknown_names_are_no_keys)
{
	cr_assert_eq(keys_parse(""), 0);
	cr_assert_eq(keys_parse("ll"), 0);
	cr_assert_eq(keys_parse("F13"), 0);
	cr_assert_eq(keys_parse("F0"), 0);
	cr_assert_eq(keys_parse("Ctrl-1"), 0);
	cr_assert_eq(keys_parse("Ctrl-"), 0);
	cr_assert_eq(keys_parse("Alt-"), 0);
	cr_assert_eq(keys_parse("Alt-nothing"), 0);
}

Test(tui_keys, a_character_of_another_language_is_a_key)
{
	char name[KEY_NAME_MAX];

	setlocale(LC_CTYPE, "C.UTF-8");
	cr_assert_eq(keys_parse("ö"), 0xf6);
	cr_assert_str_eq(keys_name(0xf6, name), "ö");
}

Test(tui_keys, no_key_asks_for_two_things)
{
	struct keymap m;
	size_t words = 0;

	keymap_init(&m);
	for (int r = REQ_NONE + 1; r < REQ_COUNT; r++) {
		const char *p = request_desc((enum request)r)->keys;

		for (words++; *p; p++)
			words += *p == ' ';
	}
	/* keymap_bind replaces: a key named twice would be missing here. */
	cr_assert_eq(m.len, words);
	keymap_release(&m);
}

Test(tui_keys, every_request_has_a_name_of_its_own)
{
	for (int r = REQ_NONE + 1; r < REQ_COUNT; r++) {
		const struct request_desc *d = request_desc((enum request)r);

		cr_assert_eq(request_by_name(d->name), (enum request)r, "%s",
			     d->name);
		cr_assert_gt(strlen(d->help), 0);
		cr_assert_null(strchr(d->name, ' '));
	}
	cr_assert_eq(request_by_name("nonsense"), REQ_NONE);
}

static enum request
press(struct keymap *m, const char *keys, uint64_t *count)
{
	enum request r = REQ_NONE;
	bool known;

	for (; *keys; keys++)
		r = keymap_press(m, (uint32_t)*keys, count, &known);
	return r;
}

Test(tui_keys, digits_before_a_key_are_its_count)
{
	struct keymap m;
	uint64_t count;

	keymap_init(&m);
	cr_assert_eq(press(&m, "l", &count), REQ_NEXT_EVENT);
	cr_assert_eq(count, 0);
	cr_assert_eq(press(&m, "10l", &count), REQ_NEXT_EVENT);
	cr_assert_eq(count, 10);
	cr_assert_eq(press(&m, "l", &count), REQ_NEXT_EVENT);
	cr_assert_eq(count, 0, "a count is for one key");
	cr_assert_eq(press(&m, "0", &count), REQ_GO_START);
	cr_assert_eq(press(&m, "37%", &count), REQ_GO_PERCENT);
	cr_assert_eq(count, 37);
	keymap_release(&m);
}

Test(tui_keys, a_count_does_not_overflow)
{
	struct keymap m;
	uint64_t count;

	keymap_init(&m);
	press(&m, "99999999999999999999999999l", &count);
	cr_assert_gt(count, UINT64_MAX / 100);
	keymap_release(&m);
}

Test(tui_keys, esc_takes_back_a_count_and_does_no_more)
{
	struct keymap m;
	uint64_t count;
	bool known;

	keymap_init(&m);
	press(&m, "12", &count);
	cr_assert_eq(keymap_press(&m, KEYS_ESC, &count, &known), REQ_NONE);
	cr_assert(known);
	cr_assert_eq(press(&m, "l", &count), REQ_NEXT_EVENT);
	cr_assert_eq(count, 0);
	cr_assert_eq(keymap_press(&m, KEYS_ESC, &count, &known), REQ_CANCEL);
	keymap_release(&m);
}

Test(tui_keys, an_unbound_key_is_told_apart_from_a_digit)
{
	struct keymap m;
	uint64_t count;
	bool known;

	keymap_init(&m);
	keymap_press(&m, '4', &count, &known);
	cr_assert(known);
	cr_assert_eq(keymap_press(&m, 'z', &count, &known), REQ_NONE);
	cr_assert_not(known);
	keymap_release(&m);
}

static char *
file_with(const char *text)
{
	char *path = mem_strdup("/tmp/tui_keys.XXXXXX");
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	return path;
}

Test(tui_keys, a_file_changes_what_keys_do)
{
	char *path = file_with("# mine\n"
			       "x next-event\n"
			       "\n"
			       "  Alt-x   quit  \n"
			       "l none\n"
			       "# search\n");
	struct err err = { 0 };
	struct keymap m;
	uint64_t count;
	char keys[64];

	keymap_init(&m);
	cr_assert_eq(keymap_load(&m, path, &err), 0, "%s", err.text);
	cr_assert_eq(press(&m, "x", &count), REQ_NEXT_EVENT);
	cr_assert_eq(press(&m, "l", &count), REQ_NONE);
	cr_assert_eq(press(&m, "#", &count), REQ_SEARCH);
	cr_assert_str_eq(keymap_keys_of(&m, REQ_NEXT_EVENT, keys, sizeof(keys)),
			 "Right, x");
	cr_assert_str_eq(keymap_keys_of(&m, REQ_QUIT, keys, sizeof(keys)),
			 "Q, Alt-x");
	keymap_release(&m);
	unlink(path);
	mem_free(path);
}

static void
refuses(const char *text, const char *why)
{
	char *path = file_with(text);
	struct err err = { 0 };
	struct keymap m;

	keymap_init(&m);
	cr_assert_eq(keymap_load(&m, path, &err), -E_FORMAT);
	cr_assert_not_null(strstr(err.text, why), "%s", err.text);
	keymap_release(&m);
	unlink(path);
	mem_free(path);
}

Test(tui_keys, a_mistake_in_the_file_is_told_with_its_line)
{
	refuses("x next-event\nxx quit\n", ":2: no key is named \"xx\"");
	refuses("x nonsense\n", ":1: nothing is named \"nonsense\"");
	refuses("x\n", ":1: x: what should it do?");
}

Test(tui_keys, no_file_is_no_error)
{
	struct err err = { 0 };
	struct keymap m;

	keymap_init(&m);
	cr_assert_eq(keymap_load(&m, "/nonexistent/keys", &err), 0);
	keymap_release(&m);
}

Test(tui_keys, a_list_of_keys_that_is_too_long_is_cut_between_two)
{
	struct keymap m;
	char keys[8];

	keymap_init(&m);
	/* "PgUp, Ctrl-B" */
	cr_assert_str_eq(keymap_keys_of(&m, REQ_PAGE_UP, keys, sizeof(keys)),
			 "PgUp");
	keymap_release(&m);
}
