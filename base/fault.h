#ifndef BASE_FAULT_H
#define BASE_FAULT_H

/*
 * Named fault points: PASTIME_FAULT=name:nth makes the nth passing of a point
 * fail (name alone: the first; name:nth+ from the nth on; several by comma).
 * The list is fault.def, and every point has a test.
 */
#include <stdbool.h>

enum fault {
#define FAULT(name, what) FAULT_##name,
#include "base/fault.def"
#undef FAULT
	FAULT_COUNT
};

bool fault_hit(enum fault f); /* true: behave as if it had failed */

#endif
