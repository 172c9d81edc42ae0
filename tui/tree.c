/* The process tree. Enter goes to where a process began. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "tui/ui.h"

/* Deeper than this a child is shown at the same depth. */
#define DEPTH_MAX 40

/* A process; its first task stands for it. */
struct node {
	const struct task_row *task;
	size_t threads;
	struct node *first, *last, *next; /* children, oldest first */
	bool shown; /* whatever the data says, nobody appears twice */
};

struct tree {
	struct ui *ui;
	struct lines *lines;
	struct node *v; /* in order of birth */
	size_t n;
	struct map by_process;
};

static void
add_line(const struct tree *t, struct node *p, const char *branches)
{
	const struct ui *ui = t->ui;
	const struct task_row *here = nav_task_row(ui, nav_task(ui));
	const struct task_row *row = p->task;
	bool alive = row->born_seq <= ui->seq &&
		     (!row->died_seq || row->died_seq > ui->seq);
	struct buf text = { 0 };
	struct line *line;

	p->shown = true;
	buf_printf(&text, "%s%d %s", branches, row->tid,
		   row->cmdline && *row->cmdline ? row->cmdline
		   : row->comm			 ? row->comm
						 : "?");
	if (p->threads > 1)
		buf_printf(&text, " (%zu threads)", p->threads);
	buf_printf(&text, "  e%" PRIu64, row->born_seq);
	if (row->died_seq)
		buf_printf(&text, "-e%" PRIu64, row->died_seq);
	buf_str(&text, "  ");
	status_text(row->status, &text);
	line = lines_add(t->lines, alive ? STYLE_NORMAL : STYLE_DIM,
			 buf_cstr(&text));
	line->seq = row->born_seq;
	line->gutter = here && here->process == row->process ? '>' : 0;
	buf_free(&text);
}

static void
add_children(const struct tree *t, const struct node *parent, const char *trunk,
	     int depth)
{
	for (struct node *p = parent->first; p; p = p->next) {
		char *branches, *deeper;

		if (p->shown)
			continue;
		branches = mem_printf(
			"%s%s ", trunk,
			draw_glyph(p->next ? GLYPH_BRANCH : GLYPH_BRANCH_LAST));
		deeper = depth >= DEPTH_MAX
				 ? mem_strdup(trunk)
				 : mem_printf("%s%s ", trunk,
					      p->next ? draw_glyph(GLYPH_TRUNK)
						      : "  ");
		add_line(t, p, branches);
		add_children(t, p, deeper, depth + 1);
		mem_free(branches);
		mem_free(deeper);
	}
}

static int
by_birth(const void *a, const void *b)
{
	const struct node *x = a, *y = b;

	return (x->task->born_seq > y->task->born_seq) -
	       (x->task->born_seq < y->task->born_seq);
}

/* The processes, by birth, and who is whose child. */
static void
make_tree(struct tree *t)
{
	const struct ui_tasks *all = &t->ui->tasks;

	t->v = mem_calloc(all->n + 1, sizeof(*t->v));
	for (size_t i = 0; i < all->n; i++) {
		const struct task_row *row = &all->v[i];
		struct node *p = map_get(&t->by_process, row->process);

		if (!p) {
			p = &t->v[t->n++];
			map_set(&t->by_process, row->process, p);
			p->task = row;
		}
		p->threads++;
		if (row->born_seq < p->task->born_seq)
			p->task = row;
	}
	if (t->n)
		qsort(t->v, t->n, sizeof(*t->v), by_birth);
	for (size_t i = 0; i < t->n; i++)
		map_set(&t->by_process, t->v[i].task->process, &t->v[i]);
	for (size_t i = 0; i < t->n; i++) {
		struct node *p = &t->v[i], *parent;
		const struct task_row *row =
			nav_task_row(t->ui, p->task->parent);

		parent = row ? map_get(&t->by_process, row->process) : NULL;
		if (!parent || parent == p)
			continue;
		if (parent->last)
			parent->last->next = p;
		else
			parent->first = p;
		parent->last = p;
	}
}

static void
tree_update(struct view *v, unsigned dirty)
{
	struct tree t = { .ui = v->ui, .lines = &v->lines };

	if (!(dirty & (DIRTY_TASKS | DIRTY_POS | DIRTY_HERE)))
		return;
	lines_clear(&v->lines);
	make_tree(&t);
	for (size_t i = 0; i < t.n; i++) {
		const struct task_row *parent =
			nav_task_row(v->ui, t.v[i].task->parent);

		if (parent || t.v[i].shown)
			continue;
		add_line(&t, &t.v[i], "");
		add_children(&t, &t.v[i], "", 0);
	}
	/* Parents that make a circle: damaged data, shown all the same. */
	for (size_t i = 0; i < t.n; i++)
		if (!t.v[i].shown)
			add_line(&t, &t.v[i], "? ");
	mem_free(t.v);
	map_free(&t.by_process);
}

static bool
tree_request(struct view *v, enum request r, uint64_t count)
{
	const struct line *line = lines_current(&v->lines);

	(void)count;
	if (r != REQ_ENTER || !line || !line->seq)
		return false;
	nav_jump(v->ui, line->seq);
	ui_close_pane(v->ui);
	return true;
}

const struct view_ops tree_ops = {
	.title = "Processes",
	.slot = SLOT_FULL,
	.size = sizeof(struct view),
	.update = tree_update,
	.request = tree_request,
};
