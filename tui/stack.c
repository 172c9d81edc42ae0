/* The call stack, innermost first. Enter: source and code of that frame. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tui/ui.h"

static void
add_frame(struct lines *l, const struct sym_frame *f, size_t i, bool chosen)
{
	const struct sym_place *p = &f->place;
	struct buf text = { 0 };
	struct line *line;
	const char *slash;

	buf_printf(&text, "%zu ", i);
	if (p->function)
		buf_printf(&text, "%s+%" PRIu64, p->function, p->offset);
	else
		buf_printf(&text, "0x%" PRIx64, f->pc);
	if (f->signal_frame)
		buf_str(&text, " (signal handler called)");
	if (p->file) {
		slash = strrchr(p->file, '/');
		buf_printf(&text, " %s:%d", slash ? slash + 1 : p->file,
			   p->line);
	} else if (p->module) {
		slash = strrchr(p->module, '/');
		buf_printf(&text, " in %s", slash ? slash + 1 : p->module);
	}
	line = lines_add(l, chosen ? STYLE_STATUS : STYLE_NORMAL,
			 buf_cstr(&text));
	line->gutter = chosen ? '>' : 0;
	line->num = i;
	buf_free(&text);
}

static void
stack_update(struct view *v, unsigned dirty)
{
	const struct tui_moment *m = &v->ui->moment.m;

	if (!(dirty & (DIRTY_MOMENT | DIRTY_SIZE)))
		return;
	lines_clear(&v->lines);
	if (v->ui->replay_err.code) {
		lines_add_wrapped(&v->lines, STYLE_ERROR, v->rect.w - 1,
				  v->ui->replay_err.text);
		return;
	}
	if (!v->ui->moment.valid)
		return;
	for (size_t i = 0; i < m->n_frames; i++)
		add_frame(&v->lines, &m->frames[i], i, i == m->frame);
	if (!m->n_frames)
		lines_add(&v->lines, STYLE_DIM,
			  m->note ? m->note : "no task here");
}

static bool
stack_request(struct view *v, enum request r, uint64_t count)
{
	const struct line *line = lines_current(&v->lines);

	(void)count;
	if (r != REQ_ENTER || !line || !v->ui->moment.valid)
		return false;
	v->ui->frame = (unsigned)line->num;
	moment_want(v->ui);
	return true;
}

/* Whose state it is, and of when, for all panes of the slot. */
void
state_label(const struct view *v, struct buf *out)
{
	const struct ui *ui = v->ui;
	const struct task_row *task;

	if (!ui->moment.valid)
		return;
	task = nav_task_row(ui, ui->moment.m.task);
	if (ui->pinned && task)
		buf_printf(out, " task %u", task->task);
	if (moment_stale(ui))
		buf_str(out, " (stale)");
}

const struct view_ops stack_ops = {
	.title = "Stack",
	.slot = SLOT_STATE,
	.size = sizeof(struct view),
	.update = stack_update,
	.request = stack_request,
	.label = state_label,
};
