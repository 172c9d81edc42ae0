#include "tui/history.h"

#include <criterion/criterion.h>

static struct pos
at(uint64_t seq)
{
	return (struct pos){ .seq = seq };
}

Test(tui_history, back_and_forward_as_in_a_browser)
{
	struct history h = { 0 };
	struct pos now = at(9);

	history_leave(&h, at(1));  /* 1 -> 50 */
	history_leave(&h, at(50)); /* 50 -> 9 */
	cr_assert(history_back(&h, &now));
	cr_assert_eq(now.seq, 50);
	cr_assert(history_back(&h, &now));
	cr_assert_eq(now.seq, 1);
	cr_assert_not(history_back(&h, &now));
	cr_assert(history_forward(&h, &now));
	cr_assert_eq(now.seq, 50);
	cr_assert(history_forward(&h, &now));
	cr_assert_eq(now.seq, 9);
	cr_assert_not(history_forward(&h, &now));
	history_release(&h);
}

Test(tui_history, steps_between_jumps_are_where_one_comes_back_to)
{
	struct history h = { 0 };
	struct pos now = at(53); /* three steps on */

	history_leave(&h, at(1));
	cr_assert(history_back(&h, &now));
	cr_assert_eq(now.seq, 1);
	cr_assert(history_forward(&h, &now));
	cr_assert_eq(now.seq, 53);
	history_release(&h);
}

Test(tui_history, moments_of_one_interval_are_places_of_their_own)
{
	struct pos first = { .seq = 7, .pc = 0x401136, .visit = 17 };
	struct pos now = { .seq = 7, .pc = 0x401136, .visit = 18 };
	struct history h = { 0 };

	history_leave(&h, first);
	history_leave(&h, now);
	now = at(20);
	cr_assert(history_back(&h, &now));
	cr_assert_eq(now.visit, 18);
	cr_assert(history_back(&h, &now));
	cr_assert_eq(now.visit, 17);
	cr_assert_not(history_back(&h, &now));
	history_release(&h);
}

Test(tui_history, a_jump_forgets_what_was_ahead)
{
	struct history h = { 0 };
	struct pos now = at(3);

	history_leave(&h, at(1));
	history_leave(&h, at(2));
	history_back(&h, &now);
	cr_assert_eq(now.seq, 2);
	history_leave(&h, now);
	now = at(77);
	cr_assert_not(history_forward(&h, &now));
	cr_assert(history_back(&h, &now));
	cr_assert_eq(now.seq, 2);
	history_release(&h);
}

Test(tui_history, it_has_an_end)
{
	struct history h = { 0 };
	struct pos now = at(0);
	uint64_t n = 0;

	for (uint64_t i = 1; i <= 5000; i++)
		history_leave(&h, at(i));
	while (history_back(&h, &now))
		n++;
	cr_assert_eq(n, 1000);
	history_release(&h);
}
