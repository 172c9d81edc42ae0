/* Every task there ever was. Enter: the panes show that one. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "event/format.h"
#include "event/sys.h"
#include "tui/ui.h"

void
status_text(int status, struct buf *out)
{
	if (status == -1)
		buf_str(out, "alive at the end");
	else if (WIFSIGNALED(status))
		buf_printf(out, "%s%s", signal_name(WTERMSIG(status)),
			   WCOREDUMP(status) ? " (core)" : "");
	else
		buf_printf(out, "exit %d", WEXITSTATUS(status));
}

static const struct target_task *
moment_task(const struct ui *ui, uint32_t task)
{
	const struct tui_moment *m = &ui->moment.m;

	if (!ui->moment.valid || moment_stale(ui))
		return NULL;
	for (size_t i = 0; i < m->n_tasks; i++)
		if (m->tasks[i].task == task)
			return &m->tasks[i];
	return NULL;
}

/* What it does at this event. */
static void
state_text(const struct ui *ui, const struct task_row *t, struct buf *out)
{
	const struct target_task *now = moment_task(ui, t->task);

	if (t->born_seq > ui->seq)
		buf_str(out, "not born yet");
	else if (t->died_seq && t->died_seq <= ui->seq)
		status_text(t->status, out);
	else if (now && now->in_call)
		buf_printf(out, "in %s", sys_name(now->call));
	else
		buf_str(out, "alive");
}

static void
tasks_update(struct view *v, unsigned dirty)
{
	const struct ui *ui = v->ui;
	struct lines *l = &v->lines;

	if (!(dirty & (DIRTY_TASKS | DIRTY_POS | DIRTY_MOMENT | DIRTY_HERE)))
		return;
	lines_clear(l);
	lines_addf(l, STYLE_TITLE, "%5s %7s %7s  %-16s %-18s %s", "task", "tid",
		   "process", "command", "now", "from and to");
	for (size_t i = 0; i < ui->tasks.n; i++) {
		const struct task_row *t = &ui->tasks.v[i];
		struct buf state = { 0 };
		struct line *line;
		char to[32] = "";

		state_text(ui, t, &state);
		if (t->died_seq)
			snprintf(to, sizeof(to), "e%" PRIu64, t->died_seq);
		line = lines_addf(l, STYLE_NORMAL,
				  "%5u %7d %7u  %-16s %-18s e%" PRIu64 " %s%s",
				  t->task, t->tid, t->process,
				  t->comm ? t->comm : "", buf_cstr(&state),
				  t->born_seq, to,
				  t->task == ui->pinned ? " (chosen)" : "");
		line->gutter = t->task == nav_task(ui) ? '>' : 0;
		line->num = t->task;
		line->seq = t->born_seq;
		buf_free(&state);
	}
}

static bool
tasks_request(struct view *v, enum request r, uint64_t count)
{
	const struct line *line = lines_current(&v->lines);

	(void)count;
	if (r != REQ_ENTER || !line || !line->num)
		return false;
	nav_pin(v->ui, (uint32_t)line->num);
	return true;
}

const struct view_ops tasks_ops = {
	.title = "Tasks",
	.slot = SLOT_FULL,
	.size = sizeof(struct view),
	.update = tasks_update,
	.request = tasks_request,
};
