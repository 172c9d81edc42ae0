#ifndef REPLAYER_REPLAYER_H
#define REPLAYER_REPLAYER_H

/*
 * Replays a recording from a source, checking everything on the way, and
 * stands still at any event. One thread owns a replayer and all its ptrace
 * calls; it is kept on one CPU, that of the task it replays, until the close.
 */
#include "base/err.h"
#include "event/pos.h"
#include "event/source.h"
#include <stdbool.h>
#include <stdint.h>

struct replayer;

/* Output of the program as it is reproduced: fd 1 or 2, or any tty. */
typedef void replay_output_fn(void *ctx, const struct event *ev, int fd, struct span bytes);

/* How an execution point was sought (tracee/point.h). */
struct replay_point {
	uint64_t seq, pc;
	uint32_t task;
	bool found, trap, ran_ahead;
	uint64_t recorded_ns; /* CPU time of the interval, roughly */
	uint64_t cpu_ns; /* of the search: the processes that ran, and ours */
	uint64_t wall_ns;
	uint64_t visits;
	unsigned mismatches, stops, copies, fell_back;
};
typedef void replay_point_fn(void *ctx, const struct replay_point *p);

/* Stored checkpoints are not used any more, as one of them is damaged. */
typedef void replay_damaged_fn(void *ctx, const char *why);

struct replay_opts {
	bool verify_memory;	     /* compare checksum events */
	bool verify_output;	     /* compare written bytes with the recorded ones */
	replay_output_fn *output;    /* NULL: dropped */
	void *output_ctx;
	replay_point_fn *point; /* NULL: nobody wants to know */
	void *point_ctx;
	replay_damaged_fn *damaged; /* told once; NULL: nobody wants to know */
	void *damaged_ctx;
	bool count_visits; /* of each point, which is slower in tight loops */
	uint64_t checkpoint_events;  /* distance of automatic checkpoints; 0 = default policy */
	uint64_t slice_ns; /* looks at code that is run with stops in it; 0 = 20
			      ms */
	uint64_t far_ns;   /* in computations this long steps back are named by
			      what is near; 0 = as slice_ns */
	uint64_t checkpoint_bytes;   /* budget for private dirty memory; 0 = default */
};

/* Where replay and recording part. */
struct divergence {
	uint64_t seq;		/* the event that did not come */
	uint32_t task;
	uint64_t last_good;	/* the last event that agreed */
	char expected[256];
	char found[256];
	char cause[256];	/* the likely one */
};

int replayer_open(struct replayer **out, struct source *src,
		  const struct replay_opts *o, struct err *err);
void replayer_close(struct replayer *r);

/* Replay one event. 1 = done, 0 = end of the recording; -E_DIVERGED (the state
 * stays as of the last good event), -E_UNTIMED. */
int replayer_step(struct replayer *r, struct err *err);
/* The same, but several events at once where that is faster (docs/AGENT.md). */
int replayer_run(struct replayer *r, struct err *err);
/* The same, not beyond event until. */
int replayer_run_to(struct replayer *r, uint64_t until, struct err *err);
/* Stand just after event seq, from the nearest checkpoint or by going on;
 * backwards too. progress may be NULL; it returns false to cancel (-E_CANCELLED). */
int replayer_seek(struct replayer *r, uint64_t seq,
		  bool (*progress)(void *ctx, uint64_t at, uint64_t to), void *ctx,
		  struct err *err);
uint64_t replayer_seq(const struct replayer *r);
const struct divergence *replayer_divergence(const struct replayer *r); /* or NULL */
/* A checkpoint here, kept until it is dropped or the budget needs it. */
int replayer_checkpoint(struct replayer *r, struct err *err);
size_t replayer_checkpoints(const struct replayer *r);

#endif
