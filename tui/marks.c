/* Bookmarks, kept in the database. Enter goes there, Delete deletes. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tui/ui.h"

static void
marks_update(struct view *v, unsigned dirty)
{
	const struct ui *ui = v->ui;
	struct lines *l = &v->lines;
	char key[KEY_NAME_MAX];

	if (!(dirty & (DIRTY_MARKS | DIRTY_POS)))
		return;
	lines_clear(l);
	for (size_t i = 0; i < ui->marks.n; i++) {
		const struct mark_row *m = &ui->marks.v[i];
		struct line *line =
			lines_addf(l, STYLE_NORMAL, "@%-16s %s %s", m->name,
				   m->pos, m->note ? m->note : "");

		line->seq = m->seq;
		line->num = i;
		line->gutter = m->seq == ui->seq ? '>' : 0;
	}
	if (!ui->marks.n)
		lines_addf(l, STYLE_DIM, "no bookmarks; %s sets one here",
			   keymap_key_of(&ui->keys, REQ_MARK_SET, key));
}

static bool
marks_request(struct view *v, enum request r, uint64_t count)
{
	struct ui *ui = v->ui;
	const struct line *line = lines_current(&v->lines);

	(void)count;
	if (!line || !line->seq || line->num >= ui->marks.n)
		return false;
	if (r == REQ_ENTER)
		nav_to_mark(ui, ui->marks.v[line->num].name);
	else if (r == REQ_DELETE)
		nav_mark_del(ui, ui->marks.v[line->num].name);
	else
		return false;
	return true;
}

const struct view_ops marks_ops = {
	.title = "Bookmarks",
	.slot = SLOT_OUTPUT,
	.size = sizeof(struct view),
	.update = marks_update,
	.request = marks_request,
};
