/* What of memory is meant: by the cursor, or by what Memory shows. */
#include <inttypes.h>
#include <string.h>

#include "tui/ui.h"

#define WORD 8u

/* A variable; of a large one as much as can be watched at a time. */
static struct watched
part_of(uint64_t addr, uint64_t size)
{
	uint64_t most = addr % WORD ? 2 * WORD : 3 * WORD;

	return (struct watched){ addr, (uint32_t)(size < most ? size : most) };
}

static bool
of_variable(struct ui *ui, const struct line *line, struct watched *out)
{
	const struct tui_moment *m = &ui->moment.m;
	const struct sym_var *v;

	if (line->num >= m->n_vars)
		return false;
	v = &m->vars[line->num];
	if (!v->addr || !v->size) {
		ui_say(ui, "%s lies in no memory here", v->path);
		return false;
	}
	*out = part_of(v->addr, v->size);
	return true;
}

/* What :memory chose, unless the cursor went elsewhere. */
static bool
of_memory(struct ui *ui, const struct line *line, struct watched *out)
{
	const struct tui_moment *m = &ui->moment.m;

	if (!m->mem_addr || !m->mem_len) {
		ui_say(ui, "Memory shows nothing; :memory ADDRESS chooses");
		return false;
	}
	if (line && line->gutter != '>')
		*out = (struct watched){ line->num, WORD };
	else if (m->mem_size)
		*out = part_of(m->mem_base, m->mem_size);
	else
		*out = (struct watched){ m->mem_base & ~7ull, WORD };
	return true;
}

bool
watch_here(struct ui *ui, struct watched *out)
{
	const struct view *v = ui_focused(ui);
	const struct line *line = lines_current(&v->lines);

	if (!ui->moment.valid) {
		ui_say(ui, "the replay has shown nothing yet");
		return false;
	}
	if (v == ui->views[VIEW_VARS] && line)
		return of_variable(ui, line, out);
	if (v == ui->views[VIEW_REGS] && line && ui->moment.m.has_regs) {
		*out = (struct watched){ line->num & ~7ull, WORD };
		return true;
	}
	return of_memory(ui, v == ui->views[VIEW_MEMORY] ? line : NULL, out);
}

uint32_t
watch_process(const struct ui *ui)
{
	const struct tui_moment *m = &ui->moment.m;

	for (size_t i = 0; ui->moment.valid && i < m->n_tasks; i++)
		if (m->tasks[i].task == m->task)
			return m->tasks[i].process;
	return 0;
}
