#ifndef TUI_TTY_H
#define TUI_TTY_H

/*
 * The terminal: taken, read, and given back on every way out, die() and fatal
 * signals included. One per process.
 */
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct tty;

/* Errors: E_USAGE without a tty, E_UNSUPPORTED for one that cannot. */
int tty_open(struct tty **out, struct err *err);
/* A screen without a terminal, rows x cols, for scripts. */
int tty_open_headless(struct tty **out, int rows, int cols, struct err *err);
void tty_close(struct tty *t);

enum tty_event_kind {
	TTY_NOTHING,
	TTY_KEY,
	TTY_MOUSE, /* pressed */
	TTY_WHEEL,
	TTY_RESIZED,
	TTY_QUIT, /* SIGTERM, SIGHUP, SIGINT, or the terminal is gone */
};

struct tty_event {
	enum tty_event_kind kind;
	uint32_t key; /* as in keys.h */
	bool pasted;  /* part of pasted text: not a command */
	int y, x, lines;
	bool twice;
	int signo; /* TTY_QUIT */
};

/* Wait until there is input, a signal, wake_fd has something or timeout_ms
 * passed (-1 = none). */
void tty_wait(struct tty *t, int wake_fd, int timeout_ms);
/* The next thing that happened, without waiting. */
struct tty_event tty_next(struct tty *t);
void tty_mouse(struct tty *t, bool on);
void tty_resize(struct tty *t, int rows, int cols); /* headless */
void tty_redraw(struct tty *t);
/* The terminal is another program's from here to there. */
void tty_leave(struct tty *t);
void tty_return(struct tty *t);
/* Stop this process as Ctrl-Z does; back when it is continued. */
void tty_suspend(struct tty *t);
/* Put text on the clipboard of whoever shows the terminal (OSC 52). */
void tty_copy(struct tty *t, const char *text);
/* The rows of the screen as text, trailing blanks cut, each with a newline. */
struct buf;
void tty_dump(struct tty *t, struct buf *out);

#endif
