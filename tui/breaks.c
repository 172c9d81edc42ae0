/* Breakpoints: by name, by line, with conditions; their list. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tui/cond.h"
#include "tui/ui.h"

#define PLACES_MAX 8u

struct break_job {
	struct job job;
	struct ui *ui;
	struct pos at;
	char *spec, *cond; /* cond NULL: none */
	char *file;	   /* whose line a number is */
	uint64_t addr[PLACES_MAX];
	size_t n;
};

static void
free_break(struct ui_break *b)
{
	mem_free(b->text);
	mem_free(b->cond);
}

void
breaks_release(struct ui *ui)
{
	for (size_t i = 0; i < ui->breaks.len; i++)
		free_break(&ui->breaks.v[i]);
	vec_free(&ui->breaks);
}

static bool
is_place(const struct ui_break *b, uint64_t addr)
{
	return b->addr == addr && !b->event && !b->len;
}

const struct ui_break *
breaks_at(const struct ui *ui, uint64_t addr)
{
	for (size_t i = 0; i < ui->breaks.len; i++) {
		if (is_place(&ui->breaks.v[i], addr))
			return &ui->breaks.v[i];
	}
	return NULL;
}

void
breaks_remove(struct ui *ui, size_t i)
{
	const struct ui_break *b = &ui->breaks.v[i];

	ui_say(ui,
	       b->event || b->len ? "%s: no stop any more"
				  : "the breakpoint at %s is gone",
	       b->text);
	free_break(&ui->breaks.v[i]);
	vec_remove(&ui->breaks, i);
	ui_invalidate(ui, DIRTY_BREAKS | DIRTY_MOMENT);
}

static void
add_break(struct ui *ui, uint64_t addr, const char *text, const char *cond)
{
	struct ui_break b = { .addr = addr, .text = mem_strdup(text) };

	if (cond)
		b.cond = mem_strdup(cond);
	vec_push(&ui->breaks, b);
	ui_invalidate(ui, DIRTY_BREAKS | DIRTY_MOMENT);
}

void
breaks_toggle(struct ui *ui, uint64_t addr)
{
	char text[32];

	for (size_t i = 0; i < ui->breaks.len; i++) {
		if (is_place(&ui->breaks.v[i], addr)) {
			breaks_remove(ui, i);
			return;
		}
	}
	snprintf(text, sizeof(text), "0x%" PRIx64, addr);
	add_break(ui, addr, text, NULL);
	ui_say(ui, "breakpoint at %s", text);
}

/* ---- by name */

static int
break_run(struct job *job, void *data)
{
	struct break_job *j = (struct break_job *)job;

	return j->ui->o->replay->places(data, &j->at, j->spec, j->file, j->addr,
					PLACES_MAX, &j->n, &job->err);
}

/* The same place once more takes it away, when no condition is new. */
static bool
take_away(struct ui *ui, const struct break_job *j)
{
	if (j->cond || j->n != 1)
		return false;
	for (size_t i = 0; i < ui->breaks.len; i++) {
		if (is_place(&ui->breaks.v[i], j->addr[0])) {
			breaks_remove(ui, i);
			return true;
		}
	}
	return false;
}

static void
break_done(struct job *job, void *owner)
{
	struct break_job *j = (struct break_job *)job;
	struct ui *ui = owner;

	if (job->rc < 0 && job->rc != -E_CANCELLED) {
		ui_complain_err(ui, &job->err);
	} else if (job->rc == 0 && !take_away(ui, j)) {
		for (size_t i = 0; i < j->n; i++)
			add_break(ui, j->addr[i], j->spec, j->cond);
		ui_say(ui, "breakpoint at %s: 0x%" PRIx64 "%s%s%s", j->spec,
		       j->addr[0], j->n > 1 ? " and others" : "",
		       j->cond ? ", if " : "", j->cond ? j->cond : "");
	}
	mem_free(j->spec);
	mem_free(j->cond);
	mem_free(j->file);
}

void
breaks_set(struct ui *ui, const char *text)
{
	const struct tui_moment *m = &ui->moment.m;
	const char *cond = strstr(text, " if ");
	size_t len = cond ? (size_t)(cond - text) : strlen(text);
	struct err err = { 0 };
	struct break_job *j;

	while (len && text[len - 1] == ' ')
		len--;
	if (cond && cond_check(cond + 4, &err) < 0) {
		ui_complain_err(ui, &err);
		return;
	}
	if (!len || !nav_task(ui)) {
		ui_say(ui,
		       len ? "no program runs at this event"
			   : "break FUNCTION, FILE:LINE, LINE or 0xADDRESS, "
			     "then perhaps: if x == 5");
		return;
	}
	j = job_new(sizeof(*j), JOB_BREAK, break_run, break_done, ui);
	j->ui = ui;
	j->at = nav_pos(ui);
	j->at.task = nav_task(ui);
	j->spec = mem_printf("%.*s", (int)len, text);
	if (cond)
		j->cond = mem_strdup(cond + 4);
	if (ui->moment.valid && m->src_file)
		j->file = mem_strdup(m->src_file);
	worker_submit(ui->rep, &j->job);
}

/* ---- their list */

static void
breaks_update(struct view *v, unsigned dirty)
{
	const struct ui *ui = v->ui;
	struct lines *l = &v->lines;
	char key[KEY_NAME_MAX];

	if (!(dirty & DIRTY_BREAKS) && l->v.len)
		return;
	lines_clear(l);
	for (size_t i = 0; i < ui->breaks.len; i++) {
		const struct ui_break *b = &ui->breaks.v[i];
		enum style style = b->off ? STYLE_DIM : STYLE_NORMAL;
		const char *off = b->off ? "  (off)" : "";
		struct line *line;

		if (b->event)
			line = lines_addf(l, style, "catch %s%s", b->text, off);
		else if (b->len)
			line = lines_addf(l, style,
					  "watch %-18s 0x%" PRIx64
					  ", %u bytes%s",
					  b->text, b->addr, b->len, off);
		else
			line = lines_addf(l, style, "%-24s 0x%" PRIx64 "%s%s%s",
					  b->text, b->addr,
					  b->cond ? "  if " : "",
					  b->cond ? b->cond : "", off);
		line->num = i;
		line->gutter = b->off ? 0 : b->len ? 'w' : 'b';
	}
	if (!ui->breaks.len)
		lines_addf(l, STYLE_DIM,
			   "no breakpoints; %s sets one, :break FUNCTION if "
			   "x == 5 another, :catch signal stops at events",
			   keymap_key_of(&ui->keys, REQ_BREAK, key));
}

static bool
breaks_request(struct view *v, enum request r, uint64_t count)
{
	struct ui *ui = v->ui;
	const struct line *line = lines_current(&v->lines);

	(void)count;
	if (!line || line->num >= ui->breaks.len)
		return false;
	if (r == REQ_ENTER) {
		ui->breaks.v[line->num].off = !ui->breaks.v[line->num].off;
		ui_invalidate(ui, DIRTY_BREAKS | DIRTY_MOMENT);
	} else if (r == REQ_DELETE) {
		breaks_remove(ui, line->num);
	} else {
		return false;
	}
	return true;
}

const struct view_ops breaks_ops = {
	.title = "Breaks",
	.slot = SLOT_OUTPUT,
	.size = sizeof(struct view),
	.update = breaks_update,
	.request = breaks_request,
};
