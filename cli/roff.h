#ifndef CLI_ROFF_H
#define CLI_ROFF_H

/*
 * A manual page as text, for hosts without man(1): the man(7) macros that our
 * pages use, filled to a width. Bold and italics only with colour.
 */
#include "base/span.h"
#include <stdbool.h>
#include <stdio.h>

void roff_print(struct span page, FILE *out, int width, bool colour);

#endif
