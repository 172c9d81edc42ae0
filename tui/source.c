/* Source lines around the frame's pc. */
#include <stdio.h>
#include <string.h>

#include "tui/ui.h"

struct source_view {
	struct view v;
	uint64_t centred; /* pc that the cursor was set for */
};

static void
say_why(struct lines *l, const struct tui_moment *m)
{
	const struct sym_place *p =
		m->frame < m->n_frames ? &m->frames[m->frame].place : NULL;

	if (!m->has_regs)
		lines_add(l, STYLE_DIM, m->note ? m->note : "no task here");
	else if (p && p->file)
		lines_addf(l, STYLE_DIM, "%s:%d: the file is not here", p->file,
			   p->line);
	else
		lines_addf(l, STYLE_DIM, "no line information for %s%s%s",
			   p && p->function ? p->function : "this place",
			   p && p->module ? " in " : "",
			   p && p->module ? p->module : "");
	if (p && p->file)
		lines_add(l, STYLE_DIM,
			  "PASTIME_SOURCE_PATH says where to "
			  "look");
}

static void
source_update(struct view *v, unsigned dirty)
{
	struct source_view *s = (struct source_view *)v;
	const struct tui_moment *m = &v->ui->moment.m;
	struct lines *l = &v->lines;
	uint64_t pc;

	if (!(dirty & DIRTY_MOMENT) || !moment_known(v))
		return;
	lines_clear(l);
	if (!m->n_src) {
		say_why(l, m);
		return;
	}
	for (size_t i = 0; i < m->n_src; i++) {
		int nr = m->src_first + (int)i;
		bool here = nr == m->src_line;
		struct line *line =
			lines_addf(l, here ? STYLE_STATUS : STYLE_NORMAL,
				   "%4d  %s", nr, m->src[i]);

		line->gutter = here ? '>' : 0;
	}
	pc = m->src_frame < m->n_frames ? m->frames[m->src_frame].pc
					: m->regs.rip;
	if (s->centred == pc)
		return;
	s->centred = pc;
	lines_set_cursor(l, (size_t)(m->src_line - m->src_first));
	l->top = l->cursor > (size_t)v->rect.h / 2
			 ? l->cursor - (size_t)v->rect.h / 2
			 : 0;
}

static void
source_label(const struct view *v, struct buf *out)
{
	const struct tui_moment *m = &v->ui->moment.m;
	const char *slash, *name;

	if (!v->ui->moment.valid || !m->src_file)
		return;
	slash = strrchr(m->src_file, '/');
	buf_printf(out, " %s:%d", slash ? slash + 1 : m->src_file, m->src_line);
	/* The caller's, as where it stands has none. */
	name = m->src_frame < m->n_frames
		       ? m->frames[m->src_frame].place.function
		       : NULL;
	if (m->src_frame != m->frame && name)
		buf_printf(out, " in %s", name);
	if (moment_stale(v->ui))
		buf_str(out, " (stale)");
}

const struct view_ops source_ops = {
	.title = "Source",
	.slot = SLOT_CODE,
	.size = sizeof(struct source_view),
	.update = source_update,
	.label = source_label,
};
