#include "tui/history.h"

#include <criterion/criterion.h>

Test(tui_history, back_and_forward_as_in_a_browser)
{
	struct history h = { 0 };
	uint64_t now = 1;

	history_leave(&h, now); /* 1 -> 50 */
	history_leave(&h, 50);	/* 50 -> 9 */
	now = 9;
	cr_assert(history_back(&h, now, &now));
	cr_assert_eq(now, 50);
	cr_assert(history_back(&h, now, &now));
	cr_assert_eq(now, 1);
	cr_assert_not(history_back(&h, now, &now));
	cr_assert(history_forward(&h, now, &now));
	cr_assert_eq(now, 50);
	cr_assert(history_forward(&h, now, &now));
	cr_assert_eq(now, 9);
	cr_assert_not(history_forward(&h, now, &now));
	history_release(&h);
}

Test(tui_history, steps_between_jumps_are_where_one_comes_back_to)
{
	struct history h = { 0 };
	uint64_t now = 50;

	history_leave(&h, 1);
	now = 53; /* three steps on */
	cr_assert(history_back(&h, now, &now));
	cr_assert_eq(now, 1);
	cr_assert(history_forward(&h, now, &now));
	cr_assert_eq(now, 53);
	history_release(&h);
}

Test(tui_history, a_jump_forgets_what_was_ahead)
{
	struct history h = { 0 };
	uint64_t now = 3;

	history_leave(&h, 1);
	history_leave(&h, 2);
	history_back(&h, now, &now);
	cr_assert_eq(now, 2);
	history_leave(&h, now);
	now = 77;
	cr_assert_not(history_forward(&h, now, &now));
	cr_assert(history_back(&h, now, &now));
	cr_assert_eq(now, 2);
	history_release(&h);
}

Test(tui_history, it_has_an_end)
{
	struct history h = { 0 };
	uint64_t now = 0, n = 0;

	for (uint64_t i = 1; i <= 5000; i++)
		history_leave(&h, i);
	while (history_back(&h, now, &now))
		n++;
	cr_assert_eq(n, 1000);
	history_release(&h);
}
