#ifndef CLI_NESTED_H
#define CLI_NESTED_H

#include "base/err.h"
#include <stdbool.h>

/* E_NESTED when this process is itself recorded or replayed, else 0. */
int nested_check(struct err *err);

#endif
