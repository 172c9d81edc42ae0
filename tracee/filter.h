#ifndef TRACEE_FILTER_H
#define TRACEE_FILTER_H

/*
 * The seccomp filter of every recorded and replayed task: calls from the
 * agent's gadget pass, everything else stops at the tracer; foreign
 * architectures too. Inherited and immutable, so the gadget's address is too.
 */
#include "base/err.h"

/* The event message (ptrace_event_msg) of a seccomp stop. */
#define FILTER_NATIVE 0u  /* an x86-64 call; x32 numbers have bit 30 set */
#define FILTER_FOREIGN 1u /* int 0x80 and 32-bit programs */

/* Install in the calling process (child, before exec). Sets no_new_privs
 * unless the caller has CAP_SYS_ADMIN and keep_privs is set. Async-signal-safe. */
int filter_install(int keep_privs, struct err *err);
/* For tests: the agent's own calls stop, too (AGENT_CALL_AFTER). */
int filter_install_all(int keep_privs, struct err *err);

#endif
