#ifndef REPLAYER_LINES_H
#define REPLAYER_LINES_H

/* Symbols of the program that a task runs at this moment, for motion by source
 * line. They are made when they are first wanted, one set per space. */
#include "sym/lines.h"

struct replayer;

/* Borrowed until the replayer moves. NULL: the task has no program here. */
struct symbols *lines_symbols(struct replayer *r, uint32_t task,
			      struct err *err);
void lines_free(struct replayer *r);

#endif
