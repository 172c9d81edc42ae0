/* What the replay knows of the current event: asked for, awaited, shown. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "tui/ui.h"

/* A seek that is no longer wanted goes on for a moment: while a key is held
 * down the panes should still follow now and then. */
#define PATIENCE_NS 100000000ull

struct moment_job {
	struct job job;
	struct ui *ui;
	struct tui_moment_req req;
	char *mem_expr;
	char **open;
	struct tui_moment m;
};

static bool
moment_progress(void *ctx, uint64_t at, uint64_t to)
{
	struct job *job = ctx;

	atomic_store(&job->at, at);
	atomic_store(&job->to, to);
	if (atomic_load(&job->stop))
		return false;
	return !atomic_load(&job->replaced) ||
	       clock_now_ns() - job->started_ns < PATIENCE_NS;
}

static int
moment_run(struct job *job, void *data)
{
	struct moment_job *j = (struct moment_job *)job;

	return j->ui->o->replay->moment(data, &j->req, moment_progress, job,
					&job->arena, &j->m, &job->err);
}

static void
moment_free(struct ui_moment *m)
{
	arena_free(&m->arena);
	*m = (struct ui_moment){ 0 };
}

/* Keep what stood here before, to mark what changed; another look at the
 * same stop does not make it the last one. */
static void
take_moment(struct ui *ui, struct moment_job *j)
{
	const struct tui_moment *now = &ui->moment.m;

	if (ui->moment.valid && !pos_same(&now->pos, &j->m.pos)) {
		moment_free(&ui->before);
		ui->before = ui->moment;
		ui->moment = (struct ui_moment){ 0 };
	}
	moment_free(&ui->moment);
	ui->moment.arena = job_take_arena(&j->job);
	ui->moment.m = j->m;
	ui->moment.valid = true;
}

static void
moment_done(struct job *job, void *owner)
{
	struct moment_job *j = (struct moment_job *)job;
	struct ui *ui = owner;

	mem_free(j->mem_expr);
	for (size_t i = 0; i < j->req.n_open; i++)
		mem_free(j->open[i]);
	mem_free(j->open);
	ui->redraw = true;
	if (job->rc >= 0) {
		err_clear(&ui->replay_err);
		take_moment(ui, j);
		if (j->m.warning)
			ui_complain(ui, "%s", j->m.warning);
		/* It may not have been possible to move it so far. */
		if (!atomic_load(&job->replaced))
			ui->mem_shift = j->m.mem_shift;
		if (ui->code_auto)
			ui->tab[SLOT_CODE] =
				j->m.n_src ? VIEW_SOURCE : VIEW_CODE;
		ui_invalidate(ui, DIRTY_MOMENT);
		return;
	}
	if (job->rc == -E_CANCELLED) {
		if (atomic_load(&job->replaced) || j->req.pos.seq != ui->seq)
			return;
		ui->replay_stopped = true;
		ui_say(ui, "replay stopped; move to go on");
		return;
	}
	ui->replay_err = job->err;
	ui_complain_err(ui, &job->err);
	ui_invalidate(ui, DIRTY_MOMENT);
}

void
moment_want(struct ui *ui)
{
	const char *const *open;
	struct moment_job *j;
	uint32_t task = nav_task(ui);

	if (!ui->seq)
		return;
	if (!task)
		task = events_task(ui->views[VIEW_EVENTS], ui->seq);
	ui->asked_task = task;
	j = job_new(sizeof(*j), JOB_MOMENT, moment_run, moment_done, ui);
	j->ui = ui;
	j->mem_expr = ui->mem_expr ? mem_strdup(ui->mem_expr) : NULL;
	j->req = (struct tui_moment_req){
		.pos = nav_pos(ui),
		.task = task,
		.frame = ui->frame,
		.mem_expr = j->mem_expr,
		.mem_shift = ui->mem_shift,
	};
	open = vars_open(ui, &j->req.n_open);
	j->open = mem_calloc(j->req.n_open + 1, sizeof(*j->open));
	for (size_t i = 0; i < j->req.n_open; i++)
		j->open[i] = mem_strdup(open[i]);
	j->req.open = (const char *const *)j->open;
	worker_submit(ui->rep, &j->job);
}

bool
moment_known(struct view *v)
{
	const struct ui *ui = v->ui;

	if (ui->moment.valid)
		return true;
	lines_clear(&v->lines);
	lines_add_wrapped(&v->lines, STYLE_ERROR, v->rect.w - 1,
			  ui->replay_err.text);
	return false;
}

bool
moment_stale(const struct ui *ui)
{
	struct pos pos = nav_pos(ui);

	return ui->moment.valid && !pos_same(&ui->moment.m.pos, &pos);
}

void
moment_cancel(struct ui *ui)
{
	worker_cancel(ui->rep, WORKER_ALL);
}

void
moment_status(struct ui *ui, struct buf *out)
{
	uint64_t since, at = 0, to = 0;
	unsigned key;

	if (worker_running(ui->rep, &key, &since, &at, &to)) {
		buf_str(out, "replaying");
		if (to && at <= to)
			buf_printf(out, " %d %%",
				   (int)((double)at * 100 / (double)to));
	} else if (ui->replay_err.code == -E_DIVERGED) {
		buf_str(out, "replay diverged");
	} else if (ui->replay_err.code) {
		buf_printf(out, "no replay: %s", err_name(ui->replay_err.code));
	} else if (ui->replay_stopped) {
		buf_str(out, "replay stopped");
	} else {
		buf_str(out, "replay ready");
	}
}
