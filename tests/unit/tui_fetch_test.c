#include "tui/fetch.h"

#include "tests/unit/tui_fake.h"
#include <criterion/criterion.h>

static struct job job;

static struct fetch
fetch_of(struct fake *f, const char *filter)
{
	return (struct fetch){ .ops = &fake_query,
			       .data = f,
			       .job = &job,
			       .filter = filter,
			       .last = f->events };
}

Test(tui_fetch, a_page_is_in_order_whichever_way_it_was_read)
{
	struct err err = { 0 };
	struct page p;
	struct fake fake;
	struct fetch f;
	bool all;

	fake_small(&fake);
	f = fetch_of(&fake, NULL);
	cr_assert_eq(fetch_page(&f, 10, false, 5, &p, &all, &err), 0);
	cr_assert_eq(p.n, 5);
	cr_assert_eq(p.v[0].seq, 11);
	cr_assert_eq(p.v[4].seq, 15);
	cr_assert_not(all);
	arena_free(&p.arena);
	cr_assert_eq(fetch_page(&f, 10, true, 5, &p, &all, &err), 0);
	cr_assert_eq(p.v[0].seq, 5);
	cr_assert_eq(p.v[4].seq, 9);
	cr_assert_not(all);
	arena_free(&p.arena);
	fake_release(&fake);
}

Test(tui_fetch, both_ends_are_known_as_ends)
{
	struct err err = { 0 };
	struct page p;
	struct fake fake;
	struct fetch f;
	bool all;

	fake_small(&fake);
	f = fetch_of(&fake, NULL);
	fetch_page(&f, 58, false, 5, &p, &all, &err);
	cr_assert_eq(p.n, 2);
	cr_assert(all);
	arena_free(&p.arena);
	fetch_page(&f, 3, true, 5, &p, &all, &err);
	cr_assert_eq(p.n, 2);
	cr_assert(all);
	arena_free(&p.arena);
	fetch_page(&f, 60, false, 5, &p, &all, &err);
	cr_assert_eq(p.n, 0);
	cr_assert(all);
	arena_free(&p.arena);
	fetch_page(&f, 55, false, 5, &p, &all, &err);
	cr_assert_eq(p.n, 5);
	cr_assert(all, "the last of them is the last event");
	arena_free(&p.arena);
	fake_release(&fake);
}

/* The store looks at a part at a time; a rare event is found all the same. */
Test(tui_fetch, short_answers_are_asked_on)
{
	struct err err = { 0 };
	struct page p;
	struct fake fake;
	struct fetch f;
	bool all;

	fake_big(&fake);
	f = fetch_of(&fake, "kind:signal");
	cr_assert_eq(fetch_page(&f, 0, false, 5, &p, &all, &err), 0);
	cr_assert_eq(p.n, 2);
	cr_assert_eq(p.v[0].seq, 40);
	cr_assert_eq(p.v[1].seq, 9999999);
	cr_assert(all);
	cr_assert_geq(atomic_load(&fake.pages), 100);
	arena_free(&p.arena);
	fake_release(&fake);
}

Test(tui_fetch, the_nth_of_a_task)
{
	struct err err = { 0 };
	struct row row = { 0 };
	uint64_t found;
	struct fake fake;
	struct fetch f;

	fake_small(&fake);
	f = fetch_of(&fake, NULL);
	f.task = 2;
	cr_assert_eq(fetch_nth(&f, 20, false, 3, &row, &found, &err), 0);
	cr_assert_eq(found, 3);
	cr_assert_eq(row.seq, 28);
	cr_assert_eq(fetch_nth(&f, 20, false, 1000, &row, &found, &err), 0);
	cr_assert_lt(found, 1000);
	cr_assert_eq(row.seq, 58, "the last there is");
	cr_assert_eq(fetch_nth(&f, 20, true, 1, &row, &found, &err), 0);
	cr_assert_eq(found, 0);
	fake_release(&fake);
}

Test(tui_fetch, a_replaced_job_stops_between_two_answers)
{
	struct err err = { 0 };
	struct row row;
	uint64_t found;
	struct fake fake;
	struct fetch f;

	fake_big(&fake);
	f = fetch_of(&fake, "kind:exec");
	atomic_store(&job.replaced, true);
	cr_assert_eq(fetch_nth(&f, 0, false, 1, &row, &found, &err),
		     -E_CANCELLED);
	cr_assert_eq(atomic_load(&fake.pages), 0);
	fake_release(&fake);
}

Test(tui_fetch, a_rare_event_need_not_wait_for_the_others)
{
	struct err err = { 0 };
	uint64_t seq = 0, n = 0;
	struct page whole, p;
	struct fake fake;
	struct fetch f;
	bool all = false;

	fake_big(&fake);
	f = fetch_of(&fake, "kind:signal");
	cr_assert_eq(fetch_page(&f, 0, false, 200, &whole, &all, &err), 0);
	cr_assert_gt(whole.n, 1);
	/* Any time is too long: each as soon as it is found. */
	f.patience_ns = 1;
	for (all = false; !all && n < whole.n; arena_free(&p.arena)) {
		cr_assert_eq(fetch_page(&f, seq, false, 200, &p, &all, &err),
			     0);
		for (size_t i = 0; i < p.n; i++)
			cr_assert_eq(p.v[i].seq, whole.v[n++].seq);
		cr_assert(p.n || all);
		seq = p.n ? p.v[p.n - 1].seq : seq;
	}
	cr_assert_eq(n, whole.n);
	arena_free(&whole.arena);
	fake_release(&fake);
}
