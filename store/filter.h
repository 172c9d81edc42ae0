#ifndef STORE_FILTER_H
#define STORE_FILTER_H

/* What a filter tells about chunks; see store/query.h. */
#include "base/vec.h"
#include "store/query.h"

enum filter_key {
	FILTER_TASK,
	FILTER_PID,
	FILTER_CALL,
	FILTER_KIND,
	FILTER_FD,
	FILTER_PATH,
	FILTER_ERROR,
	FILTER_GROUP,
	FILTER_TEXT,
};

/* One word: key, and the values that it allows. */
struct filter_word {
	enum filter_key key;
	bool negated;
	bool any; /* error:any */
	VEC(int64_t) values;
	char *text; /* path, text */
};

struct event_filter {
	VEC(struct filter_word) words;
	char *sql;		/* instead of words */
	VEC(int64_t) pid_tasks; /* tasks of the pids, once resolved */
	bool has_pid, pid_resolved;
	uint64_t pid_rec;
};

/*
 * Values that an event must have one of: calls (whole categories spelt out),
 * tasks or kinds. False: the filter does not restrict them. The values are
 * appended to out.
 */
bool filter_restricts(const struct event_filter *f, enum filter_key key,
		      struct buf *out_int64);
/* Must the event be a failed call? */
bool filter_wants_errors(const struct event_filter *f);
/* Columns of events (EVENT_COL_) that tell something about whole chunks; 0:
 * none does. Resolved before. */
uint32_t filter_columns(const struct event_filter *f);
/* Can one of n consecutive events match, of which those columns are known?
 * Their payloads lie one behind the other. */
bool filter_might(const struct event_filter *f, const struct event *ev,
		  size_t n);
/* Find the tasks of the pids in the filter. */
int filter_resolve(struct event_filter *f, struct db *db, uint64_t rec,
		   struct err *err);

#endif
