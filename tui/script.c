#include "tui/script.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/clock.h"
#include "base/fd.h"

#define REST_NS 60000000000ull

struct script {
	struct ui *ui;
	struct tty *t;
	FILE *out, *log;
};

/* Draw, until nothing is asked for any more and nothing new was learnt. */
static int
settle(struct script *s, struct err *err)
{
	uint64_t until = clock_now_ns() + REST_NS;

	for (;;) {
		ui_deliver(s->ui);
		if (ui_busy(s->ui)) {
			if (clock_now_ns() > until)
				return err_set(err, E_BUSY,
					       "the screen does not come to "
					       "rest");
			tty_wait(s->t, s->ui->wake_fd, 100);
			continue;
		}
		if (!s->ui->redraw)
			return 0;
		ui_draw(s->ui);
	}
}

static int
do_size(struct script *s, const char *arg, struct err *err)
{
	int rows, cols;

	if (sscanf(arg, "%dx%d", &cols, &rows) != 2 || rows < 1 || cols < 1 ||
	    rows > 1000 || cols > 1000)
		return err_set(err, E_FORMAT, "a size is 80x24");
	tty_resize(s->t, rows, cols);
	s->ui->redraw = true;
	return 0;
}

/* "key l next-event" */
static void
log_key(struct script *s, uint32_t key)
{
	const struct keymap *m = &s->ui->keys;
	char name[KEY_NAME_MAX];

	if (!s->log || s->ui->prompt.kind != PROMPT_NONE)
		return;
	for (size_t i = 0; i < m->len; i++)
		if (m->v[i].key == key)
			fprintf(s->log, "key %s %s\n", keys_name(key, name),
				request_desc(m->v[i].req)->name);
}

/* "view 80x24 Events" */
static void
log_views(struct script *s)
{
	const struct ui *ui = s->ui;

	for (int i = 0; s->log && i < SLOT_COUNT; i++)
		if (ui->layout.pane[i].h)
			fprintf(s->log, "view %dx%d %s\n", ui->layout.cols,
				ui->layout.rows,
				ui->views[ui->tab[i]]->ops->title);
}

/* As when a person types: what was asked for before has come. */
static int
press(struct script *s, uint32_t key, struct err *err)
{
	int rc = settle(s, err);

	if (rc >= 0) {
		log_key(s, key);
		ui_key(s->ui, key);
	}
	s->ui = ui_turn(s->ui);
	return rc;
}

static int
do_key(struct script *s, const char *arg, struct err *err)
{
	char *words = mem_strdup(arg), *save, *word;
	int rc = 0;

	for (word = strtok_r(words, " ", &save); word && rc >= 0;
	     word = strtok_r(NULL, " ", &save)) {
		uint32_t key = keys_parse(word);

		if (!key)
			rc = err_set(err, E_FORMAT, "no key is named \"%s\"",
				     word);
		else
			rc = press(s, key, err);
	}
	mem_free(words);
	return rc;
}

static int
do_type(struct script *s, const char *arg, struct err *err)
{
	mbstate_t st = { 0 };
	wchar_t ch;
	size_t n;
	int rc = 0;

	while (rc >= 0 && *arg &&
	       (n = mbrtowc(&ch, arg, strlen(arg), &st)) <= strlen(arg)) {
		rc = press(s, (uint32_t)ch, err);
		arg += n;
	}
	return rc;
}

static int
do_screen(struct script *s, const char *arg, struct err *err)
{
	struct buf text = { 0 };
	int rc = settle(s, err);

	if (rc < 0)
		return rc;
	tty_dump(s->t, &text);
	fprintf(s->out, "--- %s %dx%d\n%s", arg, s->ui->layout.cols,
		s->ui->layout.rows, buf_cstr(&text));
	buf_free(&text);
	log_views(s);
	return 0;
}

/* What the terminal's owner would do now. */
static int
do_asked(struct script *s)
{
	struct ui *ui = s->ui;

	fprintf(s->out, "asked:%s%s%s%s%s\n", ui->copy ? " copy" : "",
		ui->suspend ? " suspend" : "", ui->repaint ? " repaint" : "",
		ui->gdb ? " gdb at " : "", ui->gdb ? ui->gdb : "");
	ui->copy = ui->suspend = ui->repaint = false;
	mem_free(ui->gdb);
	ui->gdb = NULL;
	return 0;
}

static int
do_hold(struct script *s, const char *arg, bool hold, struct err *err)
{
	struct worker *w = !strcmp(arg, "nav")	    ? s->ui->nav
			   : !strcmp(arg, "ask")    ? s->ui->ask
			   : !strcmp(arg, "replay") ? s->ui->rep
						    : NULL;
	int rc;

	if (!w)
		return err_set(err, E_FORMAT, "workers are nav, ask, replay");
	rc = settle(s, err);
	if (rc >= 0)
		worker_hold(w, hold);
	s->ui->redraw = true;
	return rc;
}

static int
do_click(struct script *s, const char *arg, bool wheel, struct err *err)
{
	int y, x, lines = 0, rc;
	bool twice = strstr(arg, "twice") != NULL;

	if (sscanf(arg, "%d %d %d", &y, &x, &lines) < 2)
		return err_set(err, E_FORMAT, "a place is ROW COLUMN");
	rc = settle(s, err);
	if (rc < 0)
		return rc;
	if (wheel)
		ui_wheel(s->ui, y, x, lines);
	else
		ui_mouse(s->ui, y, x, twice);
	return 0;
}

static int
run_line(struct script *s, char *line, struct err *err)
{
	size_t len = strcspn(line, " ");
	char *arg = line + len;

	if (*arg)
		*arg++ = '\0';
	if (!*line || *line == '#')
		return 0;
	if (!strcmp(line, "size"))
		return do_size(s, arg, err);
	if (!strcmp(line, "key"))
		return do_key(s, arg, err);
	if (!strcmp(line, "type"))
		return do_type(s, arg, err);
	if (!strcmp(line, "screen"))
		return do_screen(s, arg, err);
	if (!strcmp(line, "hold") || !strcmp(line, "release"))
		return do_hold(s, arg, *line == 'h', err);
	if (!strcmp(line, "click") || !strcmp(line, "wheel"))
		return do_click(s, arg, *line == 'w', err);
	if (!strcmp(line, "clip")) {
		fprintf(s->out, "clipboard: %s\n",
			s->ui->clip ? s->ui->clip : "");
		return 0;
	}
	if (!strcmp(line, "asked"))
		return do_asked(s);
	return err_set(err, E_FORMAT, "\"%s\" is nothing that a script can do",
		       line);
}

int
script_run(const char *path, struct ui **ui, struct tty *t,
	   const struct tui_opts *o, struct err *err)
{
	FILE *out = o->script_out ? o->script_out : stdout;
	struct script s = { *ui, t, out, o->script_log };
	struct buf text = { 0 };
	char *copy, *line, *next;
	int rc = fd_read_file(path, &text), nr = 0;

	if (rc < 0) {
		buf_free(&text);
		return err_set(err, -rc, "cannot read %s: %s", path,
			       strerror(-rc));
	}
	copy = mem_strdup(buf_cstr(&text));
	buf_free(&text);
	for (line = copy; line && rc >= 0 && !s.ui->quit; line = next) {
		nr++;
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		rc = run_line(&s, line, err);
		if (rc < 0)
			err_wrap(err, "%s:%d", path, nr);
	}
	if (rc >= 0 && s.ui->quit && !s.ui->fatal.code)
		fprintf(out, "--- quit\n");
	*ui = s.ui;
	mem_free(copy);
	fflush(out);
	return rc < 0 ? rc : 0;
}
