#include "tui/rows.h"

#include <criterion/criterion.h>

#include "base/mem.h"

/* n rows with every step-th number from first on. */
static struct page
page(uint64_t first, size_t n, uint64_t step)
{
	struct page p = { .n = n };

	p.v = arena_alloc(&p.arena, n * sizeof(*p.v));
	for (size_t i = 0; i < n; i++)
		p.v[i].seq = first + i * step;
	return p;
}

static void
after(struct rows *r, uint64_t first, size_t n, uint64_t step)
{
	struct page p = page(first, n, step);

	rows_add_after(r, &p);
	cr_assert_eq(p.n, 0, "the page was taken");
}

static void
before(struct rows *r, uint64_t first, size_t n, uint64_t step)
{
	struct page p = page(first, n, step);

	rows_add_before(r, &p);
}

Test(tui_rows, pages_on_both_sides_make_one_list)
{
	struct rows r = { 0 };

	after(&r, 100, 10, 1);
	after(&r, 110, 5, 1);
	before(&r, 90, 10, 1);
	cr_assert_eq(rows_count(&r), 25);
	for (size_t i = 0; i < 25; i++)
		cr_assert_eq(rows_get(&r, i)->seq, 90 + i);
	cr_assert_null(rows_get(&r, 25));
	cr_assert_eq(rows_first(&r)->seq, 90);
	cr_assert_eq(rows_last(&r)->seq, 114);
	rows_release(&r);
}

Test(tui_rows, a_number_between_two_rows_finds_the_one_before)
{
	struct rows r = { 0 };

	after(&r, 10, 5, 10);
	after(&r, 60, 5, 10);
	cr_assert_eq(rows_find(&r, 9), -1);
	cr_assert_eq(rows_find(&r, 10), 0);
	cr_assert_eq(rows_find(&r, 19), 0);
	cr_assert_eq(rows_find(&r, 60), 5);
	cr_assert_eq(rows_find(&r, 1000), 9);
	rows_release(&r);
	cr_assert_eq(rows_find(&r, 10), -1, "an empty list");
}

Test(tui_rows, it_never_holds_more_than_its_pages)
{
	struct rows r = { 0 };

	r.from_start = true;
	for (uint64_t i = 0; i < 100; i++)
		after(&r, 1 + i * 10, 10, 1);
	cr_assert_eq(r.n, ROWS_PAGES);
	cr_assert_eq(rows_last(&r)->seq, 1000);
	cr_assert_eq(rows_first(&r)->seq, 1000 - 10 * ROWS_PAGES + 1);
	cr_assert_not(r.from_start, "the first page was dropped");
	r.to_end = true;
	before(&r, 1000 - 10 * ROWS_PAGES - 9, 10, 1);
	cr_assert_eq(r.n, ROWS_PAGES);
	cr_assert_not(r.to_end, "the last page was dropped");
	rows_release(&r);
}

Test(tui_rows, clearing_forgets_the_ends_too)
{
	struct rows r = { 0 };

	after(&r, 1, 3, 1);
	r.from_start = r.to_end = true;
	rows_clear(&r);
	cr_assert_eq(rows_count(&r), 0);
	cr_assert_not(r.from_start);
	cr_assert_not(r.to_end);
	cr_assert_null(rows_first(&r));
	cr_assert_null(rows_last(&r));
}
