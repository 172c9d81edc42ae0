/* Instructions around the frame's pc. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tui/ui.h"

struct code_view {
	struct view v;
	uint64_t centred;
};

static void
add_insn(struct lines *l, const struct tui_moment *m, size_t i,
	 const struct ui *ui)
{
	const struct sym_insn *insn = &m->insns[i];
	const struct sym_place *p = &m->insn_places[i];
	bool here = i == m->insn_at;
	struct line *line;

	/* The name where a function begins, or where the list does. */
	if (p->function && (i == 0 || p->offset == 0))
		lines_addf(l, STYLE_TITLE, "%s%s:", p->function,
			   p->offset ? " (inside)" : "");
	line = lines_addf(l, here ? STYLE_STATUS : STYLE_NORMAL,
			  "%12" PRIx64 "  %s", insn->addr, insn->text);
	line->gutter = here ? '>' : 0;
	if (!here && breaks_at(ui, insn->addr))
		line->gutter = 'b';
	line->num = insn->addr;
}

static void
code_update(struct view *v, unsigned dirty)
{
	struct code_view *c = (struct code_view *)v;
	const struct tui_moment *m = &v->ui->moment.m;
	struct lines *l = &v->lines;
	size_t here = 0;

	if (!(dirty & DIRTY_MOMENT) || !moment_known(v))
		return;
	lines_clear(l);
	if (!m->n_insns) {
		lines_add(l, STYLE_DIM,
			  m->note ? m->note : "no instructions here");
		return;
	}
	for (size_t i = 0; i < m->n_insns; i++) {
		add_insn(l, m, i, v->ui);
		if (i == m->insn_at)
			here = l->v.len - 1;
	}
	if (c->centred == m->insns[m->insn_at].addr)
		return;
	c->centred = m->insns[m->insn_at].addr;
	lines_set_cursor(l, here);
	l->top =
		here > (size_t)v->rect.h / 2 ? here - (size_t)v->rect.h / 2 : 0;
}

static void
code_label(const struct view *v, struct buf *out)
{
	const struct tui_moment *m = &v->ui->moment.m;

	if (!v->ui->moment.valid || !m->n_insns)
		return;
	if (m->insn_places[m->insn_at].function)
		buf_printf(out, " %s", m->insn_places[m->insn_at].function);
	if (moment_stale(v->ui))
		buf_str(out, " (stale)");
}

const struct view_ops code_ops = {
	.title = "Code",
	.slot = SLOT_CODE,
	.size = sizeof(struct code_view),
	.update = code_update,
	.label = code_label,
};
