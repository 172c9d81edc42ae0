#ifndef TESTS_UNIT_SYM_SELF_H
#define TESTS_UNIT_SYM_SELF_H

/* The test process as a space to look at. */
#include "sym/sym.h"

struct symbols *symbols_of_self(struct arena *a);

#endif
