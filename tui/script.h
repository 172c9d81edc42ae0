#ifndef TUI_SCRIPT_H
#define TUI_SCRIPT_H

/*
 * Keys from a file, for tests: lines of
 *   size 80x24          (also later: a resize)
 *   key 1 0 l Tab Alt-1 (names as in the keys file)
 *   type some text      (each character a key)
 *   screen NAME         (print the screen, when everything asked for came)
 *   hold nav|ask|replay, release ...  (that worker begins nothing)
 *   click ROW COLUMN [twice], wheel ROW COLUMN LINES
 *   clip                (print what was copied last)
 *   asked               (print what was asked of the terminal since the last)
 * and # comments. Ends at its last line.
 */
#include "tui/tty.h"
#include "tui/ui.h"

/* Errors: E_FORMAT with file and line; E_BUSY when the screen does not come to
 * rest within a minute. */
int script_run(const char *path, struct ui **ui, struct tty *t,
	       const struct tui_opts *o, struct err *err);

#endif
