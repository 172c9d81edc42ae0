#ifndef STORE_TRACE_H
#define STORE_TRACE_H

/*
 * What pastime trace found, in the database: rows, and what ranges of a
 * recording they are complete for. A range is (from, to]: what happened after
 * event from, up to event to and its effects.
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"
#include <stdbool.h>
#include <stdint.h>

struct db;

struct trace_range {
	uint64_t from, to;
};

/* The number of a trace of this kind ("writes", "calls"), made when new. */
int trace_open(struct db *db, uint64_t rec, const char *kind,
	       const char *subject, uint32_t len, uint32_t *out,
	       struct err *err);
/* It was a mistake: nothing is left of it. */
int trace_drop(struct db *db, uint64_t rec, uint32_t trace, struct err *err);
/* What it covers, in order. */
int trace_coverage(struct db *db, uint64_t rec, uint32_t trace, struct arena *a,
		   struct trace_range **out, size_t *n, struct err *err);

struct trace_write {
	uint32_t trace, nth, task, process, len;
	uint64_t seq, pc, visit; /* pc 0: at the event */
	uint64_t addr, insn, offset;
	bool by_kernel;
	struct span old, new;
	const char *module, *function, *source; /* NULL = unknown */
	int line;
};

struct trace_call {
	uint32_t trace, nth, task, process, depth;
	uint64_t seq, pc, visit;
	uint64_t exit_seq, exit_visit; /* ended 1 */
	uint32_t exit_nth;
	bool tail;
	unsigned ended; /* 0 open, 1 returned, 2 unwound, 3 died, 4 execed */
	uint64_t sp, caller_pc;
	uint64_t args[6], ret;
	const char *arguments, *result;
	const char *module, *function, *source;
	int line;
	const char *caller_module, *caller, *caller_source;
	int caller_line;
};

/* Calls of a trace that are open at event at, up to which it covers. */
int trace_open_calls(struct db *db, uint64_t rec, uint32_t trace, uint64_t at,
		     struct arena *a, struct trace_call **out, size_t *n,
		     struct err *err);

/* Rows on their way; they arrive, with what they cover, at trace_put_upto. */
struct trace_put;
struct trace_put *trace_put_new(struct db *db, uint64_t rec);
void trace_put_free(struct trace_put *p); /* NULL allowed */
/* A range of traces is about to be computed: rows of one that was given up are
 * dropped. */
int trace_put_begin(struct trace_put *p, const uint32_t *traces, size_t n,
		    struct trace_range range, struct err *err);
void trace_put_write(struct trace_put *p, const struct trace_write *w);
void trace_put_call(struct trace_put *p, const struct trace_call *c);
/* The end of a call that was put as open. */
void trace_put_end(struct trace_put *p, const struct trace_call *c);
/* Commit; covered: the range is complete up to seq. */
int trace_put_upto(struct trace_put *p, uint64_t seq, bool covered,
		   struct err *err);

#endif
