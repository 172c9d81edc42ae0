#ifndef RECORDER_RECORDER_H
#define RECORDER_RECORDER_H

/*
 * Records a command: seizes it, follows every task of its tree, and puts what
 * happens into a sink. Runs in the tracer thread; returns when the last task ended.
 */
#include "base/err.h"
#include "base/opt.h"
#include "event/sink.h"
#include <stdbool.h>
#include <sys/types.h>

struct spawned;		/* tracee/spawn.h */
struct chaos_opts;	/* recorder/knobs.h */

/*
 * For tests and measurements: a task that computes is stopped at a point of
 * its own after each slice, though nobody waits for its turn.
 */
struct preempt_test {
	uint64_t slice_ns; /* 0 = off */
	unsigned seed; /* slices of random length, up to twice slice_ns; 0 = all
			  alike */
	bool sums;     /* a checksum event behind each */
	uint64_t now_ns; /* the recorder's own: this slice */
};

/* What tests ask of the agent (agent_test.c), and what came of it. */
struct agent_test {
	const uint64_t *prods; /* instructions of it, at which a signal comes */
	size_t nprods, next, hits;
	bool armed, accounts; /* accounts: its kernel calls are counted */
	uint8_t byte;
	uint64_t made, told, again, lost;
};

struct record_opts {
	char *const *argv;	 /* the command; argv[0] is looked up in PATH */
	char *const *envp;
	unsigned cpus;		 /* how many CPUs programs see; 0 = 1 */
	uint64_t checksum_every; /* a checksum event every N events of a space; 0 = never,
				  * except at exec and at a process's end when on: 1 = those only */
	bool keep_privs;
	const char *known_dir; /* private folder for known.h; NULL: none */
	bool agent; /* calls may complete in the program (docs/AGENT.md) */
	unsigned agent_from; /* ... at sites seen so often; 0 = a good number */
	uint64_t agent_room; /* bytes of records before a stop; 0 = many */
	struct agent_test *agent_test; /* NULL: none. Borrowed */
	const struct chaos_opts
		*chaos;		 /* hostile choices; NULL: none. Borrowed */
	uint64_t flush_ms;	 /* close a chunk after so long; 0 = 200 */
	struct spawned *spawned; /* the command waits already, as a child of another
				  * process, which called spawn_stopped; NULL: fork it */
	struct preempt_test preempt;
};

struct record_result {
	int status;		/* wait status of the command itself */
	uint64_t events;
	uint64_t tasks;
	struct buf notes;	/* lines for the end: unknown calls, refusals */
};

struct recorder;

/*
 * Start: fork the command (stopped before its exec) unless o->spawned is one that
 * waits already, seize it, let it go. The calling process is the tracer and, when it
 * forked, for the program its parent.
 * Errors: E_PTRACE_DENIED with a hint, E_NESTED, E_EXEC (ENOENT, EACCES kept in
 * the text; err->code is -ENOENT or -EACCES so that the caller can exit 127, 126).
 */
int recorder_start(struct recorder **out, const struct record_opts *o,
		   struct sink *sink, struct err *err);
/* Handle one stop. 1 = go on, 0 = the last task ended, negative = error. */
int recorder_step(struct recorder *r, struct err *err);
/* True once the command itself (the first process) has ended: *out_status. */
bool recorder_command_done(const struct recorder *r, int *out_status);
/* How many tasks live now: those that outlive the command are daemons. */
size_t recorder_live(const struct recorder *r);
/* Kill everything that still runs (second Ctrl-C on a detached recording). */
void recorder_kill(struct recorder *r);
int recorder_finish(struct recorder *r, struct record_result *out, struct err *err);
/* All of it, to the end, for those who have nothing else to do. Closes the
 * sink. */
int recorder_record(const struct record_opts *o, struct sink *sink,
		    struct record_result *out, struct err *err);

#endif
