/*
 * The user's SQL. A row that has a column seq, pos or event leads there.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event/pos.h"
#include "tui/ui.h"

#define ROWS_SHOWN 10000u
#define CELL_MAX 60 /* columns of a cell; the rest by scrolling sideways */

struct sql_view {
	struct view v;
	char *query; /* NULL: none yet */
	char tag[64];
	bool running;
	VEC(struct pos) places; /* that rows lead to: a line's num, plus one */
};

struct sql_job {
	struct job job;
	struct ui *ui;
	char *query;
	struct sql_result res;
};

static int
sql_job_run(struct job *job, void *data)
{
	struct sql_job *j = (struct sql_job *)job;

	return j->ui->o->query->sql(data, j->query, &job->arena, &j->res,
				    &job->err);
}

/* The column that says where a row happened, or -1. */
static int
place_column(const struct sql_result *res)
{
	static const char *const names[] = { "pos", "seq", "event" };

	for (size_t n = 0; n < ARRAY_LEN(names); n++)
		for (size_t i = 0; i < res->cols; i++)
			if (!strcmp(res->names[i], names[n]))
				return (int)i;
	return -1;
}

/* seq 0: nowhere. */
static struct pos
place_of(const char *cell)
{
	struct pos_spec spec;
	char *end;
	uint64_t n;

	if (!cell)
		return (struct pos){ 0 };
	n = strtoull(cell, &end, 10);
	if (end != cell && !*end)
		return (struct pos){ .seq = n };
	if (pos_parse(cell, &spec, NULL) >= 0 && spec.form == POS_EXACT)
		return spec.pos;
	return (struct pos){ 0 };
}

static const char *
cell(const struct sql_result *res, size_t row, size_t col)
{
	const char *text = res->cells[row * res->cols + col];

	return text ? text : "";
}

/* A cell in its column; newlines and tabs inside become blanks. */
static void
put_cell(struct buf *out, const char *text, int w, bool right, bool last)
{
	int used = draw_width(text), pad;
	size_t from = out->len;

	buf_str(out, text);
	for (size_t i = from; i < out->len; i++)
		if (out->p[i] == '\n' || out->p[i] == '\t')
			out->p[i] = ' ';
	pad = w - used;
	if (pad > 0 && right) {
		uint8_t *p = buf_grow(out, (size_t)pad);

		memmove(out->p + from + pad, out->p + from,
			(size_t)(p - (out->p + from)));
		memset(out->p + from, ' ', (size_t)pad);
	} else if (pad > 0 && !last) {
		memset(buf_grow(out, (size_t)pad), ' ', (size_t)pad);
	}
	if (!last)
		buf_str(out, "  ");
}

static void
set_place(struct sql_view *s, struct line *line, const char *text)
{
	struct pos pos = place_of(text);

	if (!pos.seq)
		return;
	line->seq = pos.seq;
	vec_push(&s->places, pos);
	line->num = s->places.len;
}

static void
fill_table(struct sql_view *s, const struct sql_result *res)
{
	struct lines *l = &s->v.lines;
	size_t rows = res->rows < ROWS_SHOWN ? res->rows : ROWS_SHOWN;
	int *w = mem_calloc(res->cols + 1, sizeof(*w));
	int place = place_column(res);
	struct buf text = { 0 };

	for (size_t c = 0; c < res->cols; c++) {
		w[c] = draw_width(res->names[c]);
		for (size_t r = 0; r < rows; r++) {
			int n = draw_width(cell(res, r, c));

			w[c] = n > w[c] ? n : w[c];
		}
		w[c] = w[c] > CELL_MAX ? CELL_MAX : w[c];
		put_cell(&text, res->names[c], w[c],
			 res->numeric && res->numeric[c], c + 1 == res->cols);
	}
	if (res->cols)
		lines_add(l, STYLE_TITLE, buf_cstr(&text));
	for (size_t r = 0; r < rows; r++) {
		struct line *line;

		buf_clear(&text);
		for (size_t c = 0; c < res->cols; c++)
			put_cell(&text, cell(res, r, c), w[c],
				 res->numeric && res->numeric[c],
				 c + 1 == res->cols);
		line = lines_add(l, STYLE_NORMAL, buf_cstr(&text));
		if (place >= 0)
			set_place(s, line, cell(res, r, (size_t)place));
	}
	if (rows < res->rows)
		lines_addf(l, STYLE_DIM, "and %zu more rows", res->rows - rows);
	buf_free(&text);
	mem_free(w);
}

static void
add_query(struct sql_view *s)
{
	lines_clear(&s->v.lines);
	vec_clear(&s->places);
	lines_addf(&s->v.lines, STYLE_STATUS, "sql> %s",
		   s->query ? s->query : "");
	s->v.lines.no_gutter = true;
}

static void
sql_done(struct job *job, void *owner)
{
	struct sql_job *j = (struct sql_job *)job;
	struct ui *ui = owner;
	struct sql_view *s = (struct sql_view *)ui->views[VIEW_SQL];
	struct lines *l = &s->v.lines;

	mem_free(j->query);
	if (atomic_load(&job->replaced))
		return;
	s->running = false;
	add_query(s);
	if (job->rc == -E_CANCELLED) {
		lines_add(l, STYLE_DIM, "stopped");
	} else if (job->rc < 0) {
		lines_add_text(l, STYLE_ERROR, job->err.text);
		lines_add_wrapped(l, STYLE_DIM, s->v.rect.w, job->err.hint);
	} else {
		fill_table(s, &j->res);
		snprintf(s->tag, sizeof(s->tag), "%s",
			 j->res.tag ? j->res.tag : "");
		if (l->v.len > 2)
			lines_set_cursor(l, 2);
	}
}

void
sql_run(struct ui *ui, const char *query)
{
	struct sql_view *s = (struct sql_view *)ui->views[VIEW_SQL];
	struct sql_job *j =
		job_new(sizeof(*j), JOB_SQL, sql_job_run, sql_done, ui);

	mem_free(s->query);
	s->query = mem_strdup(query);
	s->running = true;
	s->tag[0] = '\0';
	add_query(s);
	lines_add(&s->v.lines, STYLE_DIM, "running");
	s->v.lines.cursor = s->v.lines.top = 0;
	j->ui = ui;
	j->query = mem_strdup(query);
	worker_cancel(ui->ask, JOB_SQL);
	output_postpone(ui);
	worker_submit(ui->ask, &j->job);
	ui_open(ui, VIEW_SQL);
}

static void
sql_update(struct view *v, unsigned dirty)
{
	struct sql_view *s = (struct sql_view *)v;

	(void)dirty;
	if (!s->query && !v->lines.v.len) {
		add_query(s);
		lines_add(&v->lines, STYLE_DIM,
			  "Enter types a query over this recording: timeline, "
			  "call, failed_call, output, transfer, event, task, "
			  "...");
	}
}

static bool
sql_request(struct view *v, enum request r, uint64_t count)
{
	struct sql_view *s = (struct sql_view *)v;
	const struct line *line = lines_current(&v->lines);

	(void)count;
	if (r != REQ_ENTER)
		return false;
	if (line && line->seq && v->lines.cursor > 1) {
		nav_jump_pos(v->ui, &s->places.v[line->num - 1]);
		return true;
	}
	prompt_open(&v->ui->prompt, PROMPT_SQL, s->query ? s->query : "");
	return true;
}

static void
sql_label(const struct view *v, struct buf *out)
{
	const struct sql_view *s = (const struct sql_view *)v;

	if (s->tag[0])
		buf_printf(out, " %s", s->tag);
}

static void
sql_release(struct view *v)
{
	struct sql_view *s = (struct sql_view *)v;

	mem_free(s->query);
	vec_free(&s->places);
}

const struct view_ops sql_ops = {
	.title = "SQL",
	.slot = SLOT_OUTPUT,
	.size = sizeof(struct sql_view),
	.update = sql_update,
	.request = sql_request,
	.label = sql_label,
	.release = sql_release,
};
