#ifndef CLI_LINK_H
#define CLI_LINK_H

/*
 * record is two processes. The front is the command's parent: it stays in its
 * process group, passes on signals and stops, and ends as the command ended.
 * The recorder traces and stores; it has a session of its own, so that no key
 * reaches it, and may outlive the front when the command leaves daemons behind.
 * This is what they tell each other, over a SEQPACKET socket, one struct each.
 */
#include "base/err.h"
#include "recorder/knobs.h"
#include "tracee/spawn.h"
#include <stdbool.h>
#include <stdint.h>

enum link_kind {
	LINK_DONE = 1, /* the command ended; live tasks are left */
	LINK_ENDED,    /* the last task ended; what is left is storing */
	LINK_STORED,   /* everything is stored, or in the spool (problem) */
	LINK_NO_EXEC,  /* the command could not be executed: err, an errno */
	LINK_FAILED,   /* recording is impossible or broke: err */
};

struct link_msg {
	int kind;
	int status;    /* wait status of the command */
	uint64_t live; /* tasks that still run */
	uint64_t events, tasks, duration_ns;
	uint64_t recording; /* number; 0 = not shipped yet */
	char uuid[40];
	bool broken;	   /* it does not hold all that happened: err */
	char problem[512]; /* why the server has not got everything, or "" */
	char notes[4096];  /* lines */
	struct err err;
};

/* What to record, and how. */
struct record_job {
	char *const *argv;
	char *const *envp;
	const char *url, *name, *command;
	char *const *tags; /* NULL-terminated "k=v" */
	unsigned cpus;
	uint64_t checksum_every;
	struct chaos_opts chaos;
	bool agent;
	const struct spawn_inherit *inherit;
	bool quiet, verbose;
	/* Descriptors we inherited, besides 0, 1, 2: not ours to keep open. */
	int *extra_fds;
	size_t n_extra;
};

/* Spawn, have it recorded, wait: the exit status for main, or a negative code.
 * A command that died of a signal takes this process with it. */
int front_run(const struct record_job *job, struct err *err);
/* The recorder process, from its fork to its end. */
void tracer_run(const struct record_job *job, struct spawned *spawned, int link)
	__attribute__((noreturn));
/* Close what the command alone should have open. */
void job_close_extra(const struct record_job *job);
/* /dev/null in place of descriptor fd. */
void job_forget_fd(int fd);

#endif
