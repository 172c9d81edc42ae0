#ifndef CLI_PICK_H
#define CLI_PICK_H

/* What the user means by REC and by POS. */
#include "base/err.h"
#include "cli/cmd.h"
#include "event/pos.h"

/* REC; NULL = the latest. */
int pick_recording(struct cli *c, const char *rec, uint64_t *out,
		   struct err *err);
/* A position in recording rec; NULL text = e0. A task is filled in when it can
 * be. */
int pick_position(struct cli *c, uint64_t rec, const char *text,
		  struct pos *out, struct err *err);

#endif
