#ifndef TUI_WORKER_H
#define TUI_WORKER_H

/*
 * A thread that runs jobs one after the other. Jobs are made and finished on
 * the owner's (UI) thread; only run() is on the worker's. A new job replaces
 * queued ones with the same key: who holds a key down wants the last place, not
 * every place on the way.
 */
#include "base/arena.h"
#include "base/err.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct worker;

struct job {
	struct job *next;
	unsigned key;
	/* On the worker's thread; returns 0 or a negative code with err set. */
	int (*run)(struct job *job, void *data);
	/* On the owner's thread, always called once; rc is -E_CANCELLED for a
	 * job that was replaced before it ran. The arena is freed after it,
	 * unless done took it (job_take_arena). */
	void (*done)(struct job *job, void *owner);
	void *owner;
	int rc;
	struct err err;
	struct arena arena;
	atomic_bool stop;	 /* give up soon: somebody cancelled */
	atomic_bool replaced;	 /* a newer one of the same key waits */
	_Atomic uint64_t at, to; /* progress, for people */
	uint64_t started_ns;
};

/* size >= sizeof(struct job), which must be the first member. Zeroed. */
void *job_new(size_t size, unsigned key, int (*run)(struct job *, void *),
	      void (*done)(struct job *, void *), void *owner);
struct arena job_take_arena(struct job *job);

struct worker_opts {
	const char *name;
	void *data;
	void (*interrupt)(
		void *data);	   /* any thread: end the running job soon */
	void (*close)(void *data); /* worker's thread, last */
	int wake_fd;		   /* eventfd: told when a job is finished */
};

struct worker *worker_start(const struct worker_opts *o);
/* Cancels everything and joins. A thread that does not come back within two
 * seconds (a server that hangs) is left behind: the process is about to end. */
void worker_stop(struct worker *w);
void worker_submit(struct worker *w, struct job *job);
/* Cancel the running job and all queued ones of a key, or of all keys. */
void worker_cancel(struct worker *w, unsigned key);
#define WORKER_ALL UINT32_MAX
/* Call done() of what is finished; returns how many there were. */
int worker_deliver(struct worker *w);
bool worker_busy(struct worker *w); /* runs or has work to run */
/* Progress and time of the running job; false when there is none. */
bool worker_running(struct worker *w, unsigned *key, uint64_t *since_ns,
		    uint64_t *at, uint64_t *to);
/* Tests: while held, no job begins. A held worker is not busy. */
void worker_hold(struct worker *w, bool hold);

#endif
