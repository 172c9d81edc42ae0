#ifndef TUI_UI_H
#define TUI_UI_H

/*
 * The interface as it runs: where it is in the recording, what it knows of
 * that moment, which panes are open. All of it belongs to the UI thread;
 * workers see only their jobs.
 */
#include "tui/history.h"
#include "tui/layout.h"
#include "tui/prompt.h"
#include "tui/tui.h"
#include "tui/view.h"
#include "tui/worker.h"

enum job_key {
	JOB_RECORDING = 1, /* nav worker */
	JOB_TASKS,
	JOB_MARKS,
	JOB_PAGES,
	JOB_HERE,
	JOB_FDS,
	JOB_STEP,
	JOB_TIME,
	JOB_SEARCH, /* ask worker */
	JOB_SQL,
	JOB_LANES,
	JOB_OUTPUT,
	JOB_MOMENT, /* replay worker */
	JOB_EDIT,   /* nav; from here on every job has a key of its own */
};

/* Results that are kept: an arena and what is in it. */
struct ui_tasks {
	struct arena arena;
	struct task_row *v;
	size_t n;
};

struct ui_marks {
	struct arena arena;
	struct mark_row *v;
	size_t n;
};

struct ui_moment {
	struct arena arena;
	struct tui_moment m;
	bool valid;
};

/* The current event, as soon as it is known. */
struct ui_here {
	uint64_t seq; /* 0 = not known yet */
	uint64_t time_ns;
	uint32_t task;
};

/* A step whose end is being looked up: more presses of the key add to it. */
struct ui_step {
	uint64_t from;
	uint32_t task; /* 0 = of any task */
	int64_t n;     /* 0 = no step is under way */
};

struct ui {
	const struct tui_opts *o;
	struct keymap keys;
	struct prompt prompt;
	struct worker *nav, *ask, *rep;
	int wake_fd;
	unsigned edits; /* jobs of JOB_EDIT made so far */
	struct arena rec_arena;
	struct recording_row rec;
	bool rec_known;
	char *at; /* where to go then */
	struct ui_tasks tasks;
	struct ui_marks marks;

	uint64_t seq; /* where we are; 0 only in an empty recording */
	struct ui_here here;
	uint32_t pinned; /* task that the panes show; 0 = the event's */
	struct history history;
	char *filter; /* NULL = none */
	char *search;
	struct ui_step step;

	struct ui_moment moment, before; /* before: the last stop */
	struct err replay_err;		 /* code 0: none */
	bool replay_stopped;		 /* by the user, here */
	unsigned frame;
	char *mem_expr;
	int64_t mem_shift;

	struct layout layout;
	struct view *views[VIEW_COUNT];
	enum view_id tab[SLOT_COUNT]; /* the view on top in a slot */
	enum slot focus;
	enum slot under; /* had the keys before SLOT_FULL opened */
	bool full;	 /* SLOT_FULL is open */
	bool code_auto;	 /* source or code, whichever there is */
	bool maximised;
	bool mouse;

	char message[512];
	bool message_error;
	bool redraw; /* something changed */
	unsigned spin;
	bool quit;
	bool headless;	  /* a script drives */
	struct err fatal; /* nothing can be shown: why */
	char *clip;	  /* what was copied last */
	/* For the terminal's owner to do. */
	bool copy, suspend, repaint;
};

/* ui.c: the frame of everything. */
struct ui *ui_new(const struct tui_opts *o);
void ui_free(struct ui *ui);
void ui_start(struct ui *ui); /* workers and the first questions */
void ui_key(struct ui *ui, uint32_t key);
void ui_request(struct ui *ui, enum request r, uint64_t count);
void ui_mouse(struct ui *ui, int y, int x, bool twice);
void ui_wheel(struct ui *ui, int y, int x, int lines);
void ui_deliver(struct ui *ui); /* results of workers */
bool ui_busy(struct ui *ui);
void ui_tick(struct ui *ui); /* about once a second */
void ui_invalidate(struct ui *ui, unsigned dirty);
void ui_say(struct ui *ui, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void ui_complain(struct ui *ui, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void ui_complain_err(struct ui *ui, const struct err *err);

/* panes.c: which views are where. */
void ui_open(struct ui *ui, enum view_id id); /* show, give it the keys */
void ui_close_pane(struct ui *ui);
void ui_next_pane(struct ui *ui, int step);
void ui_next_tab(struct ui *ui, int step);
struct view *ui_focused(struct ui *ui);
bool ui_visible(const struct ui *ui, enum view_id id);
void ui_layout(struct ui *ui);

/* screen.c */
void ui_draw(struct ui *ui);

/* nav.c: where we are. */
void nav_start(struct ui *ui);
void nav_goto(struct ui *ui, uint64_t seq);  /* moved by a step */
void nav_jump(struct ui *ui, uint64_t seq);  /* remembered by [ and ] */
void nav_to(struct ui *ui, const char *pos); /* any form of a position */
void nav_to_time(struct ui *ui, uint64_t time_ns);
/* n events on (back), among those shown; task 0: of any task. */
void nav_step(struct ui *ui, uint32_t task, int64_t n);
/* The first or last event that is shown. */
void nav_first(struct ui *ui, bool last);
void nav_refresh(struct ui *ui); /* tasks, marks, size of the recording */
void nav_marks(struct ui *ui);
void nav_mark_set(struct ui *ui, const char *name);
void nav_mark_del(struct ui *ui, const char *name);
void nav_pin(struct ui *ui, uint32_t task);
uint32_t nav_task(const struct ui *ui); /* whose state the panes show */
const struct task_row *nav_task_row(const struct ui *ui, uint32_t task);
uint32_t nav_process(const struct ui *ui);
void nav_learn(struct ui *ui, uint64_t seq, uint64_t time_ns, uint32_t task);

/* events.c: the n-th row of a task (0: any) from seq in what is loaded. 1 =
 * found; 0 = the list ends before it, *out is the last one (0 = none); -1 = it
 * is not loaded that far. */
int events_nth(struct view *v, uint64_t seq, uint32_t task, int64_t n,
	       uint64_t *out);

/* detail.c: ask for the current event itself. */
void here_want(struct ui *ui);

/* moment.c: the replay's side. */
void moment_want(struct ui *ui);
bool moment_stale(const struct ui *ui);
void moment_cancel(struct ui *ui);
/* "replay ready", "replaying 37 %", "diverged after e1234". */
void moment_status(struct ui *ui, struct buf *out);

/* What views offer each other. */
void memory_look(struct ui *ui, const char *expr);	 /* memory.c */
void sql_run(struct ui *ui, const char *query);		 /* sql.c */
void status_text(int status, struct buf *out);		 /* tasks.c */
void state_label(const struct view *v, struct buf *out); /* stack.c */

/* search.c, command.c */
void search_text(struct ui *ui, const char *text, bool back);
void search_again(struct ui *ui, bool back, uint64_t count);
void search_filter(struct ui *ui, const char *text);
const char *const *search_keys(size_t *n); /* "call:" and so on */
void command_run(struct ui *ui, const char *line);
void prompt_finished(struct ui *ui, enum prompt_kind kind, const char *text);
/* What Tab offers after the text typed so far. */
void prompt_offers(struct ui *ui, enum prompt_kind kind, const char *text,
		   struct completion *out);

#endif
