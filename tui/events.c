/*
 * The list of events. The cursor is the position: moving it moves everything.
 * Only pages of rows around it are in memory; they are fetched ahead of
 * the cursor, so that a held key finds its rows there.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tui/fetch.h"
#include "tui/ui.h"

/* Rows that should be there on both sides of the cursor. */
#define AHEAD ROWS_PAGE
#define TEXT_MAX 48 /* bytes of a string in a row */
/* Rows that a filter lets through are shown after so long, few as they are. */
#define PATIENCE_NS 300000000ull

struct events_view {
	struct view v;
	struct rows rows;
	uint64_t epoch; /* what was asked for before a new filter is void */
	bool asking;
	uint64_t asked_seq; /* centre of what was asked, 0 = an end */
	int above; /* rows between the top of the pane and the cursor */
	uint64_t drawn_seq;
	bool filter_bad; /* the filter was refused: do not ask again */
};

enum side { AROUND, BEFORE, AFTER };

struct pages_job {
	struct job job;
	struct ui *ui;
	uint64_t epoch, seq, last;
	char *filter;
	enum side side;
	struct page before, after;
	bool all_before, all_after;
};

static int
pages_run(struct job *job, void *data)
{
	struct pages_job *j = (struct pages_job *)job;
	struct fetch f = {
		.ops = j->ui->o->query,
		.data = data,
		.job = job,
		.filter = j->filter,
		.last = j->last,
		.max_string = TEXT_MAX,
		/* What a script prints must not depend on the time. */
		.patience_ns = j->ui->headless ? 0 : PATIENCE_NS,
	};
	uint64_t from = j->side == AROUND ? j->seq + 1 : j->seq;
	int rc = 0;

	if (j->side != BEFORE)
		rc = fetch_page(&f, j->seq, false, ROWS_PAGE, &j->after,
				&j->all_after, &job->err);
	if (rc >= 0 && j->side != AFTER)
		rc = fetch_page(&f, from, true, ROWS_PAGE, &j->before,
				&j->all_before, &job->err);
	return rc;
}

static void
page_free(struct page *p)
{
	arena_free(&p->arena);
	*p = (struct page){ 0 };
}

/* Rows that came; false when the window moved on and they fit nowhere. */
static void
take_pages(struct events_view *e, struct pages_job *j)
{
	struct rows *r = &e->rows;
	const struct row *first = rows_first(r), *last = rows_last(r);

	if (j->side == AROUND)
		rows_clear(r);
	else if (j->side == BEFORE && (!first || first->seq != j->seq))
		return;
	else if (j->side == AFTER && (!last || last->seq != j->seq))
		return;
	if (j->side != AFTER) {
		if (j->before.n)
			rows_add_before(r, &j->before);
		r->from_start = j->all_before;
	}
	if (j->side != BEFORE) {
		if (j->after.n)
			rows_add_after(r, &j->after);
		r->to_end = j->all_after;
	}
}

static void
pages_done(struct job *job, void *owner)
{
	struct pages_job *j = (struct pages_job *)job;
	struct ui *ui = owner;
	struct events_view *e = (struct events_view *)ui->views[VIEW_EVENTS];

	/* A replaced job leaves the flag to the one that follows. */
	if (!atomic_load(&job->replaced) && j->epoch == e->epoch)
		e->asking = false;
	if (job->rc >= 0 && j->epoch == e->epoch) {
		take_pages(e, j);
		e->v.dirty |= DIRTY_SIZE;
	} else if (job->rc < 0 && job->rc != -E_CANCELLED &&
		   j->epoch == e->epoch) {
		e->filter_bad = true;
		ui_complain_err(ui, &job->err);
	} else if (atomic_load(&job->stop) && j->epoch == e->epoch) {
		e->filter_bad = true; /* stopped by the user */
	}
	page_free(&j->before);
	page_free(&j->after);
	mem_free(j->filter);
}

static void
ask(struct events_view *e, enum side side, uint64_t seq)
{
	struct ui *ui = e->v.ui;
	struct pages_job *j =
		job_new(sizeof(*j), JOB_PAGES, pages_run, pages_done, ui);

	j->ui = ui;
	j->epoch = e->epoch;
	j->seq = seq;
	j->side = side;
	j->last = ui->rec.events;
	j->filter = ui->filter ? mem_strdup(ui->filter) : NULL;
	e->asking = true;
	e->asked_seq = side == AROUND ? seq : 0;
	worker_submit(ui->nav, &j->job);
}

/* Is the place where seq belongs in the window? */
static bool
is_loaded(const struct events_view *e, uint64_t seq)
{
	const struct rows *r = &e->rows;

	if (!r->n)
		return r->from_start && r->to_end;
	return (rows_first(r)->seq <= seq || r->from_start) &&
	       (rows_last(r)->seq >= seq || r->to_end);
}

static void
want_rows(struct events_view *e)
{
	struct ui *ui = e->v.ui;
	const struct rows *r = &e->rows;
	int64_t at, n = (int64_t)rows_count(r);

	if (!ui->seq || e->filter_bad)
		return;
	if (!is_loaded(e, ui->seq)) {
		uint64_t near = e->asked_seq;

		/* What is on its way may do. */
		if (e->asking && near && near + ROWS_PAGE > ui->seq &&
		    ui->seq + ROWS_PAGE > near && !ui->filter)
			return;
		if (e->asking && near == ui->seq)
			return;
		ask(e, AROUND, ui->seq);
		return;
	}
	if (e->asking)
		return;
	at = rows_find(r, ui->seq);
	if (!r->to_end && n - at < (int64_t)AHEAD)
		ask(e, AFTER, r->n ? rows_last(r)->seq : ui->seq);
	else if (!r->from_start && at < (int64_t)AHEAD)
		ask(e, BEFORE, r->n ? rows_first(r)->seq : ui->seq);
}

static void
events_update(struct view *v, unsigned dirty)
{
	struct events_view *e = (struct events_view *)v;

	if (dirty & DIRTY_FILTER) {
		rows_clear(&e->rows);
		e->epoch++;
		e->asking = false;
		e->filter_bad = false;
	}
	if (dirty & DIRTY_GROWN)
		e->rows.to_end = false;
	if (dirty & DIRTY_POS)
		e->filter_bad = false;
	want_rows(e);
}

/* Where the cursor's row stands: it moves over the pane by as much as the
 * position moved, and comes to the middle after a jump. */
static void
place_cursor(struct events_view *e, int h)
{
	const struct rows *r = &e->rows;
	uint64_t seq = e->v.ui->seq;
	int64_t at = rows_find(r, seq), old = rows_find(r, e->drawn_seq);
	int64_t n = (int64_t)rows_count(r), moved = at - old, above;

	if (!is_loaded(e, e->drawn_seq) || !is_loaded(e, seq)) {
		moved = (int64_t)(seq - e->drawn_seq);
		if (e->v.ui->filter)
			moved = h;
	}
	above = e->above + moved;
	if (!e->drawn_seq || moved >= h || -moved >= h)
		above = h / 2;
	above = above < 0 ? 0 : above >= h ? h - 1 : above;
	if (is_loaded(e, seq)) {
		/* No empty room above the first or below the last row while
		 * there are rows to fill it. */
		int64_t below = n - 1 - at;

		if (r->to_end && h - 1 - above > below)
			above = h - 1 - below;
		if (r->from_start && above > at)
			above = at;
	} else if (!e->v.ui->filter) {
		if (above > (int64_t)seq - 1)
			above = (int64_t)seq - 1;
	}
	e->above = (int)above;
	e->drawn_seq = seq;
}

static enum style
row_style(const struct row *row)
{
	if (row->kind == EV_signal || row->kind == EV_death ||
	    row->kind == EV_warning)
		return STYLE_MARK;
	return row->flags & EVF_ERROR ? STYLE_ERROR : STYLE_NORMAL;
}

static bool
has_mark(const struct ui *ui, uint64_t seq)
{
	for (size_t i = 0; i < ui->marks.n; i++)
		if (ui->marks.v[i].seq == seq)
			return true;
	return false;
}

/* Columns of numbers: as wide as the widest there is. */
struct columns {
	int seq, tid;
};

static struct columns
columns_of(const struct ui *ui)
{
	struct columns c = { 2, 1 };
	int max = 0;

	for (uint64_t v = ui->rec.events; v >= 10; v /= 10)
		c.seq++;
	for (size_t i = 0; i < ui->tasks.n; i++)
		if (ui->tasks.v[i].tid > max)
			max = ui->tasks.v[i].tid;
	for (; max >= 10; max /= 10)
		c.tid++;
	return c;
}

static void
draw_row(struct events_view *e, int y, const struct rect *r,
	 const struct row *row, const struct columns *c, const char *mark,
	 bool focus)
{
	const struct ui *ui = e->v.ui;
	const struct task_row *task = nav_task_row(ui, row->task);
	bool here = row->seq == ui->seq;
	enum style s = here && focus ? STYLE_SELECT : row_style(row);
	enum style dim = here && focus ? STYLE_SELECT : STYLE_DIM;
	char dur[DRAW_NUMBER_MAX] = "";
	int x = r->x, end = r->x + r->w;

	if (row->dur_ns)
		draw_duration(row->dur_ns, dur);
	draw_fill(y, x, r->w, s);
	draw_text(y, x, 1, 0, s, mark);
	x += 1;
	draw_textf(y, x, end - x, dim, "e%-*" PRIu64, c->seq - 1, row->seq);
	x += c->seq + 1;
	if (task)
		draw_textf(y, x, c->tid, dim, "%*d", c->tid, task->tid);
	x += c->tid + 1;
	if (*dur && r->w > 40)
		end -= draw_width(dur) + 1;
	if (x < end)
		draw_text(y, x, end - x, 0, s, row->text);
	if (*dur && r->w > 40)
		draw_text(y, end + 1, r->x + r->w - end - 1, 0, dim, dur);
}

/* How far it is. */
static void
draw_searching(const struct events_view *e, const struct rect *r)
{
	uint64_t since, at = 0, to = 0;
	char done[DRAW_NUMBER_MAX], all[DRAW_NUMBER_MAX];
	unsigned key = 0;

	if (e->filter_bad)
		draw_text(r->y, r->x + 1, r->w - 1, 0, STYLE_DIM,
			  "nothing read");
	else if (worker_running(e->v.ui->nav, &key, &since, &at, &to) &&
		 key == JOB_PAGES && at)
		draw_textf(r->y, r->x + 1, r->w - 1, STYLE_DIM,
			   "searched %s of %s events", draw_number(at, done),
			   draw_number(to, all));
	else
		draw_text(r->y, r->x + 1, r->w - 1, 0, STYLE_DIM, "searching");
}

/* Before the rows came: their numbers are known without a filter. */
static void
draw_unread(struct events_view *e, const struct rect *r, bool focus)
{
	const struct ui *ui = e->v.ui;

	if (ui->filter) {
		draw_searching(e, r);
		return;
	}
	for (int i = 0; i < r->h; i++) {
		uint64_t seq = ui->seq - (uint64_t)e->above + (uint64_t)i;
		bool here = seq == ui->seq;

		if (seq < 1 || seq > ui->rec.events)
			continue;
		draw_textf(r->y + i, r->x, r->w,
			   here && focus ? STYLE_SELECT : STYLE_DIM,
			   "%se%" PRIu64 " %s", here ? ">" : " ", seq,
			   draw_glyph(GLYPH_MORE));
	}
}

static void
events_draw(struct view *v, const struct rect *r, bool focus)
{
	struct events_view *e = (struct events_view *)v;
	const struct ui *ui = v->ui;
	struct columns c = columns_of(ui);
	const struct row *here;
	int64_t at;

	if (!ui->rec_known)
		return;
	if (!ui->seq) {
		draw_text(r->y, r->x + 1, r->w - 1, 0, STYLE_DIM,
			  "the recording is empty");
		return;
	}
	place_cursor(e, r->h);
	if (!is_loaded(e, ui->seq)) {
		draw_unread(e, r, focus);
		return;
	}
	if (!rows_count(&e->rows))
		draw_text(r->y, r->x + 1, r->w - 1, 0, STYLE_DIM,
			  "no event matches");
	at = rows_find(&e->rows, ui->seq);
	here = at >= 0 ? rows_get(&e->rows, (size_t)at) : NULL;
	if (here && here->seq == ui->seq)
		nav_learn(v->ui, here->seq, here->time_ns, here->task);
	for (int i = 0; i < r->h; i++) {
		int64_t k = at - e->above + i;
		const struct row *row =
			k < 0 ? NULL : rows_get(&e->rows, (size_t)k);
		const char *mark = " ";

		if (!row)
			continue;
		/* A filter may hide the event where we are: the one before
		 * it says so. */
		if (row->seq == ui->seq)
			mark = ">";
		else if (k == at)
			mark = "~";
		else if (has_mark(ui, row->seq))
			mark = "@";
		draw_row(e, r->y + i, r, row, &c, mark, focus);
	}
}

int
events_nth(struct view *v, uint64_t seq, uint32_t task, int64_t n,
	   uint64_t *out)
{
	struct events_view *e = (struct events_view *)v;
	const struct rows *r = &e->rows;
	int64_t step = n < 0 ? -1 : 1, left = n * step, at;
	const struct row *row;

	*out = 0;
	if (!is_loaded(e, seq))
		return -1;
	at = rows_find(r, seq);
	/* Between two rows: the one before is a step away when going back. */
	if (at >= 0 && n < 0 && rows_get(r, (size_t)at)->seq != seq)
		at++;
	for (at += step; at >= 0; at += step) {
		row = rows_get(r, (size_t)at);
		if (!row)
			break;
		if (task && row->task != task)
			continue;
		*out = row->seq;
		if (--left == 0)
			return 1;
	}
	return (n < 0 ? r->from_start : r->to_end) ? 0 : -1;
}

uint32_t
events_task(struct view *v, uint64_t seq)
{
	const struct rows *r = &((struct events_view *)v)->rows;
	int64_t at = rows_find(r, seq);
	const struct row *row = at < 0 ? NULL : rows_get(r, (size_t)at);

	return row && row->seq == seq ? row->task : 0;
}

static bool
events_request(struct view *v, enum request r, uint64_t count)
{
	struct ui *ui = v->ui;
	int64_t n = count && count < INT32_MAX ? (int64_t)count : 1;
	int64_t page = v->rect.h > 1 ? v->rect.h - 1 : 1;

	switch ((int)r) {
	case REQ_UP:
		nav_step(ui, 0, -n);
		return true;
	case REQ_DOWN:
		nav_step(ui, 0, n);
		return true;
	case REQ_PAGE_UP:
		nav_step(ui, 0, -n * page);
		return true;
	case REQ_PAGE_DOWN:
		nav_step(ui, 0, n * page);
		return true;
	case REQ_TOP:
		nav_first(ui, false);
		return true;
	case REQ_BOTTOM:
		if (count)
			nav_jump(ui, count);
		else
			nav_first(ui, true);
		return true;
	case REQ_ENTER:
		ui_open(ui, VIEW_DETAIL);
		return true;
	}
	return false;
}

static void
events_click(struct view *v, int y, int x)
{
	struct events_view *e = (struct events_view *)v;
	int64_t at = rows_find(&e->rows, v->ui->seq) - e->above + y;
	const struct row *row;

	(void)x;
	row = at < 0 ? NULL : rows_get(&e->rows, (size_t)at);
	if (row && is_loaded(e, v->ui->seq))
		nav_goto(v->ui, row->seq);
}

static void
events_label(const struct view *v, struct buf *out)
{
	if (v->ui->filter)
		buf_printf(out, " %s", v->ui->filter);
}

static void
events_release(struct view *v)
{
	rows_release(&((struct events_view *)v)->rows);
}

const struct view_ops events_ops = {
	.title = "Events",
	.slot = SLOT_EVENTS,
	.size = sizeof(struct events_view),
	.update = events_update,
	.draw = events_draw,
	.request = events_request,
	.click = events_click,
	.label = events_label,
	.release = events_release,
};
