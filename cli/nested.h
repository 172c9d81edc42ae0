#ifndef CLI_NESTED_H
#define CLI_NESTED_H

#include "base/err.h"
#include <stdbool.h>

/* E_NESTED when this process is itself recorded or replayed, E_PTRACE_DENIED
 * when PASTIME_PROBE says that this host cannot trace. */
int nested_check(struct err *err);
/* For E_PTRACE_DENIED: say by what, and what to do. Keeps err's code. */
void nested_explain_denied(struct err *err);

#endif
