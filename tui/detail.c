/* The current event in full. Also the place that learns its time and task. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "event/format.h"
#include "tui/ui.h"

struct detail_view {
	struct view v;
	uint64_t shown; /* event that the lines are about */
};

struct here_job {
	struct job job;
	struct ui *ui;
	uint64_t seq;
	bool found;
	struct event ev;
	const char *text;
};

static int
here_run(struct job *job, void *data)
{
	struct here_job *j = (struct here_job *)job;
	struct tui_events_req req = { .seq = j->seq - 1, .n = 1 };
	struct format_opts fo = { .max_string = 65536 };
	struct event *ev = NULL;
	uint64_t scanned = 0;
	struct buf text = { 0 };
	size_t n = 0;
	int rc;

	rc = j->ui->o->query->events(data, &req, &job->arena, &ev, &n, &scanned,
				     &job->err);
	if (rc < 0)
		return rc;
	if (!n || ev->seq != j->seq)
		return err_set(&job->err, E_NOT_FOUND,
			       "event e%" PRIu64 " is not there", j->seq);
	j->ev = *ev;
	event_format_detail(ev, &fo, &text);
	j->text = arena_strdup(&job->arena, buf_cstr(&text));
	buf_free(&text);
	return 0;
}

static void
here_done(struct job *job, void *owner)
{
	struct here_job *j = (struct here_job *)job;
	struct ui *ui = owner;
	struct detail_view *d = (struct detail_view *)ui->views[VIEW_DETAIL];
	struct lines *l = &d->v.lines;

	if (job->rc == -E_CANCELLED || j->seq != ui->seq)
		return;
	lines_clear(l);
	if (job->rc < 0) {
		lines_add(l, STYLE_ERROR, job->err.text);
		return;
	}
	nav_learn(ui, j->seq, j->ev.time_ns, j->ev.task);
	lines_add_text(l, j->ev.flags & EVF_ERROR ? STYLE_ERROR : STYLE_NORMAL,
		       j->text);
	if (d->shown != j->seq)
		l->cursor = l->top = 0;
	d->shown = j->seq;
}

void
here_want(struct ui *ui)
{
	struct here_job *j =
		job_new(sizeof(*j), JOB_HERE, here_run, here_done, ui);

	j->ui = ui;
	j->seq = ui->seq;
	worker_submit(ui->nav, &j->job);
}

/* A move asks by itself (nav.c), whether this pane is shown or not. */
static void
detail_update(struct view *v, unsigned dirty)
{
	(void)v;
	(void)dirty;
}

static void
detail_label(const struct view *v, struct buf *out)
{
	const struct detail_view *d = (const struct detail_view *)v;
	const struct ui *ui = v->ui;
	const struct task_row *task = ui->here.seq == ui->seq
					      ? nav_task_row(ui, ui->here.task)
					      : NULL;

	if (task)
		buf_printf(out, " %s %d", task->comm ? task->comm : "",
			   task->tid);
	if (d->shown && d->shown != v->ui->seq)
		buf_printf(out, " of e%" PRIu64, d->shown);
}

const struct view_ops detail_ops = {
	.title = "Detail",
	.slot = SLOT_DETAIL,
	.size = sizeof(struct detail_view),
	.update = detail_update,
	.label = detail_label,
};
