#ifndef CLI_SAY_H
#define CLI_SAY_H

/* What pastime says to people: on stderr, plain where it is no terminal. */
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

/*
 * pastime: what happened: why  [E_CODE]
 *   what to type next
 */
void say_error(const struct err *err);
/* Of a replay: stored checkpoints are damaged (replay_opts.damaged). */
#define SAY_DAMAGED "stored checkpoints are not used: %s"
/* One line "pastime: ...". */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Progress of something that may last: after half a second, and only on a
 * terminal, one line that is rewritten: share, rate, time to go.
 */
struct progress {
	const char *what; /* "replaying" */
	const char *unit; /* "events" */
	uint64_t began_ns, shown_ns, first;
	bool off, begun, shown;
};

void progress_init(struct progress *p, const char *what, const char *unit,
		   bool quiet);
/* As the callbacks of store and replayer want it; false when the user
 * interrupted (interrupt.h). ctx is the struct progress. */
bool progress_step(void *ctx, uint64_t at, uint64_t to);
/* Take the line away. */
void progress_end(struct progress *p);

#endif
