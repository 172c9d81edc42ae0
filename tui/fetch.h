#ifndef TUI_FETCH_H
#define TUI_FETCH_H

/*
 * Reading events on a worker's thread, in steps that can be interrupted, and
 * making rows of them.
 */
#include "tui/data.h"
#include "tui/rows.h"
#include "tui/worker.h"

struct fetch {
	const struct tui_query_ops *ops;
	void *data;
	struct job *job;    /* its stop and replaced flags end the reading */
	const char *filter; /* NULL = all */
	uint32_t task;	    /* 0 = all */
	const char *text;   /* in the event's line; NULL = any */
	uint64_t last;	    /* events in the recording */
	size_t max_string;
	/* A page is given with what was found so far when it took so long; 0 =
	 * complete only. */
	uint64_t patience_ns;
};

/*
 * Up to n matching events after seq (before it with back), in order of seq
 * either way, into *out. *out_all: there are no more in that direction.
 * -E_CANCELLED when the job is to end.
 */
int fetch_page(const struct fetch *f, uint64_t seq, bool back, size_t n,
	       struct page *out, bool *out_all, struct err *err);
/* The n-th matching event after (before) seq, or as many as there are:
 * *out_found of them were passed, 0 leaves *out alone. Without text. */
int fetch_nth(const struct fetch *f, uint64_t seq, bool back, uint64_t n,
	      struct row *out, uint64_t *out_found, struct err *err);

#endif
