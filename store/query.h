#ifndef STORE_QUERY_H
#define STORE_QUERY_H

/*
 * Questions that TUI and CLI ask. Results live in the caller's arena. Every
 * call is one short keyset query or a read of chunks; none uses OFFSET.
 */
#include "base/arena.h"
#include "base/err.h"
#include "event/event.h"
#include <stdbool.h>

struct buf;
struct db;

struct recording_row {
	uint64_t recording;
	const char *uuid, *name, *command, *host, *tags;
	uint64_t started_real_ns, duration_ns, events, tasks, bytes;
	int status;		/* wait status of the command; -1 = none known */
	const char *state;	/* "done", "running", "cut off" */
	uint64_t indexed;	/* bytes of stored checkpoints */
};
int query_recordings(struct db *db, struct arena *a, struct recording_row **out, size_t *n, struct err *err);
int query_recording(struct db *db, uint64_t rec, struct arena *a, struct recording_row *out, struct err *err);
int query_check_name(const char *name, struct err *err);
int query_rename(struct db *db, uint64_t rec, const char *name, struct err *err);
int query_tag(struct db *db, uint64_t rec, const char *key, const char *value, struct err *err);
int query_remove(struct db *db, uint64_t rec, struct err *err);
/* What was removed and is not being stored any more; blobs nobody needs. */
int query_gc(struct db *db, uint64_t *out_blobs, uint64_t *out_bytes, struct err *err);

struct task_row {
	uint32_t task, process, parent, space, group;
	int tid;
	uint64_t born_seq, died_seq;	/* died 0 = alive at the end */
	uint64_t born_ns, died_ns;
	int status;			/* wait status, -1 = none */
	const char *comm, *cmdline;
};
int query_tasks(struct db *db, uint64_t rec, struct arena *a, struct task_row **out, size_t *n, struct err *err);

/* A filter: words "key:value" (task, pid, call, kind, fd, path, error, group, text)
 * and'ed, or an SQL condition over pastime.event's columns. */
struct event_filter;
int event_filter_parse(const char *text, struct event_filter **out, struct err *err);
void event_filter_free(struct event_filter *f);
bool event_filter_match(const struct event_filter *f, const struct event *ev);

/*
 * Events in seq order: up to n matching ones after seq (or before it, newest
 * first, with back). Payloads are in the arena. Reads chunks, skipping those that
 * cannot match by their calls and tasks. *out_scanned is the last seq looked at.
 */
int query_events(struct db *db, uint64_t rec, uint64_t seq, bool back, size_t n,
		 const struct event_filter *f, struct arena *a, struct event **out,
		 size_t *out_n, uint64_t *out_scanned, struct err *err);
int query_seq_at_time(struct db *db, uint64_t rec, uint64_t time_ns, uint64_t *out, struct err *err);

/* Density of events over time per task, for lanes: buckets counts for each task. */
int query_lanes(struct db *db, uint64_t rec, uint64_t from_ns, uint64_t to_ns, size_t buckets,
		const uint32_t *tasks, size_t n_tasks, uint32_t *out_counts, struct err *err);

struct fd_row {
	int fd;
	const char *kind, *target;	/* "file", "pipe", ...; path or address */
	uint64_t opened_seq;
	bool cloexec;
};
int query_fds(struct db *db, uint64_t rec, uint32_t process, uint64_t seq, struct arena *a,
	      struct fd_row **out, size_t *n, struct err *err);

/* What a process (0 = all) wrote to fd 1, 2 or a terminal up to seq, newest max bytes. */
int query_output(struct db *db, uint64_t rec, uint32_t process, uint64_t seq, size_t max,
		 struct buf *out, struct err *err);

struct mark_row {
	const char *name, *note;
	const char *pos;		/* as pos_format prints */
	uint64_t seq;
};
int query_marks(struct db *db, uint64_t rec, struct arena *a, struct mark_row **out, size_t *n, struct err *err);
int query_mark_set(struct db *db, uint64_t rec, const char *name, const char *pos, uint64_t seq, const char *note, struct err *err);
int query_mark_del(struct db *db, uint64_t rec, const char *name, struct err *err);

/* How often the pc of the sched event seq was reached in the code that it ends:
 * replays count, and query_events has the number in args[2], 0 = not counted.
 */
struct arrival_row {
	uint64_t seq, arrivals;
};
int query_arrivals_put(struct db *db, uint64_t rec, const struct arrival_row *v,
		       size_t n, struct err *err);

/* Any SQL of the user's, as text cells; the session has search_path set and
 * pastime.rec() bound to the recording. */
struct sql_result {
	size_t rows, cols;
	const char **names;	/* cols */
	const bool *numeric;	/* cols: a number (right-aligned, bare in JSON), not text */
	const char **cells;	/* rows * cols; NULL = SQL null */
	const char *tag;	/* "SELECT 5" */
};
int query_sql(struct db *db, uint64_t rec, const char *text, struct arena *a, struct sql_result *out, struct err *err);
/* From another thread: cancel what db is doing now. */
void query_cancel(struct db *db);

/* Make sure pastime.event has rows for the recording (up to its last stored chunk). */
int query_fill_rows(struct db *db, uint64_t rec, bool (*progress)(void *, uint64_t at, uint64_t to),
		    void *ctx, struct err *err);

#endif
