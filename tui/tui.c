#include "tui/tui.h"

#include <stdlib.h>
#include <string.h>

#include "event/format.h"
#include "event/pos.h"
#include "tui/config.h"
#include "tui/script.h"
#include "tui/tty.h"
#include "tui/ui.h"

/* How often the spinner turns, and a running recording is looked at. */
#define SPIN_MS 120
#define LOOK_MS 1000

static void
load_keys(struct ui *ui, const char *file)
{
	char *path = file ? mem_strdup(file) : config_path("keys");
	struct err err = { 0 };

	if (path && *path && keymap_load(&ui->keys, path, &err) < 0)
		ui_complain_err(ui, &err);
	mem_free(path);
}

static void
load_theme(struct err *err)
{
	char *path = config_path("theme");

	if (path)
		draw_load_theme(path, err);
	mem_free(path);
}

static void
handle_event(struct ui *ui, struct tty *t, const struct tty_event *ev)
{
	switch (ev->kind) {
	case TTY_KEY:
		if (!ev->pasted) {
			ui_key(ui, ev->key);
			break;
		}
		/* Pasted text goes into a prompt as one line, never to the
		 * keys that command. */
		if (ui->prompt.kind == PROMPT_NONE)
			break;
		ui_key(ui, ev->key < ' ' ? ' ' : ev->key);
		break;
	case TTY_MOUSE:
		ui_mouse(ui, ev->y, ev->x, ev->twice);
		break;
	case TTY_WHEEL:
		ui_wheel(ui, ev->y, ev->x, ev->lines);
		break;
	case TTY_RESIZED:
		ui->redraw = true;
		break;
	case TTY_QUIT:
		err_set(&ui->fatal, E_CANCELLED, "ended by %s",
			signal_name(ev->signo));
		ui->quit = true;
		break;
	case TTY_NOTHING:
		break;
	}
	(void)t;
}

static void
debug(struct ui *ui, struct tty *t)
{
	struct err err = { 0 };
	int rc;

	tty_leave(t);
	rc = ui->o->gdb(ui->o->gdb_ctx, ui->gdb, &err);
	tty_return(t);
	mem_free(ui->gdb);
	ui->gdb = NULL;
	if (rc < 0)
		ui_complain_err(ui, &err);
}

/* What a key asked of the terminal itself. */
static void
serve_terminal(struct ui *ui, struct tty *t)
{
	if (ui->copy) {
		tty_copy(t, ui->clip);
		ui->copy = false;
	}
	if (ui->suspend) {
		ui->suspend = false;
		tty_suspend(t);
		ui->redraw = true;
	}
	if (ui->gdb) {
		debug(ui, t);
		ui->redraw = true;
	}
	if (ui->repaint) {
		tty_redraw(t);
		ui->repaint = false;
	}
}

static int
wait_ms(struct ui *ui)
{
	if (ui_busy(ui))
		return SPIN_MS;
	return ui->rec_known && ui->rec.state &&
			       !strcmp(ui->rec.state, "running")
		       ? LOOK_MS
		       : -1;
}

static void
interact(struct ui **shown, struct tty *t)
{
	struct ui *ui = *shown;
	bool mouse = !ui->mouse;

	while (!ui->quit) {
		struct tty_event ev;
		int wait;

		ui_deliver(ui);
		if (mouse != ui->mouse) {
			mouse = ui->mouse;
			tty_mouse(t, mouse);
		}
		if (ui->redraw)
			ui_draw(ui);
		/* Drawing may have taught something: draw again first. */
		wait = ui->redraw ? 0 : wait_ms(ui);
		tty_wait(t, ui->wake_fd, wait);
		ev = tty_next(t);
		if (ev.kind == TTY_NOTHING && wait > 0)
			ui_tick(ui);
		for (; ev.kind != TTY_NOTHING && !ui->quit; ev = tty_next(t))
			handle_event(ui, t, &ev);
		serve_terminal(ui, t);
		ui = *shown = ui_turn(ui);
	}
}

static int
check_opts(const struct tui_opts *o, struct err *err)
{
	struct pos_spec spec;
	int rc = o->at ? pos_parse(o->at, &spec, err) : 0;

	return rc >= 0 && o->other ? check_opts(o->other, err) : rc;
}

static void
close_data(const struct tui_opts *o)
{
	if (o->other)
		close_data(o->other);
	o->query->close(o->nav_data);
	o->query->close(o->ask_data);
	o->replay->close(o->replay_data);
}

static struct ui *
start(const struct tui_opts *o, const struct tui_opts *first, bool headless)
{
	struct ui *ui = ui_new(o);

	ui->headless = headless;
	load_keys(ui, first->keys_file);
	ui_start(ui);
	return ui;
}

/* Both interfaces, of two recordings: each is the other's other. */
static struct ui *
start_all(const struct tui_opts *o, bool headless)
{
	struct ui *ui = start(o, o, headless);

	if (o->other) {
		ui->other = start(o->other, o, headless);
		ui->other->other = ui;
	}
	return ui;
}

int
tui_run(const struct tui_opts *o, struct err *err)
{
	const char *script =
		o->script ? o->script : getenv("PASTIME_TUI_SCRIPT");
	struct err theme = { 0 };
	struct ui *ui, *shown;
	struct tty *t = NULL;
	int rc = check_opts(o, err);

	/* Before the terminal is taken, whose colours it is about. */
	if (rc >= 0 && !script)
		load_theme(&theme);
	if (rc >= 0)
		rc = script ? tty_open_headless(&t, 24, 80, err)
			    : tty_open(&t, err);
	if (rc < 0) {
		close_data(o);
		return rc;
	}
	shown = ui = start_all(o, script != NULL);
	if (theme.code)
		ui_complain_err(ui, &theme);
	if (script)
		rc = script_run(script, &shown, t, o, err);
	else
		interact(&shown, t);
	/* The terminal first: the workers may take a moment to end. */
	tty_close(t);
	if (rc >= 0 && shown->fatal.code) {
		rc = shown->fatal.code;
		if (err)
			*err = shown->fatal;
	}
	if (ui->other)
		ui_free(ui->other);
	ui_free(ui);
	return rc < 0 ? rc : 0;
}
