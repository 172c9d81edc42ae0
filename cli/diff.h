#ifndef CLI_DIFF_H
#define CLI_DIFF_H

/* Where two recordings part, for "diff" and "tui --diff". */
#include "base/err.h"
#include "cli/cmd.h"
#include "event/parting.h"

/* parting_find over two recordings of the store, with progress. */
int diff_find(struct cli *c, const uint64_t rec[2], struct parting *out,
	      struct err *err);

#endif
