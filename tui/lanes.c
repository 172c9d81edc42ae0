/*
 * Tasks over time, each a lane: how many events, where signals and ends were,
 * where we are. Below them a ruler. + and - change how much time is seen.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tui/fetch.h"
#include "tui/ui.h"

#define NAME_MAX_COLS 20
#define SIGNALS_MAX 500u
#define DOT_SHIFT 3 /* columns that a mark may stand beside its own */

/* A mark in a lane. */
struct dot {
	uint64_t time_ns;
	uint32_t task;
	enum glyph glyph; /* GLYPH_COUNT: a bookmark */
};

struct lanes_data {
	struct arena arena;
	uint64_t from_ns, to_ns;
	size_t buckets, n_tasks;
	uint32_t *tasks;
	uint32_t *counts; /* n_tasks rows of buckets */
	struct dot *dots;
	size_t n_dots;
};

struct lanes_view {
	struct view v;
	struct lanes_data d;
	uint64_t width_ns; /* of the window; 0 = everything */
	uint64_t from_ns;
	bool chosen; /* moved among the lanes: top stays */
	size_t top;
	uint32_t cursor; /* task */
};

struct lanes_job {
	struct job job;
	struct ui *ui;
	struct lanes_data d;
	uint64_t events;
	size_t n_marks;
	uint64_t *marks;
};

static void
add_dot(struct lanes_job *j, uint64_t time_ns, uint32_t task, enum glyph g)
{
	j->d.dots[j->d.n_dots++] = (struct dot){ time_ns, task, g };
}

/* Bookmarks know their event only; the event knows the time. */
static int
find_marks(struct lanes_job *j, void *data)
{
	struct fetch f = {
		.ops = j->ui->o->query,
		.data = data,
		.job = &j->job,
		.last = j->events,
	};

	for (size_t i = 0; i < j->n_marks; i++) {
		uint64_t found = 0;
		struct row row;
		int rc = fetch_nth(&f, j->marks[i] - 1, false, 1, &row, &found,
				   &j->job.err);

		if (rc < 0)
			return rc;
		if (found)
			add_dot(j, row.time_ns, row.task, GLYPH_COUNT);
	}
	return 0;
}

static int
find_signals(struct lanes_job *j, void *data)
{
	struct fetch f = {
		.ops = j->ui->o->query,
		.data = data,
		.job = &j->job,
		.filter = "kind:signal",
		.last = j->events,
	};
	struct page page = { 0 };
	uint64_t seq = 1;
	bool all;
	int rc;

	rc = f.ops->seq_at_time(data, j->d.from_ns, &seq, &j->job.err);
	if (rc < 0)
		return rc;
	rc = fetch_page(&f, seq ? seq - 1 : 0, false, SIGNALS_MAX, &page, &all,
			&j->job.err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < page.n; i++)
		if (page.v[i].time_ns <= j->d.to_ns)
			add_dot(j, page.v[i].time_ns, page.v[i].task,
				GLYPH_SIGNAL);
	arena_free(&page.arena);
	return 0;
}

static int
lanes_run(struct job *job, void *data)
{
	struct lanes_job *j = (struct lanes_job *)job;
	struct lanes_data *d = &j->d;
	struct tui_lanes_req req = { d->from_ns, d->to_ns, d->buckets, d->tasks,
				     d->n_tasks };
	int rc;

	d->n_dots = 0;
	d->dots = arena_alloc(&job->arena,
			      (SIGNALS_MAX + j->n_marks) * sizeof(*d->dots));
	d->counts = arena_alloc(&job->arena,
				d->n_tasks * d->buckets * sizeof(*d->counts));
	rc = j->ui->o->query->lanes(data, &req, d->counts, &job->err);
	if (rc < 0)
		return rc;
	rc = find_signals(j, data);
	return rc < 0 ? rc : find_marks(j, data);
}

static void
lanes_free(struct lanes_data *d)
{
	mem_free(d->tasks);
	arena_free(&d->arena);
	*d = (struct lanes_data){ 0 };
}

static void
lanes_done(struct job *job, void *owner)
{
	struct lanes_job *j = (struct lanes_job *)job;
	struct ui *ui = owner;
	struct lanes_view *lv = (struct lanes_view *)ui->views[VIEW_LANES];

	mem_free(j->marks);
	if (job->rc < 0) {
		mem_free(j->d.tasks);
		if (job->rc != -E_CANCELLED)
			ui_complain_err(ui, &job->err);
		return;
	}
	lanes_free(&lv->d);
	lv->d = j->d;
	lv->d.arena = job_take_arena(job);
}

static uint64_t
duration(const struct ui *ui)
{
	return ui->rec.duration_ns ? ui->rec.duration_ns : 1;
}

static int
name_cols(const struct ui *ui)
{
	int w = 10; /* the ruler's time */

	for (size_t i = 0; i < ui->tasks.n; i++) {
		const struct task_row *t = &ui->tasks.v[i];
		int n = draw_width(t->comm ? t->comm : "") + 8;

		w = n > w ? n : w;
	}
	return w < NAME_MAX_COLS ? w : NAME_MAX_COLS;
}

static void
window(const struct lanes_view *lv, uint64_t *from, uint64_t *to)
{
	uint64_t all = duration(lv->v.ui);

	*from = lv->width_ns ? lv->from_ns : 0;
	*to = lv->width_ns ? lv->from_ns + lv->width_ns : all;
}

/* A zoomed window follows the position. True when it moved. */
static bool
follow(struct lanes_view *lv)
{
	const struct ui *ui = lv->v.ui;
	uint64_t now = ui->here.time_ns;

	if (!lv->width_ns || ui->here.seq != ui->seq ||
	    (now >= lv->from_ns && now <= lv->from_ns + lv->width_ns))
		return false;
	lv->from_ns = now > lv->width_ns / 2 ? now - lv->width_ns / 2 : 0;
	return true;
}

/* The tasks that live in the window, in order of birth. */
static uint32_t *
tasks_in(const struct ui *ui, uint64_t from, uint64_t to, size_t *n)
{
	uint32_t *v = mem_calloc(ui->tasks.n + 1, sizeof(*v));

	*n = 0;
	for (size_t i = 0; i < ui->tasks.n; i++) {
		const struct task_row *t = &ui->tasks.v[i];

		if (t->born_ns <= to && (!t->died_seq || t->died_ns >= from))
			v[(*n)++] = t->task;
	}
	return v;
}

static void
lanes_update(struct view *v, unsigned dirty)
{
	struct lanes_view *lv = (struct lanes_view *)v;
	struct ui *ui = v->ui;
	int cols = v->rect.w - name_cols(ui) - 1;
	bool moved = (dirty & (DIRTY_POS | DIRTY_HERE)) && follow(lv);
	struct lanes_job *j;

	if (dirty & DIRTY_POS)
		lv->chosen = false;
	if (!ui->rec_known || !ui->tasks.n || cols < 8)
		return;
	if (!moved &&
	    !(dirty & (DIRTY_TASKS | DIRTY_MARKS | DIRTY_SIZE | DIRTY_GROWN)))
		return;
	j = job_new(sizeof(*j), JOB_LANES, lanes_run, lanes_done, ui);
	j->ui = ui;
	j->events = ui->rec.events;
	j->d.buckets = (size_t)cols;
	window(lv, &j->d.from_ns, &j->d.to_ns);
	j->d.tasks = tasks_in(ui, j->d.from_ns, j->d.to_ns, &j->d.n_tasks);
	j->marks = mem_calloc(ui->marks.n + 1, sizeof(*j->marks));
	for (size_t i = 0; i < ui->marks.n; i++)
		if (ui->marks.v[i].seq)
			j->marks[j->n_marks++] = ui->marks.v[i].seq;
	worker_submit(ui->ask, &j->job);
}

/* The column of a time in the lanes, or -1. */
static int
column(const struct lanes_data *d, uint64_t time_ns)
{
	double share;

	if (time_ns < d->from_ns || time_ns > d->to_ns || !d->buckets)
		return -1;
	share = (double)(time_ns - d->from_ns) /
		(double)(d->to_ns - d->from_ns + 1);
	return (int)(share * (double)d->buckets);
}

/* Steps of 1, 2 or more events: a lane's own scale would hide that one
 * task does little, so all share the logarithm of the busiest bucket. */
static int
level(uint32_t count, uint32_t most)
{
	int bits = 0, top = 0;

	if (!count)
		return 0;
	for (uint32_t v = count; v > 1; v >>= 1)
		bits++;
	for (uint32_t v = most; v > 1; v >>= 1)
		top++;
	return 1 + (top ? bits * 7 / top : 7);
}

/* What of a lane is taken by marks, a flag per column. */
struct taken {
	int y, x0, cols;
	bool *v;
};

static bool
is_free(const struct taken *t, int x, int w)
{
	for (int i = 0; i < w; i++)
		if (x < 0 || x + i >= t->cols || t->v[x + i])
			return false;
	return true;
}

/*
 * A mark at its column, or beside it when another one stands there: half of a
 * wide character is nothing that a terminal can show.
 */
static void
draw_dot(struct taken *t, int x, const char *text)
{
	int w = draw_width(text);

	for (int off = 0; x >= 0 && off <= 2 * DOT_SHIFT; off++) {
		int at = x + (off % 2 ? -(off + 1) / 2 : off / 2);

		if (!is_free(t, at, w))
			continue;
		draw_text(t->y, t->x0 + at, w, 0, STYLE_MARK, text);
		memset(t->v + at, true, (size_t)w);
		return;
	}
}

/* Bookmarks first: they are the user's own. */
static void
draw_dots(const struct lanes_data *d, const struct task_row *task,
	  struct taken *t)
{
	for (size_t i = 0; i < d->n_dots; i++)
		if (d->dots[i].task == task->task &&
		    d->dots[i].glyph == GLYPH_COUNT)
			draw_dot(t, column(d, d->dots[i].time_ns), "@");
	if (task->died_seq)
		draw_dot(t, column(d, task->died_ns), draw_glyph(GLYPH_EXIT));
	for (size_t i = 0; i < d->n_dots; i++)
		if (d->dots[i].task == task->task &&
		    d->dots[i].glyph != GLYPH_COUNT)
			draw_dot(t, column(d, d->dots[i].time_ns),
				 draw_glyph(d->dots[i].glyph));
}

static void
draw_lane(const struct lanes_view *lv, int y, const struct rect *r, int x0,
	  size_t at, uint32_t most, bool focus)
{
	const struct ui *ui = lv->v.ui;
	const struct lanes_data *d = &lv->d;
	uint32_t task = d->tasks[at];
	const struct task_row *t = nav_task_row(ui, task);
	enum style s = focus && lv->cursor == task ? STYLE_SELECT
		       : task == nav_task(ui)	   ? STYLE_STATUS
						   : STYLE_NORMAL;
	int end = r->x + r->w;
	struct taken taken = { .y = y, .x0 = x0 };

	draw_fill(y, r->x, x0 - r->x, s);
	draw_text(y, r->x, 1, 0, s, task == nav_task(ui) ? ">" : " ");
	if (t)
		draw_textf(y, r->x + 1, x0 - r->x - 2, s, "%s %d",
			   t->comm ? t->comm : "", t->tid);
	for (size_t b = 0; b < d->buckets && x0 + (int)b < end; b++)
		draw_text(y, x0 + (int)b, 1, 0, STYLE_NORMAL,
			  draw_level(
				  level(d->counts[at * d->buckets + b], most)));
	/* After a resize the old counts may be wider than the pane. */
	taken.cols = (int)d->buckets < end - x0 ? (int)d->buckets : end - x0;
	if (!t || taken.cols <= 0)
		return;
	taken.v = mem_calloc((size_t)taken.cols, sizeof(*taken.v));
	draw_dots(d, t, &taken);
	mem_free(taken.v);
}

static void
draw_ruler(const struct lanes_view *lv, int y, const struct rect *r, int x0)
{
	const struct lanes_data *d = &lv->d;
	const struct ui *ui = lv->v.ui;
	char from[DRAW_NUMBER_MAX], to[DRAW_NUMBER_MAX];
	int w = r->x + r->w - x0, x = -1, n;

	draw_time(d->from_ns, from);
	draw_time(d->to_ns, to);
	draw_text(y, r->x + 1, x0 - r->x - 1, 0, STYLE_DIM, from);
	if (ui->here.seq == ui->seq)
		x = column(d, ui->here.time_ns);
	n = draw_width(to);
	if (x < w - n - 1)
		draw_text(y, x0 + w - n, n, 0, STYLE_DIM, to);
	if (x >= 0)
		draw_text(y, x0 + x, 1, 0, STYLE_STATUS,
			  draw_glyph(GLYPH_HERE));
}

static void
lanes_draw(struct view *v, const struct rect *r, bool focus)
{
	struct lanes_view *lv = (struct lanes_view *)v;
	const struct lanes_data *d = &lv->d;
	int x0 = r->x + name_cols(v->ui) + 1;
	size_t h = r->h > 1 ? (size_t)r->h - 1 : 0, at = 0;
	uint32_t most = 0, want;

	if (!lv->cursor)
		lv->cursor = nav_task(v->ui);
	want = lv->chosen ? lv->cursor : nav_task(v->ui);
	for (size_t i = 0; i < d->n_tasks * d->buckets; i++)
		most = d->counts[i] > most ? d->counts[i] : most;
	while (at < d->n_tasks && d->tasks[at] != want)
		at++;
	if (at < d->n_tasks) {
		if (at < lv->top)
			lv->top = at;
		else if (h && at >= lv->top + h)
			lv->top = at - h + 1;
	}
	if (lv->top + h > d->n_tasks)
		lv->top = d->n_tasks > h ? d->n_tasks - h : 0;
	for (size_t i = 0; i < h && lv->top + i < d->n_tasks; i++)
		draw_lane(lv, r->y + (int)i, r, x0, lv->top + i, most, focus);
	if (r->h > 1 && d->buckets)
		draw_ruler(lv, r->y + r->h - 1, r, x0);
}

static void
zoom(struct lanes_view *lv, bool in, uint64_t count)
{
	const struct ui *ui = lv->v.ui;
	uint64_t all = duration(ui), width = lv->width_ns ? lv->width_ns : all;
	uint64_t now = ui->here.time_ns;

	for (uint64_t i = 0; i < (count ? count : 1) && i < 64; i++)
		width = in ? width / 2 : width * 2;
	width = width < 1000 ? 1000 : width;
	if (width >= all) {
		lv->width_ns = 0;
	} else {
		lv->width_ns = width;
		lv->from_ns = now > width / 2 ? now - width / 2 : 0;
		if (lv->from_ns + width > all)
			lv->from_ns = all - width;
	}
	lv->v.dirty |= DIRTY_SIZE;
}

static void
choose(struct lanes_view *lv, int step)
{
	const struct lanes_data *d = &lv->d;
	size_t at = 0;

	while (at < d->n_tasks && d->tasks[at] != lv->cursor)
		at++;
	if (at == d->n_tasks)
		at = 0;
	else if (step < 0)
		at = at > (size_t)-step ? at - (size_t)-step : 0;
	else
		at += (size_t)step;
	if (at >= d->n_tasks)
		at = d->n_tasks ? d->n_tasks - 1 : 0;
	if (d->n_tasks)
		lv->cursor = d->tasks[at];
	lv->chosen = true;
}

static bool
lanes_request(struct view *v, enum request r, uint64_t count)
{
	struct lanes_view *lv = (struct lanes_view *)v;
	int n = count && count < 100000 ? (int)count : 1;

	switch ((int)r) {
	case REQ_UP:
		choose(lv, -n);
		return true;
	case REQ_DOWN:
		choose(lv, n);
		return true;
	case REQ_ENTER:
		if (lv->cursor)
			nav_pin(v->ui, lv->cursor);
		return true;
	case REQ_ZOOM_IN:
	case REQ_ZOOM_OUT:
		zoom(lv, r == REQ_ZOOM_IN, count);
		return true;
	}
	return false;
}

static void
lanes_click(struct view *v, int y, int x)
{
	struct lanes_view *lv = (struct lanes_view *)v;
	const struct lanes_data *d = &lv->d;
	int x0 = name_cols(v->ui) + 1;
	size_t at = lv->top + (size_t)y;

	if (y < v->rect.h - 1 && at < d->n_tasks) {
		lv->cursor = d->tasks[at];
		lv->chosen = true;
	}
	if (x >= x0 && d->buckets)
		nav_to_time(v->ui,
			    d->from_ns +
				    (uint64_t)((double)(d->to_ns - d->from_ns) *
					       (double)(x - x0) /
					       (double)d->buckets));
}

static void
lanes_release(struct view *v)
{
	lanes_free(&((struct lanes_view *)v)->d);
}

const struct view_ops lanes_ops = {
	.title = "Lanes",
	.slot = SLOT_LANES,
	.size = sizeof(struct lanes_view),
	.update = lanes_update,
	.draw = lanes_draw,
	.request = lanes_request,
	.click = lanes_click,
	.release = lanes_release,
};
