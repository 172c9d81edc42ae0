#ifndef TESTS_RECORDER_TAPE_H
#define TESTS_RECORDER_TAPE_H

/* A recording of a command, kept in memory for tests to look at. */
#include "base/arena.h"
#include "base/vec.h"
#include "event/memlog.h"
#include "recorder/recorder.h"

struct tape {
	struct memlog *log;
	struct arena arena;
	VEC(struct event) events; /* seq 1 is events.v[0] */
	struct record_result result;
};

/* Record argv to its end; a failure to do so fails the test. */
void tape_record(struct tape *t, const char *const argv[]);
/* The same for the guest of tests/guests. */
void tape_guest(struct tape *t, const char *name);
void tape_free(struct tape *t);
/* The first event of a kind after seq, or NULL. */
const struct event *tape_next(const struct tape *t, uint64_t seq,
			      enum event_kind kind);
/* The value of a KV item; false = none. */
bool tape_kv(const struct event *ev, const char *key, struct span *out);
bool tape_kv_is(const struct event *ev, const char *key, const char *value);

#endif
