#ifndef TESTS_UNIT_TUI_FAKE_H
#define TESTS_UNIT_TUI_FAKE_H

/*
 * Recordings that never were: every event, register and byte follows from a
 * formula, so that ten million of them need no room and no server, and a screen
 * looks the same each time.
 */
#include "tui/data.h"
#include <stdatomic.h>

/* A breakpoint there: the way to it has no end, and stands 5 events on. */
#define FAKE_ENDLESS 0xdead0u

struct fake {
	uint64_t events;
	const char *name, *state;
	int fail_open;	   /* error code of the first question, or 0 */
	uint64_t diverges; /* replay fails from this seq on; 0 = never */
	size_t n_marks;
	struct mark_row marks[16];
	atomic_bool cancelled;
	atomic_ulong pages;   /* questions for events so far */
	atomic_ulong moments; /* moments asked for */
	atomic_int closed;
};

/* 60 events of two processes, a crash at the end. */
void fake_small(struct fake *f);
/* Ten million events. */
void fake_big(struct fake *f);
void fake_release(struct fake *f);
void fake_event(const struct fake *f, uint64_t seq, struct arena *a,
		struct event *out);

extern const struct tui_query_ops fake_query;
extern const struct tui_replay_ops fake_replay;

#endif
