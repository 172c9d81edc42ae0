#ifndef TUI_UI_H
#define TUI_UI_H

/*
 * The interface as it runs: where it is in the recording, what it knows of
 * that moment, which panes are open. All of it belongs to the UI thread;
 * workers see only their jobs.
 */
#include "tui/history.h"
#include "tui/layout.h"
#include "tui/nav.h"
#include "tui/prompt.h"
#include "tui/tui.h"
#include "tui/view.h"
#include "tui/worker.h"

enum job_key {
	JOB_RECORDING = 1, /* nav worker */
	JOB_MARKS,
	JOB_PAGES,
	JOB_HERE,
	JOB_STEP,
	JOB_TIME,
	JOB_TASKS, /* ask worker */
	JOB_FDS,
	JOB_SEARCH,
	JOB_SQL,
	JOB_LANES,
	JOB_OUTPUT,
	JOB_MOMENT, /* replay worker */
	JOB_MOTION,
	JOB_BREAK,
	JOB_NAMES,
	JOB_EDIT, /* nav; from here on every job has a key of its own */
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

/* A place of a breakpoint; several may have one name. Or (catch.c) an event
 * that is stopped at. */
struct ui_break {
	uint64_t addr;
	char *text; /* as it was asked for */
	char *cond; /* NULL = none */
	bool off;
	uint32_t len;	/* of a watchpoint at addr; 0 = a place, or */
	unsigned event; /* enum target_event, 0 = none */
	int which;	/* the call or signal; -1 = any */
};

struct motion_job;

/* Motion under way: presses of its key add to it, another one comes after it.
 */
struct ui_motion {
	struct motion_job *job; /* NULL = none */
	enum request then;	/* REQ_NONE = nothing */
	uint64_t then_count;
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
	struct pos inside; /* in the code behind it: as a position; else 0 */
	struct ui_here here;
	uint32_t pinned; /* task that the panes show; 0 = the event's */
	struct history history;
	char *filter; /* NULL = none */
	char *search;
	struct ui_step step;
	struct ui_motion motion;
	struct { /* where the last search for a write ended */
		struct pos at;
		uint64_t addr;
	} written;

	struct ui_moment moment, before; /* before: the last stop */
	struct err replay_err;		 /* code 0: none */
	bool replay_stopped;		 /* by the user, here */
	uint32_t asked_task;		 /* whose moment was asked for last */
	unsigned frame;
	VEC(struct ui_break) breaks;
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
	uint64_t looked_ns; /* when a running recording was last asked for */
	bool quit;
	bool headless;	  /* a script drives */
	struct err fatal; /* nothing can be shown: why */
	char *clip;	  /* what was copied last */
	/* For the terminal's owner to do. */
	bool copy, suspend, repaint;
	char *gdb; /* a debugger at this position; NULL = none */
	/* The interface of the other recording, NULL = none; it is there as
	 * long as this one. turn: show that. */
	struct ui *other;
	bool turn;
};

/* ui.c: the frame of everything. */
struct ui *ui_new(const struct tui_opts *o);
void ui_free(struct ui *ui);
void ui_start(struct ui *ui); /* workers and the first questions */
/* The one to be shown from now on: ui, or the other when it was asked for. */
struct ui *ui_turn(struct ui *ui);
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
void ui_layout(struct ui *ui);

/* screen.c */
void ui_draw(struct ui *ui);

#endif
