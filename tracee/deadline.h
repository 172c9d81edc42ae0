#ifndef TRACEE_DEADLINE_H
#define TRACEE_DEADLINE_H

/*
 * Stop a running task at a time: a timer of the tracer thread, whose signal
 * handler asks for the stop (PTRACE_INTERRUPT), so that no wake-up is lost
 * between looking at the clock and waiting. The task reports STOP_EVENT_STOP;
 * one that stopped for another reason just before does so when it is resumed,
 * so such a stop can also come late, or be a surprise: look at the clock.
 *
 * Takes the signal SIGRTMAX - 3, which must not be blocked. Waits that it
 * interrupts go on (SA_RESTART).
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/err.h"

struct deadline {
	timer_t timer;
	volatile pid_t tid; /* 0 = not armed */
	volatile bool fired; /* it has interrupted tid since it was armed */
	bool open;
};

/* Of the calling thread; *d stays where it is until deadline_close. */
int deadline_open(struct deadline *d, struct err *err);
void deadline_close(struct deadline *d);
/* Interrupt tid in ns from now; replaces what was armed. */
void deadline_arm(struct deadline *d, pid_t tid, uint64_t ns);
void deadline_disarm(struct deadline *d);

/*
 * The CPU time that a task has used, in ns: exact while it is stopped. 0 when
 * it is gone. A guide to how far a task has come, never more: the same code
 * takes 0.7 to 1.6 times as long the next time.
 */
uint64_t cputime_ns(pid_t tid);
/* ... that the calling thread has used. */
uint64_t cputime_own_ns(void);

#endif
