#ifndef TRACEE_MEMCODE_H
#define TRACEE_MEMCODE_H

/* Instructions in the memory of a task. */
#include "sym/move.h"
#include "tracee/mem.h"

/* The instruction at pc; false: none that can be read or decoded. */
bool mem_code(const struct mem *m, uint64_t pc, struct code *out);

#endif
