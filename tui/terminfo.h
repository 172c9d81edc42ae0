#ifndef TUI_TERMINFO_H
#define TUI_TERMINFO_H

/* What terminfo says of the terminal; apart from the rest because <term.h>
 * takes names such as "lines" for macros. */
#include <stdbool.h>
#include <stddef.h>

/* Can the terminal named by TERM move its cursor? */
bool terminfo_usable(void);
/* Append what puts the terminal back (attributes, cursor, main screen) to
 * out[*len]; whatever does not fit is left out. */
void terminfo_reset(char *out, size_t size, size_t *len);

#endif
