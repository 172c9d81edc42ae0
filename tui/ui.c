#include "tui/ui.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

/* How often a recording that still runs is looked at. */
#define LOOK_NS 900000000ull

static const struct view_ops *const all_views[VIEW_COUNT] = {
	[VIEW_LANES] = &lanes_ops,   [VIEW_EVENTS] = &events_ops,
	[VIEW_DETAIL] = &detail_ops, [VIEW_SOURCE] = &source_ops,
	[VIEW_CODE] = &code_ops,     [VIEW_STACK] = &stack_ops,
	[VIEW_VARS] = &vars_ops,     [VIEW_REGS] = &regs_ops,
	[VIEW_MEMORY] = &memory_ops, [VIEW_FDS] = &fds_ops,
	[VIEW_MAPS] = &maps_ops,     [VIEW_OUTPUT] = &output_ops,
	[VIEW_SQL] = &sql_ops,	     [VIEW_MARKS] = &marks_ops,
	[VIEW_BREAKS] = &breaks_ops, [VIEW_TREE] = &tree_ops,
	[VIEW_TASKS] = &tasks_ops,   [VIEW_HELP] = &help_ops,
};

static const struct {
	enum request req;
	enum view_id view;
} view_requests[] = {
	{ REQ_VIEW_LANES, VIEW_LANES },	  { REQ_VIEW_EVENTS, VIEW_EVENTS },
	{ REQ_VIEW_DETAIL, VIEW_DETAIL }, { REQ_VIEW_SOURCE, VIEW_SOURCE },
	{ REQ_VIEW_CODE, VIEW_CODE },	  { REQ_VIEW_STACK, VIEW_STACK },
	{ REQ_VIEW_VARS, VIEW_VARS },	  { REQ_VIEW_REGS, VIEW_REGS },
	{ REQ_VIEW_MEMORY, VIEW_MEMORY }, { REQ_VIEW_FDS, VIEW_FDS },
	{ REQ_VIEW_MAPS, VIEW_MAPS },	  { REQ_VIEW_OUTPUT, VIEW_OUTPUT },
	{ REQ_VIEW_SQL, VIEW_SQL },	  { REQ_VIEW_MARKS, VIEW_MARKS },
	{ REQ_VIEW_BREAKS, VIEW_BREAKS }, { REQ_VIEW_TREE, VIEW_TREE },
	{ REQ_VIEW_TASKS, VIEW_TASKS },	  { REQ_HELP, VIEW_HELP },
};

struct ui *
ui_new(const struct tui_opts *o)
{
	struct ui *ui = mem_zalloc(sizeof(*ui));

	ui->o = o;
	keymap_init(&ui->keys);
	ui->at = o->at ? mem_strdup(o->at) : NULL;
	ui->wake_fd = -1;
	ui->focus = SLOT_EVENTS;
	ui->code_auto = true;
	ui->frame = TUI_FRAME_AUTO;
	ui->mouse = true;
	ui->redraw = true;
	for (int i = VIEW_COUNT - 1; i >= 0; i--) {
		ui->views[i] = view_new(all_views[i], ui);
		ui->tab[all_views[i]->slot] = (enum view_id)i;
	}
	return ui;
}

void
ui_free(struct ui *ui)
{
	worker_stop(ui->rep);
	worker_stop(ui->ask);
	worker_stop(ui->nav);
	if (ui->wake_fd >= 0)
		close(ui->wake_fd);
	for (int i = 0; i < VIEW_COUNT; i++)
		view_free(ui->views[i]);
	keymap_release(&ui->keys);
	prompt_release(&ui->prompt);
	history_release(&ui->history);
	arena_free(&ui->rec_arena);
	arena_free(&ui->tasks.arena);
	arena_free(&ui->marks.arena);
	arena_free(&ui->moment.arena);
	arena_free(&ui->before.arena);
	mem_free(ui->at);
	mem_free(ui->filter);
	mem_free(ui->search);
	mem_free(ui->mem_expr);
	mem_free(ui->clip);
	mem_free(ui->gdb);
	breaks_release(ui);
	mem_free(ui);
}

void
ui_start(struct ui *ui)
{
	const struct tui_opts *o = ui->o;

	ui->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ui->wake_fd < 0)
		die("no eventfd: %m");
	ui->nav = worker_start(
		&(struct worker_opts){ "tui-nav", o->nav_data, o->query->cancel,
				       o->query->close, ui->wake_fd });
	ui->ask = worker_start(
		&(struct worker_opts){ "tui-ask", o->ask_data, o->query->cancel,
				       o->query->close, ui->wake_fd });
	ui->rep = worker_start(
		&(struct worker_opts){ "tui-replay", o->replay_data, NULL,
				       o->replay->close, ui->wake_fd });
	nav_start(ui);
	if (o->greeting)
		ui_say(ui, "%s", o->greeting);
}

struct ui *
ui_turn(struct ui *ui)
{
	struct ui *to = ui->other;

	if (!ui->turn)
		return ui;
	ui->turn = false;
	to->mouse = ui->mouse;
	to->redraw = true;
	return to;
}

void
ui_deliver(struct ui *ui)
{
	uint64_t n;
	int delivered;
	ssize_t got = read(ui->wake_fd, &n, sizeof(n));

	(void)got; /* nothing to read: nobody called */
	delivered = worker_deliver(ui->nav) + worker_deliver(ui->ask) +
		    worker_deliver(ui->rep);
	if (delivered)
		ui->redraw = true;
}

bool
ui_busy(struct ui *ui)
{
	return worker_busy(ui->nav) || worker_busy(ui->ask) ||
	       worker_busy(ui->rep);
}

void
ui_tick(struct ui *ui)
{
	uint64_t now = clock_now_ns();

	ui->spin++;
	if (ui_busy(ui))
		ui->redraw = true;
	/* A recording that still runs grows. */
	if (!ui->rec_known || !ui->rec.state ||
	    strcmp(ui->rec.state, "running") != 0 ||
	    now - ui->looked_ns < LOOK_NS)
		return;
	ui->looked_ns = now;
	nav_refresh(ui);
}

void
ui_invalidate(struct ui *ui, unsigned dirty)
{
	for (int i = 0; i < VIEW_COUNT; i++)
		ui->views[i]->dirty |= dirty;
	ui->redraw = true;
}

static void __attribute__((format(printf, 3, 0)))
set_message(struct ui *ui, bool error, const char *fmt, va_list ap)
{
	vsnprintf(ui->message, sizeof(ui->message), fmt, ap);
	/* One line: what comes from a server may have more. */
	for (char *p = ui->message; *p; p++)
		if (*p == '\n')
			*p = ' ';
	ui->message_error = error;
	ui->redraw = true;
}

void
ui_say(struct ui *ui, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_message(ui, false, fmt, ap);
	va_end(ap);
}

void
ui_complain(struct ui *ui, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_message(ui, true, fmt, ap);
	va_end(ap);
}

void
ui_complain_err(struct ui *ui, const struct err *err)
{
	ui_complain(ui, "%s%s%s", err->text, err->hint[0] ? "  " : "",
		    err->hint);
}

static void
ask(struct ui *ui, enum prompt_kind kind)
{
	prompt_open(&ui->prompt, kind,
		    kind == PROMPT_FILTER && ui->filter ? ui->filter : "");
	ui->redraw = true;
}

static void
go_back(struct ui *ui, bool forward, int64_t n)
{
	struct pos pos = nav_pos(ui);
	bool some = false;

	while (n-- > 0 && (forward ? history_forward(&ui->history, &pos)
				   : history_back(&ui->history, &pos)))
		some = true;
	if (some)
		nav_goto_pos(ui, &pos);
	else
		ui_say(ui, forward ? "this is the newest place"
				   : "this is where you began");
}

static void
copy_position(struct ui *ui)
{
	struct pos pos = nav_pos(ui);
	char text[POS_TEXT_MAX];

	mem_free(ui->clip);
	ui->clip = mem_strdup(pos_format(&pos, text));
	ui->copy = true;
	ui_say(ui, "copied %s", text);
}

static void
ask_gdb(struct ui *ui)
{
	struct pos pos = nav_pos(ui);
	char text[POS_TEXT_MAX];

	if (!ui->o->gdb) {
		ui_say(ui, "there is no debugger here");
		return;
	}
	mem_free(ui->gdb);
	ui->gdb = mem_strdup(pos_format(&pos, text));
}

/* Also for what a held worker has not begun. */
static bool
is_waiting(struct ui *ui)
{
	uint64_t since, at, to;
	unsigned key;

	return worker_running(ui->ask, &key, &since, &at, &to) ||
	       worker_running(ui->nav, &key, &since, &at, &to) ||
	       worker_running(ui->rep, &key, &since, &at, &to);
}

static void
cancel(struct ui *ui)
{
	if (!is_waiting(ui)) {
		if (ui->full)
			ui_close_pane(ui);
		ui->redraw = true;
		return;
	}
	worker_cancel(ui->ask, WORKER_ALL);
	worker_cancel(ui->nav, JOB_STEP);
	worker_cancel(ui->nav, JOB_PAGES);
	moment_cancel(ui);
	ui_say(ui, "stopped");
}

/* Requests that move. False: another kind. */
static bool
request_move(struct ui *ui, enum request r, uint64_t count)
{
	int64_t n = count && count < INT32_MAX ? (int64_t)count : 1;
	char text[32];

	switch ((int)r) {
	case REQ_PREV_EVENT:
		nav_step(ui, 0, -n);
		return true;
	case REQ_NEXT_EVENT:
		nav_step(ui, 0, n);
		return true;
	case REQ_PREV_TASK_EVENT:
	case REQ_NEXT_TASK_EVENT:
		if (!nav_task(ui))
			ui_say(ui, "this event belongs to no task");
		else
			nav_step(ui, nav_task(ui),
				 r == REQ_PREV_TASK_EVENT ? -n : n);
		return true;
	case REQ_GO_START:
		nav_jump(ui, 1);
		return true;
	case REQ_GO_END:
		nav_jump(ui, ui->rec.events);
		return true;
	case REQ_GO_PERCENT:
		snprintf(text, sizeof(text), "%" PRIu64 "%%", count);
		count ? nav_to(ui, text) : ask(ui, PROMPT_PERCENT);
		return true;
	case REQ_GO_TIME:
		snprintf(text, sizeof(text), "%" PRIu64 "s", count);
		count ? nav_to(ui, text) : ask(ui, PROMPT_TIME);
		return true;
	case REQ_GO_EVENT:
		snprintf(text, sizeof(text), "e%" PRIu64, count);
		count ? nav_to(ui, text) : ask(ui, PROMPT_EVENT);
		return true;
	case REQ_BACK:
	case REQ_FORWARD:
		go_back(ui, r == REQ_FORWARD, n);
		return true;
	case REQ_MARK_SET:
		ask(ui, PROMPT_MARK_SET);
		return true;
	case REQ_MARK_GO:
		ask(ui, PROMPT_MARK_GO);
		return true;
	}
	return false;
}

static bool
request_pane(struct ui *ui, enum request r, uint64_t count)
{
	uint64_t n = count && count < VIEW_COUNT ? count : 1;

	switch ((int)r) {
	case REQ_NEXT_PANE:
	case REQ_PREV_PANE:
		while (n-- > 0)
			ui_next_pane(ui, r == REQ_NEXT_PANE ? 1 : -1);
		return true;
	case REQ_NEXT_TAB:
	case REQ_PREV_TAB:
		while (n-- > 0)
			ui_next_tab(ui, r == REQ_NEXT_TAB ? 1 : -1);
		return true;
	case REQ_MAXIMISE:
		if (!ui->full)
			ui->maximised = !ui->maximised;
		return true;
	case REQ_CLOSE:
		ui_close_pane(ui);
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(view_requests); i++) {
		if (view_requests[i].req != r)
			continue;
		ui_open(ui, view_requests[i].view);
		return true;
	}
	return false;
}

static bool
request_other(struct ui *ui, enum request r, uint64_t count)
{
	switch ((int)r) {
	case REQ_SEARCH:
		ask(ui, PROMPT_SEARCH);
		return true;
	case REQ_SEARCH_BACK:
		ask(ui, PROMPT_SEARCH_BACK);
		return true;
	case REQ_NEXT_HIT:
	case REQ_PREV_HIT:
		search_again(ui, r == REQ_PREV_HIT, count);
		return true;
	case REQ_FILTER:
		ask(ui, PROMPT_FILTER);
		return true;
	case REQ_COMMAND:
		ask(ui, PROMPT_COMMAND);
		return true;
	case REQ_ZOOM_IN:
	case REQ_ZOOM_OUT:
		view_request(ui->views[VIEW_LANES], r, count);
		return true;
	case REQ_COPY_POSITION:
		copy_position(ui);
		return true;
	case REQ_GDB:
		ask_gdb(ui);
		return true;
	case REQ_CANCEL:
		cancel(ui);
		return true;
	case REQ_REDRAW:
		ui->repaint = true;
		return true;
	case REQ_MOUSE:
		ui->mouse = !ui->mouse;
		ui_say(ui, ui->mouse ? "the mouse is ours"
				     : "the mouse is the terminal's");
		return true;
	case REQ_SUSPEND:
		ui->suspend = true;
		return true;
	case REQ_OTHER:
		if (ui->other)
			ui->turn = true;
		else
			ui_complain(ui, "there is no other recording: "
					"pastime tui --diff opens two");
		return true;
	case REQ_QUIT:
		ui->quit = true;
		return true;
	}
	return false;
}

void
ui_request(struct ui *ui, enum request r, uint64_t count)
{
	ui->redraw = true;
	if (view_request(ui_focused(ui), r, count))
		return;
	if (motion_request(ui, r, count) || request_move(ui, r, count) ||
	    request_pane(ui, r, count) || request_other(ui, r, count))
		return;
	if (r == REQ_ENTER || r == REQ_DELETE)
		ui_say(ui, "nothing to do that for here");
}

static void
prompt_input(struct ui *ui, uint32_t key)
{
	struct prompt *p = &ui->prompt;
	enum prompt_kind kind = p->kind;

	switch (prompt_key(p, key)) {
	case PROMPT_OPEN:
	case PROMPT_CANCELLED:
		break;
	case PROMPT_DONE: {
		/* The answer may open another prompt. */
		char *text = mem_strdup(prompt_text(p));

		prompt_finished(ui, kind, text);
		mem_free(text);
		break;
	}
	case PROMPT_TAB:
		prompt_tab(ui);
		break;
	}
}

void
ui_key(struct ui *ui, uint32_t key)
{
	enum request r;
	uint64_t count;
	bool known;

	ui->redraw = true;
	ui->message[0] = '\0';
	if (ui->prompt.kind != PROMPT_NONE) {
		prompt_input(ui, key);
		return;
	}
	r = keymap_press(&ui->keys, key, &count, &known);
	if (r != REQ_NONE) {
		ui_request(ui, r, count);
	} else if (!known) {
		char name[KEY_NAME_MAX], help[KEY_NAME_MAX];

		ui_say(ui, "%s does nothing; %s shows the keys",
		       keys_name(key, name),
		       keymap_key_of(&ui->keys, REQ_HELP, help));
	}
}

/* A click on a title chooses the tab that is written there. */
static void
click_title(struct ui *ui, enum slot s, int x)
{
	int at = ui->layout.title[s].x + 2;

	for (int i = 0; i < VIEW_COUNT; i++) {
		const struct view_ops *ops = all_views[i];
		int w;

		if (ops->slot != s)
			continue;
		w = draw_width(ops->title) + ((int)ui->tab[s] == i ? 2 : 0);
		if (x >= at && x < at + w) {
			ui_open(ui, (enum view_id)i);
			return;
		}
		at += w + 1;
	}
	ui->focus = s;
}

void
ui_mouse(struct ui *ui, int y, int x, bool twice)
{
	int s = layout_at(&ui->layout, y, x);
	struct view *v;

	if (s < 0 || ui->prompt.kind != PROMPT_NONE)
		return;
	ui->redraw = true;
	if (rect_has(&ui->layout.title[s], y, x)) {
		click_title(ui, (enum slot)s, x);
		return;
	}
	ui->focus = (enum slot)s;
	v = ui_focused(ui);
	y -= ui->layout.pane[s].y;
	x -= ui->layout.pane[s].x;
	if (v->ops->click)
		v->ops->click(v, y, x);
	else if (v->lines.top + (size_t)y < v->lines.v.len)
		lines_set_cursor(&v->lines, v->lines.top + (size_t)y);
	if (twice)
		ui_request(ui, REQ_ENTER, 0);
}

void
ui_wheel(struct ui *ui, int y, int x, int lines)
{
	int s = layout_at(&ui->layout, y, x);

	if (s < 0 || ui->prompt.kind != PROMPT_NONE)
		return;
	view_request(ui->views[ui->tab[s]], lines < 0 ? REQ_UP : REQ_DOWN,
		     (uint64_t)(lines < 0 ? -lines : lines));
	ui->redraw = true;
}
