#ifndef TUI_VIEW_H
#define TUI_VIEW_H

/*
 * A view is one kind of pane, in one file. Views of the same slot share a place
 * as tabs. A view learns that something changed by dirty bits: update() is
 * called before the next drawing, and only when the view is on the screen,
 * so that a hidden view costs no query.
 */
#include "base/buf.h"
#include "tui/keys.h"
#include "tui/layout.h"
#include "tui/lines.h"

struct ui;
struct view;

enum dirty {
	DIRTY_POS = 1u << 0,	/* another event is current */
	DIRTY_MOMENT = 1u << 1, /* a moment arrived */
	DIRTY_TASKS = 1u << 2,
	DIRTY_MARKS = 1u << 3,
	DIRTY_FILTER = 1u << 4,
	DIRTY_HERE = 1u << 5, /* the current event's own fields arrived */
	DIRTY_SIZE = 1u << 6,
	DIRTY_GROWN = 1u << 7, /* the recording has more events */
	DIRTY_BREAKS = 1u << 8,
	DIRTY_ALL = ~0u,
};

struct view_ops {
	const char *title;
	enum slot slot;
	size_t size; /* of the view's own struct; struct view comes first */
	void (*update)(struct view *v, unsigned dirty);
	/* NULL: v->lines. */
	void (*draw)(struct view *v, const struct rect *r, bool focus);
	/* NULL or false: not mine; lists get lines_request next. */
	bool (*request)(struct view *v, enum request r, uint64_t count);
	/* A click at a row and column of the pane; NULL: the line there. */
	void (*click)(struct view *v, int y, int x);
	/* More for the title: the filter, a file's name. May be NULL. */
	void (*label)(const struct view *v, struct buf *out);
	void (*release)(struct view *v); /* may be NULL */
};

struct view {
	const struct view_ops *ops;
	struct ui *ui;
	struct lines lines;
	unsigned dirty;
	struct rect rect; /* where it was drawn last */
};

enum view_id {
	VIEW_LANES,
	VIEW_EVENTS,
	VIEW_DETAIL,
	VIEW_SOURCE,
	VIEW_CODE,
	VIEW_STACK,
	VIEW_VARS,
	VIEW_REGS,
	VIEW_MEMORY,
	VIEW_FDS,
	VIEW_MAPS,
	VIEW_OUTPUT,
	VIEW_SQL,
	VIEW_MARKS,
	VIEW_BREAKS,
	VIEW_TREE,
	VIEW_TASKS,
	VIEW_HELP,
	VIEW_COUNT,
};

extern const struct view_ops lanes_ops, events_ops, detail_ops, source_ops,
	code_ops, stack_ops, vars_ops, regs_ops, memory_ops, fds_ops, maps_ops,
	output_ops, sql_ops, marks_ops, breaks_ops, tree_ops, tasks_ops,
	help_ops;

struct view *view_new(const struct view_ops *ops, struct ui *ui);
void view_free(struct view *v);
void view_draw(struct view *v, const struct rect *r, bool focus);
bool view_request(struct view *v, enum request r, uint64_t count);

#endif
