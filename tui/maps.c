/* The process's memory mappings. Enter: memory there. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "tui/ui.h"

static void
maps_update(struct view *v, unsigned dirty)
{
	const struct tui_moment *m = &v->ui->moment.m;

	if (!(dirty & DIRTY_MOMENT) || !moment_known(v))
		return;
	lines_clear(&v->lines);
	for (size_t i = 0; i < m->n_maps; i++) {
		const struct target_map *map = &m->maps[i];
		struct line *line = lines_addf(
			&v->lines, STYLE_NORMAL,
			"%012" PRIx64 "-%012" PRIx64 " %c%c%c%c %s", map->start,
			map->end, map->prot & PROT_READ ? 'r' : '-',
			map->prot & PROT_WRITE ? 'w' : '-',
			map->prot & PROT_EXEC ? 'x' : '-',
			map->flags & MAP_SHARED ? 's' : 'p',
			map->name ? map->name : "");

		line->num = map->start;
	}
	if (!m->n_maps)
		lines_add(&v->lines, STYLE_DIM,
			  m->note ? m->note : "no task here");
}

static bool
maps_request(struct view *v, enum request r, uint64_t count)
{
	const struct line *line = lines_current(&v->lines);
	char text[32];

	(void)count;
	if (r != REQ_ENTER || !line || !v->ui->moment.m.n_maps)
		return false;
	snprintf(text, sizeof(text), "0x%" PRIx64, line->num);
	memory_look(v->ui, text);
	return true;
}

const struct view_ops maps_ops = {
	.title = "Maps",
	.slot = SLOT_STATE,
	.size = sizeof(struct view),
	.update = maps_update,
	.request = maps_request,
	.label = state_label,
};
