/* Descriptors that are open at this event. Enter: where it was opened. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tui/ui.h"

struct fds_job {
	struct job job;
	struct ui *ui;
	uint32_t process;
	uint64_t seq;
	struct fd_row *v;
	size_t n;
};

static int
fds_run(struct job *job, void *data)
{
	struct fds_job *j = (struct fds_job *)job;

	return j->ui->o->query->fds(data, j->process, j->seq, &job->arena,
				    &j->v, &j->n, &job->err);
}

static void
fds_done(struct job *job, void *owner)
{
	struct fds_job *j = (struct fds_job *)job;
	struct ui *ui = owner;
	struct lines *l = &ui->views[VIEW_FDS]->lines;

	if (job->rc == -E_CANCELLED)
		return;
	lines_clear(l);
	if (job->rc < 0)
		lines_add(l, STYLE_ERROR, job->err.text);
	else if (!j->n)
		lines_add(l, STYLE_DIM, "no descriptor is open");
	for (size_t i = 0; job->rc >= 0 && i < j->n; i++) {
		const struct fd_row *fd = &j->v[i];
		struct line *line = lines_addf(l, STYLE_NORMAL, "%3d %-6s %s%s",
					       fd->fd, fd->kind ? fd->kind : "",
					       fd->target ? fd->target : "",
					       fd->cloexec ? " cloexec" : "");

		line->seq = fd->opened_seq;
	}
}

static void
fds_update(struct view *v, unsigned dirty)
{
	struct ui *ui = v->ui;
	struct fds_job *j;

	if (!(dirty & (DIRTY_POS | DIRTY_HERE | DIRTY_TASKS)) || !ui->seq ||
	    !nav_process(ui))
		return;
	j = job_new(sizeof(*j), JOB_FDS, fds_run, fds_done, ui);
	j->ui = ui;
	j->process = nav_process(ui);
	j->seq = ui->seq;
	worker_submit(ui->ask, &j->job);
}

static bool
fds_request(struct view *v, enum request r, uint64_t count)
{
	const struct line *line = lines_current(&v->lines);

	(void)count;
	if (r != REQ_ENTER || !line || !line->seq)
		return false;
	nav_jump(v->ui, line->seq);
	return true;
}

const struct view_ops fds_ops = {
	.title = "FDs",
	.slot = SLOT_STATE,
	.size = sizeof(struct view),
	.update = fds_update,
	.request = fds_request,
};
