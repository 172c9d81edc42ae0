/* What no screen shows: how much is asked for, and what is awaited. */
#include "tui/ui.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/tui_fake.h"
#include "tui/rows.h"
#include "tui/tty.h"

struct run {
	struct fake fake;
	struct tui_opts o;
	struct tty *t;
	struct ui *ui;
};

static void
settle(struct run *r)
{
	do {
		ui_deliver(r->ui);
		if (ui_busy(r->ui))
			tty_wait(r->t, r->ui->wake_fd, 10000);
		else if (r->ui->redraw)
			ui_draw(r->ui);
	} while (ui_busy(r->ui) || r->ui->redraw);
}

static void
begin(struct run *r, void (*fake)(struct fake *))
{
	struct err err = { 0 };

	fake(&r->fake);
	r->o = (struct tui_opts){ .query = &fake_query,
				  .nav_data = &r->fake,
				  .ask_data = &r->fake,
				  .replay = &fake_replay,
				  .replay_data = &r->fake,
				  .keys_file = "" };
	cr_assert_eq(tty_open_headless(&r->t, 24, 80, &err), 0);
	r->ui = ui_new(&r->o);
	r->ui->headless = true;
	ui_start(r->ui);
	settle(r);
}

static void
end(struct run *r)
{
	ui_free(r->ui);
	tty_close(r->t);
	cr_assert_eq(r->fake.closed, 3);
	fake_release(&r->fake);
}

/* Questions that one key costs, when everything it asked for came. */
static unsigned long
cost(struct run *r, const char *key)
{
	unsigned long before = atomic_load(&r->fake.pages);

	ui_key(r->ui, keys_parse(key));
	settle(r);
	return atomic_load(&r->fake.pages) - before;
}

Test(tui_ui, a_jump_among_ten_million_costs_what_it_costs_among_sixty)
{
	struct run small, big;
	unsigned long a, b;

	begin(&small, fake_small);
	a = cost(&small, "$");
	end(&small);
	begin(&big, fake_big);
	b = cost(&big, "$");
	end(&big);
	cr_assert_leq(b, a + 3, "%lu questions, %lu among sixty", b, a);
}

Test(tui_ui, walking_reads_ahead_a_page_at_a_time)
{
	unsigned long before;
	struct run r;

	begin(&r, fake_big);
	before = atomic_load(&r.fake.pages);
	for (int i = 0; i < 2000; i++) {
		ui_key(r.ui, 'l');
		settle(&r);
	}
	/* One question an event for its details; the list itself is read
	 * in pages. */
	cr_assert_leq(atomic_load(&r.fake.pages) - before,
		      2000 + 2000 / ROWS_PAGE + 3);
	cr_assert_eq(r.ui->seq, 2001);
	end(&r);
}

Test(tui_ui, a_held_key_does_not_wait_and_the_panes_catch_up)
{
	struct run r;

	begin(&r, fake_big);
	worker_hold(r.ui->rep, true);
	worker_hold(r.ui->nav, true);
	for (int i = 0; i < 5000; i++) {
		ui_key(r.ui, 'l');
		ui_draw(r.ui);
	}
	cr_assert_eq(r.ui->seq, 5001);
	cr_assert(moment_stale(r.ui));
	worker_hold(r.ui->rep, false);
	worker_hold(r.ui->nav, false);
	settle(&r);
	cr_assert_not(moment_stale(r.ui));
	/* The first one and the last, each perhaps again when its task is
	 * known; not those on the way. */
	cr_assert_leq(atomic_load(&r.fake.moments), 4);
	end(&r);
}

Test(tui_ui, another_arrival_that_is_counted_from_is_another_moment)
{
	struct pos p = { .seq = 5, .pc = 0x50, .visit = 1, .via_pc = 0x40 };
	struct run r;

	begin(&r, fake_small);
	p.via_visit = 1;
	nav_goto_pos(r.ui, &p);
	settle(&r);
	cr_assert_not(moment_stale(r.ui));
	worker_hold(r.ui->rep, true);
	p.via_visit = 2;
	nav_goto_pos(r.ui, &p);
	cr_assert(moment_stale(r.ui));
	worker_hold(r.ui->rep, false);
	settle(&r);
	cr_assert_not(moment_stale(r.ui));
	end(&r);
}

Test(tui_ui, steps_of_a_task_that_are_not_loaded_add_up)
{
	struct run r;

	begin(&r, fake_big);
	ui_request(r.ui, REQ_GO_EVENT, 2000000);
	settle(&r);
	worker_hold(r.ui->nav, true);
	for (int i = 0; i < 5; i++)
		ui_request(r.ui, REQ_NEXT_TASK_EVENT, 1000);
	ui_request(r.ui, REQ_PREV_TASK_EVENT, 2000);
	cr_assert_eq(r.ui->seq, 2000000, "not known yet");
	worker_hold(r.ui->nav, false);
	settle(&r);
	cr_assert_eq(r.ui->seq, 2000000 + 3 * 3000);
	end(&r);
}

Test(tui_ui, a_move_forgets_a_step_that_was_being_looked_up)
{
	struct run r;

	begin(&r, fake_big);
	ui_request(r.ui, REQ_GO_EVENT, 2000000);
	settle(&r);
	worker_hold(r.ui->nav, true);
	ui_request(r.ui, REQ_NEXT_TASK_EVENT, 1000);
	ui_request(r.ui, REQ_GO_EVENT, 77);
	worker_hold(r.ui->nav, false);
	settle(&r);
	cr_assert_eq(r.ui->seq, 77);
	end(&r);
}

Test(tui_ui, a_first_question_that_fails_ends_it_with_the_reason)
{
	struct err err = { 0 };
	struct fake f;
	struct tui_opts o = { .query = &fake_query,
			      .nav_data = &f,
			      .ask_data = &f,
			      .replay = &fake_replay,
			      .replay_data = &f,
			      .keys_file = "",
			      .script = "/dev/null" };
	FILE *keys = tmpfile();
	char path[64];

	fake_small(&f);
	f.fail_open = E_DB_UNREACHABLE;
	fputs("screen one\n", keys);
	fflush(keys);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fileno(keys));
	o.script = path;
	o.script_out = fopen("/dev/null", "w");
	cr_assert_eq(tui_run(&o, &err), -E_DB_UNREACHABLE);
	cr_assert_str_eq(err.text, "no server answers");
	cr_assert_eq(f.closed, 3);
	fclose(o.script_out);
	fclose(keys);
	fake_release(&f);
}

Test(tui_ui, a_bad_position_is_told_before_anything_is_opened)
{
	struct err err = { 0 };
	struct fake f;
	struct tui_opts o = { .query = &fake_query,
			      .nav_data = &f,
			      .ask_data = &f,
			      .replay = &fake_replay,
			      .replay_data = &f,
			      .at = "nowhere",
			      .script = "/dev/null" };

	fake_small(&f);
	cr_assert_eq(tui_run(&o, &err), -E_POSITION);
	cr_assert_eq(f.closed, 3);
	fake_release(&f);
}

Test(tui_ui, a_script_that_makes_no_sense_is_told_with_its_line)
{
	struct err err = { 0 };
	char path[64];
	struct fake f;
	struct tui_opts o = { .query = &fake_query,
			      .nav_data = &f,
			      .ask_data = &f,
			      .replay = &fake_replay,
			      .replay_data = &f,
			      .keys_file = "" };
	FILE *keys = tmpfile();

	fake_small(&f);
	fputs("key l\nkey Nonsense\n", keys);
	fflush(keys);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fileno(keys));
	o.script = path;
	cr_assert_eq(tui_run(&o, &err), -E_FORMAT);
	cr_assert_not_null(strstr(err.text, ":2: no key is named \"Nonsense\""),
			   "%s", err.text);
	fclose(keys);
	fake_release(&f);
}

Test(tui_ui, it_starts_where_it_was_told_to)
{
	struct run r = { 0 };
	struct err err = { 0 };

	fake_small(&r.fake);
	r.o = (struct tui_opts){ .query = &fake_query,
				 .nav_data = &r.fake,
				 .ask_data = &r.fake,
				 .replay = &fake_replay,
				 .replay_data = &r.fake,
				 .keys_file = "",
				 .at = "@fork" };
	cr_assert_eq(tty_open_headless(&r.t, 24, 80, &err), 0);
	r.ui = ui_new(&r.o);
	ui_start(r.ui);
	settle(&r);
	cr_assert_eq(r.ui->seq, 20);
	end(&r);
}

Test(tui_ui, a_running_recording_is_looked_at_again)
{
	struct run r;

	begin(&r, fake_small);
	r.ui->rec.state = "running";
	r.fake.state = "running";
	r.fake.events = 90;
	ui_tick(r.ui);
	settle(&r);
	cr_assert_eq(r.ui->rec.events, 90);
	ui_key(r.ui, '$');
	settle(&r);
	cr_assert_eq(r.ui->seq, 90);
	end(&r);
}

Test(tui_ui, continue_that_is_stopped_stays_where_it_is, .timeout = 60)
{
	const uint64_t from = 7;
	uint64_t since, at = 0, to;
	struct run r;
	unsigned key;

	begin(&r, fake_small);
	nav_goto(r.ui, from);
	breaks_toggle(r.ui, FAKE_ENDLESS);
	settle(&r);
	ui_key(r.ui, 'c');
	while (at != from + 5)
		worker_running(r.ui->rep, &key, &since, &at, &to);
	ui_key(r.ui, keys_parse("Ctrl-C"));
	settle(&r);
	cr_assert_eq(r.ui->seq, from + 5);
	cr_assert_str_eq(r.ui->message, "stopped at e12");
	ui_key(r.ui, '[');
	settle(&r);
	cr_assert_eq(r.ui->seq, from);
	end(&r);
}
