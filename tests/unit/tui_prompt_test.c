#include "tui/prompt.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "tui/keys.h"

/* Keys by name, separated by blanks; other words are typed. */
static enum prompt_result
type(struct prompt *p, const char *words)
{
	char *copy = mem_strdup(words), *save, *word;
	enum prompt_result r = PROMPT_OPEN;

	for (word = strtok_r(copy, " ", &save); word;
	     word = strtok_r(NULL, " ", &save)) {
		uint32_t key = keys_parse(word);

		if (key) {
			r = prompt_key(p, key);
			continue;
		}
		for (const char *c = word; *c; c++)
			r = prompt_key(p, (uint8_t)*c);
	}
	mem_free(copy);
	return r;
}

Test(tui_prompt, typed_text_is_the_answer)
{
	struct prompt p = { 0 };

	prompt_open(&p, PROMPT_COMMAND, "");
	cr_assert_eq(type(&p, "hello Space you Enter"), PROMPT_DONE);
	cr_assert_str_eq(prompt_text(&p), "hello you");
	cr_assert_eq(p.kind, PROMPT_NONE);
	prompt_release(&p);
}

Test(tui_prompt, editing_in_the_middle)
{
	struct prompt p = { 0 };

	prompt_open(&p, PROMPT_COMMAND, "abcdef");
	type(&p, "Left Left Backspace X");
	cr_assert_str_eq(prompt_text(&p), "abcXef");
	type(&p, "Home Delete Y End Z");
	cr_assert_str_eq(prompt_text(&p), "YbcXefZ");
	type(&p, "Left Left Ctrl-K");
	cr_assert_str_eq(prompt_text(&p), "YbcXe");
	type(&p, "Left Ctrl-U");
	cr_assert_str_eq(prompt_text(&p), "e");
	prompt_release(&p);
}

Test(tui_prompt, a_word_is_deleted_with_its_blanks)
{
	struct prompt p = { 0 };

	prompt_open(&p, PROMPT_COMMAND, "one two   ");
	type(&p, "Ctrl-W");
	cr_assert_str_eq(prompt_text(&p), "one ");
	type(&p, "Ctrl-W Ctrl-W");
	cr_assert_str_eq(prompt_text(&p), "");
	prompt_release(&p);
}

Test(tui_prompt, wide_characters_are_one_key)
{
	struct prompt p = { 0 };

	setlocale(LC_CTYPE, "C.UTF-8");
	prompt_open(&p, PROMPT_COMMAND, "a");
	prompt_key(&p, 0x4e2d);
	prompt_key(&p, 0xf6);
	cr_assert_str_eq(prompt_text(&p), "a中ö");
	type(&p, "Left Backspace");
	cr_assert_str_eq(prompt_text(&p), "aö");
	type(&p, "Home Delete Delete");
	cr_assert_str_eq(prompt_text(&p), "");
	prompt_release(&p);
}

Test(tui_prompt, editing_stops_at_both_ends)
{
	struct prompt p = { 0 };

	prompt_open(&p, PROMPT_COMMAND, "a");
	type(&p, "Left Left Left Right Right Right Delete");
	cr_assert_str_eq(prompt_text(&p), "a");
	cr_assert_eq(p.cursor, 1);
	prompt_release(&p);
}

Test(tui_prompt, backspace_in_nothing_leaves)
{
	struct prompt p = { 0 };

	prompt_open(&p, PROMPT_SEARCH, "a");
	cr_assert_eq(type(&p, "Backspace"), PROMPT_OPEN);
	cr_assert_eq(type(&p, "Backspace"), PROMPT_CANCELLED);
	prompt_open(&p, PROMPT_SEARCH, "text");
	cr_assert_eq(type(&p, "Esc"), PROMPT_CANCELLED);
	cr_assert_eq(p.kind, PROMPT_NONE);
	prompt_release(&p);
}

static void
answer(struct prompt *p, enum prompt_kind kind, const char *text)
{
	prompt_open(p, kind, text);
	prompt_key(p, KEYS_ENTER);
}

Test(tui_prompt, history_is_one_per_kind_and_keeps_what_was_begun)
{
	struct prompt p = { 0 };

	answer(&p, PROMPT_COMMAND, "one");
	answer(&p, PROMPT_SEARCH, "elsewhere");
	answer(&p, PROMPT_COMMAND, "two");
	prompt_open(&p, PROMPT_COMMAND, "begun");
	type(&p, "Up");
	cr_assert_str_eq(prompt_text(&p), "two");
	type(&p, "Up Up Up");
	cr_assert_str_eq(prompt_text(&p), "one");
	type(&p, "Down Down Down");
	cr_assert_str_eq(prompt_text(&p), "begun");
	prompt_release(&p);
}

Test(tui_prompt, history_has_no_line_twice_and_an_end)
{
	struct prompt p = { 0 };

	answer(&p, PROMPT_COMMAND, "again");
	answer(&p, PROMPT_COMMAND, "other");
	answer(&p, PROMPT_COMMAND, "again");
	answer(&p, PROMPT_COMMAND, "");
	cr_assert_eq(p.past[PROMPT_COMMAND].len, 2);
	cr_assert_str_eq(p.past[PROMPT_COMMAND].v[1], "again");
	for (int i = 0; i < 500; i++) {
		char text[16];

		snprintf(text, sizeof(text), "line %d", i);
		answer(&p, PROMPT_COMMAND, text);
	}
	cr_assert_eq(p.past[PROMPT_COMMAND].len, 200);
	cr_assert_str_eq(p.past[PROMPT_COMMAND].v[199], "line 499");
	prompt_release(&p);
}

static void
complete(struct prompt *p, size_t from, const char *a, const char *b)
{
	struct completion c = { .from = from };

	cr_assert_eq(prompt_key(p, KEYS_TAB), PROMPT_TAB);
	if (prompt_next_offer(p))
		return;
	completion_add(&c, a);
	if (b)
		completion_add(&c, b);
	cr_assert(prompt_complete(p, &c));
}

Test(tui_prompt, the_only_offer_is_taken_whole)
{
	struct prompt p = { 0 };

	prompt_open(&p, PROMPT_COMMAND, "go reg");
	complete(&p, 3, "registers", NULL);
	cr_assert_str_eq(prompt_text(&p), "go registers");
	prompt_release(&p);
}

Test(tui_prompt, several_offers_first_give_what_they_share_then_each)
{
	struct prompt p = { 0 };

	prompt_open(&p, PROMPT_COMMAND, "s");
	complete(&p, 0, "search", "search-back");
	cr_assert_str_eq(prompt_text(&p), "search");
	complete(&p, 0, NULL, NULL);
	cr_assert_str_eq(prompt_text(&p), "search");
	complete(&p, 0, NULL, NULL);
	cr_assert_str_eq(prompt_text(&p), "search-back");
	complete(&p, 0, NULL, NULL);
	cr_assert_str_eq(prompt_text(&p), "search");
	/* Any other key ends the round. */
	type(&p, "x");
	cr_assert_not(prompt_next_offer(&p));
	prompt_release(&p);
}

Test(tui_prompt, nothing_to_offer_changes_nothing)
{
	struct completion c = { 0 };
	struct prompt p = { 0 };

	prompt_open(&p, PROMPT_COMMAND, "zzz");
	cr_assert_not(prompt_complete(&p, &c));
	cr_assert_str_eq(prompt_text(&p), "zzz");
	prompt_release(&p);
}

Test(tui_prompt, any_keys_leave_it_whole)
{
	static const uint32_t keys[] = {
		'a',	     0x4e2d,	     KEYS_LEFT, KEYS_RIGHT, KEYS_HOME,
		KEYS_END,    KEYS_UP,	     KEYS_DOWN, 23,	    21,
		KEYS_DELETE, KEYS_BACKSPACE, ' ',	11,	    KEYS_ENTER,
	};
	struct prompt p = { 0 };
	uint32_t seed = 1;

	setlocale(LC_CTYPE, "C.UTF-8");
	prompt_open(&p, PROMPT_COMMAND, "");
	for (int i = 0; i < 200000; i++) {
		seed = seed * 1103515245 + 12345;
		prompt_key(&p, keys[(seed >> 16) % ARRAY_LEN(keys)]);
		if (p.kind == PROMPT_NONE)
			prompt_open(&p, PROMPT_COMMAND, "");
		cr_assert_leq(p.cursor, p.text.len);
		/* Never inside a character. */
		cr_assert(p.cursor == p.text.len ||
			  (p.text.p[p.cursor] & 0xc0) != 0x80);
	}
	prompt_release(&p);
}
