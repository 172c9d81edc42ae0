#ifndef TUI_TUI_H
#define TUI_TUI_H

/*
 * The terminal user interface: browse a recording and rewind to any event.
 *
 * The caller's thread draws and reads keys and never waits: three workers do
 * the rest, one for the replay (it makes every ptrace call) and two for
 * questions to the database, so that a long search or a query of the user's
 * does not keep the events from scrolling.
 */
#include "tui/data.h"
#include <stdio.h>

struct tui_opts {
	const struct tui_query_ops *query;
	void *nav_data; /* questions of the panes */
	void *ask_data; /* searches, the user's SQL, lanes */
	const struct tui_replay_ops *replay;
	void *replay_data;
	const char *at;	       /* where to start, as pos_parse; NULL = start */
	const char *greeting;  /* said at the start; NULL = nothing */
	/* A second recording, which a key switches to: its data, at and
	 * greeting. NULL = none. */
	const struct tui_opts *other;
	const char *keys_file; /* remapping; NULL = the user's, "" = none */
	/*
	 * A file of keys in place of a terminal: nothing is read from or
	 * written to the tty, "screen NAME" in it prints the screen as text
	 * to script_out. NULL: PASTIME_TUI_SCRIPT, else a terminal.
	 */
	const char *script;
	FILE *script_out; /* NULL = stdout */
	/* Tests: a line for each key of the script that asked for something
	 * and for each view of its screens. NULL = none. */
	FILE *script_log;
	/* A debugger at a position, until its user leaves it; the terminal is
	 * free meanwhile. NULL = there is none. */
	int (*gdb)(void *ctx, const char *pos, struct err *err);
	void *gdb_ctx;
};

/*
 * Run until the user quits. The data is closed (ops close) in every case.
 * Errors: E_USAGE when stdin or stdout is no terminal, E_UNSUPPORTED when the
 * terminal cannot show screens, E_POSITION, and what the first question says
 * (E_DB, E_NOT_FOUND). The terminal is restored on every way out.
 */
int tui_run(const struct tui_opts *o, struct err *err);

/*
 * The real data: opened lazily by the worker that uses it, so that the first
 * screen does not wait. Callbacks, because tui/ knows neither how to connect
 * nor how to set up a replay.
 */
struct tui_backend {
	uint64_t recording;
	void *ctx;
	int (*open_db)(void *ctx, struct db **out, struct err *err);
	void (*close_db)(void *ctx, struct db *db);
	int (*open_target)(void *ctx, struct target **out, struct err *err);
	void (*close_target)(void *ctx, struct target *t);
	/* What the user should know of the replay and was not told yet, or
	 * NULL; good until the next operation. On the target's thread. */
	const char *(*warning)(void *ctx);
};

extern const struct tui_query_ops tui_backend_query;
extern const struct tui_replay_ops tui_backend_replay;
/* For nav_data and ask_data (one each) and replay_data; freed by ops close.
 * b must outlive them. */
void *tui_backend_query_new(const struct tui_backend *b);
void *tui_backend_replay_new(const struct tui_backend *b);

#endif
