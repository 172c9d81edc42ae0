#ifndef TESTS_UNIT_SYM_SELF_H
#define TESTS_UNIT_SYM_SELF_H

/* The test process as a space to look at. */
#include "sym/sym.h"

struct symbols *symbols_of_self(struct arena *a);
/* Its mappings as they are now. */
void symbols_map_self(struct symbols *s, struct arena *a);

#endif
