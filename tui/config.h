#ifndef TUI_CONFIG_H
#define TUI_CONFIG_H

/* The user's files: lines of words, # comments where the reader says so. */
#include "base/err.h"

/* $XDG_CONFIG_HOME/pastime/NAME or ~/.config/pastime/NAME; NULL without HOME.
 * The caller frees it. */
char *config_path(const char *name);
/*
 * Each line, which may be changed; -E_FORMAT of one ends it, with file and line
 * before what it says. A missing file is none.
 */
int config_load(const char *path,
		int (*line)(void *ctx, char *text, struct err *err), void *ctx,
		struct err *err);

#endif
