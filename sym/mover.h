#ifndef SYM_MOVER_H
#define SYM_MOVER_H

/* Between the files that move instructions (sym/move.h). */
#include <stddef.h>

#include "sym/move.h"

struct mover {
	const struct code *insn; /* what is moved together */
	unsigned count;
	const uint64_t *where; /* they begin there */
	uint64_t pc;	       /* branches there go to entry */
	uint64_t to;	       /* of bytes */
	uint64_t entry, slot;
	uint8_t *bytes;
	size_t len, room;
	uint64_t ret; /* what a call among them pushes */
	bool far;     /* something was out of reach */
};

/* How long it is there. */
uint8_t mover_len(const struct code *c);
void mover_put(struct mover *m, const struct code *c);
void mover_jump(struct mover *m, uint64_t target);
/* Does control get to what is behind it? */
bool mover_goes_on(const struct code *c);

#endif
