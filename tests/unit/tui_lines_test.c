#include "tui/lines.h"

#include <criterion/criterion.h>

static void
fill(struct lines *l, int n)
{
	for (int i = 0; i < n; i++)
		lines_addf(l, STYLE_NORMAL, "line %d", i);
	l->height = 10;
}

Test(tui_lines, text_is_copied_and_cut_at_its_newline)
{
	char text[] = "one\ntwo";
	struct lines l = { 0 };

	lines_add(&l, STYLE_NORMAL, text);
	text[0] = 'X';
	cr_assert_str_eq(l.v.v[0].text, "one");
	lines_add_text(&l, STYLE_DIM, "a\n\nb\n");
	cr_assert_eq(l.v.len, 4);
	cr_assert_str_eq(l.v.v[2].text, "");
	cr_assert_str_eq(l.v.v[3].text, "b");
	lines_release(&l);
}

Test(tui_lines, the_cursor_stays_inside)
{
	struct lines l = { 0 };

	cr_assert_null(lines_current(&l));
	lines_move(&l, 5);
	cr_assert_eq(l.cursor, 0);
	fill(&l, 30);
	lines_move(&l, -1);
	cr_assert_eq(l.cursor, 0);
	lines_move(&l, 100);
	cr_assert_eq(l.cursor, 29);
	lines_move(&l, INT64_MIN + 1);
	cr_assert_eq(l.cursor, 0);
	lines_release(&l);
}

Test(tui_lines, requests_move_by_lines_pages_and_counts)
{
	struct lines l = { 0 };

	fill(&l, 100);
	cr_assert(lines_request(&l, REQ_DOWN, 0));
	cr_assert_eq(l.cursor, 1);
	lines_request(&l, REQ_DOWN, 5);
	cr_assert_eq(l.cursor, 6);
	lines_request(&l, REQ_PAGE_DOWN, 0);
	cr_assert_eq(l.cursor, 15);
	lines_request(&l, REQ_PAGE_UP, 2);
	cr_assert_eq(l.cursor, 0);
	lines_request(&l, REQ_BOTTOM, 0);
	cr_assert_eq(l.cursor, 99);
	lines_request(&l, REQ_BOTTOM, 42);
	cr_assert_eq(l.cursor, 41);
	lines_request(&l, REQ_TOP, 0);
	cr_assert_eq(l.cursor, 0);
	cr_assert_not(lines_request(&l, REQ_ENTER, 0));
	lines_release(&l);
}

Test(tui_lines, searching_goes_round)
{
	struct lines l = { 0 };

	fill(&l, 30);
	cr_assert(lines_search(&l, "LINE 2", false));
	cr_assert_eq(l.cursor, 2);
	cr_assert(lines_search(&l, "line 2", false));
	cr_assert_eq(l.cursor, 20);
	cr_assert(lines_search(&l, "line 2", true));
	cr_assert_eq(l.cursor, 2);
	cr_assert(lines_search(&l, "line 2", true));
	cr_assert_eq(l.cursor, 29);
	cr_assert_not(lines_search(&l, "no such", false));
	cr_assert_eq(l.cursor, 29);
	lines_release(&l);
}

Test(tui_lines, wrapping_breaks_between_words)
{
	struct lines l = { 0 };

	lines_add_wrapped(&l, STYLE_NORMAL, 10, "one two three  four\nfive");
	cr_assert_eq(l.v.len, 3);
	cr_assert_str_eq(l.v.v[0].text, "one two");
	cr_assert_str_eq(l.v.v[1].text, "three four");
	cr_assert_str_eq(l.v.v[2].text, "five");
	lines_clear(&l);
	lines_add_wrapped(&l, STYLE_NORMAL, 5, "a incomprehensible b");
	cr_assert_eq(l.v.len, 3, "a word that is too long has its own line");
	lines_clear(&l);
	lines_add_wrapped(&l, STYLE_NORMAL, 5, "");
	cr_assert_eq(l.v.len, 0);
	lines_release(&l);
}
