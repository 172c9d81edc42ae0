#ifndef TUI_NAV_H
#define TUI_NAV_H

/* What the parts of the interface ask of each other. UI thread. */
#include "event/pos.h"
#include "tui/prompt.h"
#include "tui/view.h"

struct event;
struct target_motion_req;
struct task_row;

/* nav.c: where we are. */
void nav_start(struct ui *ui);
void nav_goto(struct ui *ui, uint64_t seq);  /* moved by a step */
/* To a moment that may be in the code behind an event. */
void nav_goto_pos(struct ui *ui, const struct pos *pos);
struct pos nav_pos(const struct ui *ui);     /* where we are */
void nav_jump(struct ui *ui, uint64_t seq);  /* remembered by [ and ] */
void nav_jump_pos(struct ui *ui, const struct pos *pos);
void nav_to(struct ui *ui, const char *pos); /* any form of a position */
void nav_to_time(struct ui *ui, uint64_t time_ns);
/* n events on (back), among those shown; task 0: of any task. */
void nav_step(struct ui *ui, uint32_t task, int64_t n);
/* The first or last event that is shown. */
void nav_first(struct ui *ui, bool last);
void nav_refresh(struct ui *ui); /* tasks, marks, size of the recording */
void nav_marks(struct ui *ui);
void nav_to_mark(struct ui *ui, const char *name);
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

/* The task of an event, when its row is loaded; 0 = not known. */
uint32_t events_task(struct view *v, uint64_t seq);

/* detail.c: ask for the current event itself. */
void here_want(struct ui *ui);

/* moment.c: the replay's side. */
void moment_want(struct ui *ui);
/* For a pane without a moment: false; the lines then say why, if known. */
bool moment_known(struct view *v);
bool moment_stale(const struct ui *ui);
void moment_cancel(struct ui *ui);
/* "replay ready", "replaying 37 %", "diverged after e1234". */
void moment_status(struct ui *ui, struct buf *out);

/* motion.c: the requests that move to stops of the program. False: another. */
bool motion_request(struct ui *ui, enum request r, uint64_t count);

/* breaks.c */
struct ui_break;
void breaks_toggle(struct ui *ui, uint64_t addr);
/* "FUNCTION", "FILE:LINE", "LINE", "0xADDRESS", then perhaps " if x == 5". */
void breaks_set(struct ui *ui, const char *text);
const struct ui_break *breaks_at(const struct ui *ui, uint64_t addr);
void breaks_remove(struct ui *ui, size_t i);
void breaks_release(struct ui *ui);

/* catch.c: stops at events, in the same list. "signal SIGUSR1", "call read",
 * "fork"; the same once more takes it away. */
struct catches {
	struct caught {
		unsigned event; /* enum target_event */
		int which;
	} * v;
	size_t n;
};
void catch_set(struct ui *ui, const char *text);
const char *catch_kind_name(size_t i); /* "signal", ...; NULL ends them */
/* Those that are on, for a motion; v is the caller's. */
void catches_put(const struct ui *ui, struct catches *out,
		 struct target_motion_req *req);
/* Is the event (bit: as the stop says) one of them? */
bool catches_match(const struct catches *c, unsigned bit,
		   const struct event *ev);

/* watch.c: what of memory is meant by the line of the pane that has the keys;
 * false: nothing, and it was said why. */
struct watched {
	uint64_t addr;
	uint32_t len;
};
bool watch_here(struct ui *ui, struct watched *out);
void watch_set(struct ui *ui, const char *text);   /* "EXPR[,LEN]" */
void watch_print(struct ui *ui, const char *expr); /* its value */
uint32_t watch_process(const struct ui *ui); /* whose memory; 0 = any */

/* What views offer each other. */
const char *const *vars_open(const struct ui *ui, size_t *n); /* vars.c */
void memory_look(struct ui *ui, const char *expr);	 /* memory.c */
void output_postpone(struct ui *ui);			 /* output.c */
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
const char *command_name(size_t i); /* "memory" and so on; NULL ends them */

/* complete.c: Tab in the prompt. */
void prompt_tab(struct ui *ui);

#endif
