/* Questions that are answered by reading chunks. */
#include <string.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "event/facts.h"
#include "store/blob.h"
#include "store/db.h"
#include "store/derive.h"
#include "store/filter.h"
#include "store/query.h"
#include "store/reader.h"
#include "store/sift.h"

#define LIST 64		/* chunks that one look at the index brings */
#define CHUNK_BUDGET 96 /* decoded for one answer */
#define LANE_CHUNKS 64	/* decoded for exact lanes */

/* What a connection keeps for the next question: decoded chunks and packs. */
struct scan {
	struct db *db;
	uint64_t rec;
	struct chunk_reader *reader;
	struct blob_cache *blobs;
};

static void
scan_release(void *p)
{
	struct scan *s = p;

	chunk_reader_free(s->reader);
	blob_cache_free(s->blobs);
	mem_free(s);
}

static struct scan *
scan_of(struct db *db, uint64_t rec)
{
	struct scan *s = db_companion(db);

	if (!s) {
		s = mem_zalloc(sizeof(*s));
		s->db = db;
		s->blobs = blob_cache_new(db);
		db_set_companion(db, s, scan_release);
	}
	if (!s->reader || s->rec != rec) {
		chunk_reader_free(s->reader);
		s->reader = chunk_reader_new(db, rec);
		s->rec = rec;
	}
	return s;
}

static int
scan_chunk(struct scan *s, uint64_t seq, struct chunk *out, struct err *err)
{
	return chunk_reader_get(s->reader, seq, false, out, err);
}

static int
get_blob(void *ctx, const struct blob_id *id, struct buf *out)
{
	struct scan *s = ctx;

	return blob_cache_get(s->blobs, id, out, NULL);
}

/* ---- which chunks can have what a filter wants */

struct wanted {
	struct buf calls, tasks, kinds; /* int64_t each */
	bool by_call, by_task, by_kind, errors;
};

static void
wanted_init(struct wanted *w, const struct event_filter *f)
{
	*w = (struct wanted){ 0 };
	w->by_call = filter_restricts(f, FILTER_CALL, &w->calls);
	w->by_task = filter_restricts(f, FILTER_TASK, &w->tasks);
	w->by_kind = filter_restricts(f, FILTER_KIND, &w->kinds);
	w->errors = filter_wants_errors(f);
}

static void
wanted_release(struct wanted *w)
{
	buf_free(&w->calls);
	buf_free(&w->tasks);
	buf_free(&w->kinds);
}

#define CONDITIONS                                                             \
	"and (not $3 or calls && $4::smallint[]) "                             \
	"and (not $5 or tasks && $6::int[]) "                                  \
	"and (not $7 or kinds && $8::smallint[]) "                             \
	"and (not $9 or n_errors > 0) "

static const char list_forward[] =
	"select first_seq, n from pastime.chunk where recording = $1 "
	"and first_seq >= coalesce((select c.first_seq from pastime.chunk c "
	"where c.recording = $1 and c.first_seq <= $2 "
	"order by c.first_seq desc limit 1), 0) " CONDITIONS
	"order by first_seq limit 64";
static const char list_back[] =
	"select first_seq, n from pastime.chunk where recording = $1 "
	"and first_seq <= $2 " CONDITIONS "order by first_seq desc limit 64";

/* Up to LIST chunks with events from seq on, or down from it. */
static int
list_chunks(struct scan *s, uint64_t seq, bool back, const struct wanted *w,
	    struct arena *a, struct db_rows *out, struct err *err)
{
	return db_query(s->db, back ? list_back : list_forward,
			DB_ARGS(DB_INT(s->rec), DB_INT(seq),
				DB_BOOL(w->by_call),
				DB_INT8S(w->calls.p, w->calls.len / 8),
				DB_BOOL(w->by_task),
				DB_INT8S(w->tasks.p, w->tasks.len / 8),
				DB_BOOL(w->by_kind),
				DB_INT8S(w->kinds.p, w->kinds.len / 8),
				DB_BOOL(w->errors)),
			a, out, err);
}

/*
 * Go over events from seq on (or down from it), chunk by chunk. see returns
 * false to stop. *out_at is the last seq that was decided about: seen, or in
 * a chunk that cannot have what is wanted. 1: there may be more.
 */
typedef bool see_fn(void *ctx, const struct event *ev);

struct walk {
	struct scan *scan;
	const struct wanted *wanted;
	uint64_t last; /* seq of the last stored event */
	see_fn *see;
	void *ctx;
	unsigned budget; /* chunks */
	struct sift *sift; /* NULL: all of them are wanted */
	bool begun;
	uint64_t at;
};

static bool
walk_chunk(struct walk *w, const struct chunk *c, uint64_t seq, bool back)
{
	size_t from = seq > c->first_seq ? seq - c->first_seq : 0;

	if (!back) {
		for (size_t i = from; i < c->n; i++) {
			w->at = c->ev[i].seq;
			if (!w->see(w->ctx, &c->ev[i]))
				return false;
		}
		return true;
	}
	if (from >= c->n)
		from = c->n - 1;
	for (size_t i = from + 1; i-- > 0;) {
		w->at = c->ev[i].seq;
		if (!w->see(w->ctx, &c->ev[i]))
			return false;
	}
	return true;
}

/* Those of the list that are not looked at by the reader. */
static int
begin_sift(struct walk *w, const struct db_rows *r, size_t from,
	   struct err *err)
{
	uint64_t first[LIST];

	for (size_t i = from; i < r->n && i - from < LIST; i++)
		first[i - from] = (uint64_t)db_get_int(r, i, 0);
	return sift_list(w->sift, first, r->n - from, err);
}

static int
walk_list(struct walk *w, const struct db_rows *r, uint64_t seq, bool back,
	  struct err *err)
{
	/* The first one is often that of the last question: the reader has it.
	 */
	size_t direct = !w->sift ? r->n : !w->begun;
	int rc;

	w->begun = true;
	for (size_t i = 0; i < r->n; i++) {
		uint64_t first = (uint64_t)db_get_int(r, i, 0);
		struct chunk c;

		if (w->budget-- == 0) {
			w->at = back ? first + (uint64_t)db_get_int(r, i, 1)
				     : first - 1;
			return 1;
		}
		rc = i == direct ? begin_sift(w, r, direct, err) : 0;
		if (rc == 0)
			rc = i < direct
				     ? scan_chunk(w->scan, first, &c, err)
				     : sift_get(w->sift, i - direct, &c, err);
		if (rc < 0)
			return rc;
		if (rc > 0 && !walk_chunk(w, &c, seq, back))
			return 1;
	}
	return 0;
}

static int
walk(struct walk *w, uint64_t seq, bool back, struct err *err)
{
	int rc = 0;
	bool more = true;

	w->at = seq;
	while (rc == 0 && more) {
		struct arena a = { 0 };
		struct db_rows r;

		rc = list_chunks(w->scan, seq, back, w->wanted, &a, &r, err);
		if (rc == 0) {
			more = r.n == LIST;
			rc = walk_list(w, &r, seq, back, err);
		}
		if (rc == 0 && more && back)
			seq = (uint64_t)db_get_int(&r, r.n - 1, 0) - 1;
		else if (rc == 0 && more)
			seq = (uint64_t)(db_get_int(&r, r.n - 1, 0) +
					 db_get_int(&r, r.n - 1, 1));
		arena_free(&a);
	}
	if (rc == 0)
		w->at = back ? 1 : w->last;
	return rc;
}

static int
last_seq(struct db *db, uint64_t rec, uint64_t *out, struct err *err)
{
	struct arena a = { 0 };
	struct db_rows r;
	int rc;

	rc = db_query(db,
		      "select events from pastime.recording "
		      "where recording = $1",
		      DB_ARGS(DB_INT(rec)), &a, &r, err);
	if (rc == 0 && r.n == 0)
		rc = err_set(err, E_NOT_FOUND, "there is no recording %lu",
			     (unsigned long)rec);
	if (rc == 0)
		*out = (uint64_t)db_get_int(&r, 0, 0);
	arena_free(&a);
	return rc;
}

/* ---- events */

struct collect {
	const struct event_filter *filter;
	struct arena *arena;
	struct event *out;
	size_t n, max;
};

static void
take_event(struct collect *c, const struct event *ev)
{
	c->out[c->n] = *ev;
	c->out[c->n].payload = arena_span(c->arena, ev->payload);
	c->n++;
}

static bool
collect_event(void *ctx, const struct event *ev)
{
	struct collect *c = ctx;

	if (event_filter_match(c->filter, ev))
		take_event(c, ev);
	return c->n < c->max;
}

/*
 * A condition is asked of a window of events after the other, so that whoever
 * waits learns how far it is. Small ones give their rows in order; large ones
 * are for several processes of the server, which know no order.
 */
#define WINDOW_FIRST 20000u
#define WINDOW_MOST 2000000u
#define WINDOW_ORDERED 100000u
#define ANSWER_NS 500000000u

/* (from, to] of the events, in whatever direction. */
static int
events_of_window(struct scan *s, uint64_t from, uint64_t to, bool back,
		 const struct event_filter *f, struct collect *c,
		 struct err *err)
{
	struct arena a = { 0 };
	struct db_rows r;
	struct chunk chunk;
	char *sql;
	int rc;

	sql = mem_printf(
		"select seq from pastime.event where recording = $1 "
		"and seq > $2 and seq <= $3 and (%s) order by seq%s %s "
		"limit $4",
		f->sql, to - from > WINDOW_ORDERED ? " + 0" : "",
		back ? "desc" : "");
	rc = db_query(s->db, sql,
		      DB_ARGS(DB_INT(s->rec), DB_INT(from), DB_INT(to),
			      DB_INT(c->max - c->n)),
		      &a, &r, err);
	mem_free(sql);
	if (rc == -E_DB)
		err_hint(err, "a filter is key:value words, or a condition "
			      "over the columns of pastime.event");
	for (size_t i = 0; rc >= 0 && i < r.n; i++) {
		uint64_t at = (uint64_t)db_get_int(&r, i, 0);

		rc = scan_chunk(s, at, &chunk, err);
		if (rc > 0)
			take_event(c, &chunk.ev[at - chunk.first_seq]);
	}
	arena_free(&a);
	return rc < 0 ? rc : 0;
}

/* The filter is a condition over pastime.event, which must have rows. */
static int
events_by_sql(struct scan *s, uint64_t seq, uint64_t last, bool back,
	      const struct event_filter *f, struct collect *c, uint64_t *out_at,
	      struct err *err)
{
	uint64_t began = clock_now_ns(), window = WINDOW_FIRST;
	/* Everything before (behind) it is looked at. */
	uint64_t at = back && seq > 0 ? seq - 1 : seq;
	int rc = derive_rows(s->db, s->rec, NULL, NULL, err);

	while (rc == 0 && c->n < c->max && (back ? at > 0 : at < last)) {
		uint64_t left = back ? at : last - at;
		uint64_t n = left < window ? left : window;

		rc = back ? events_of_window(s, at - n, at, true, f, c, err)
			  : events_of_window(s, at, at + n, false, f, c, err);
		at = back ? at - n : at + n;
		window = window * 4 < WINDOW_MOST ? window * 4 : WINDOW_MOST;
		if (clock_now_ns() - began > ANSWER_NS)
			break;
	}
	*out_at = back ? at + 1 : at;
	if (c->n == c->max)
		*out_at = c->out[c->n - 1].seq;
	return rc;
}

/* What replays have counted for the points among them. */
static int
add_arrivals(struct db *db, uint64_t rec, struct event *ev, size_t n,
	     struct err *err)
{
	uint64_t from = UINT64_MAX, to = 0;
	struct map counted = { 0 };
	struct arena a = { 0 };
	struct db_rows r;
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		if (ev[i].kind != EV_sched)
			continue;
		from = ev[i].seq < from ? ev[i].seq : from;
		to = ev[i].seq > to ? ev[i].seq : to;
	}
	if (to == 0)
		return 0;
	rc = db_query(db,
		      "select seq, arrivals from pastime.arrival where "
		      "recording = $1 and seq between $2 and $3",
		      DB_ARGS(DB_INT(rec), DB_INT(from), DB_INT(to)), &a, &r,
		      err);
	for (size_t i = 0; rc == 0 && i < r.n; i++)
		map_set(&counted, (uint64_t)db_get_int(&r, i, 0),
			(void *)(uintptr_t)db_get_int(&r, i, 1));
	for (size_t i = 0; rc == 0 && i < n; i++)
		if (ev[i].kind == EV_sched)
			ev[i].args[2] = (uintptr_t)map_get(&counted, ev[i].seq);
	map_free(&counted);
	arena_free(&a);
	return rc;
}

int
query_events(struct db *db, uint64_t rec, uint64_t seq, bool back, size_t n,
	     const struct event_filter *f, struct arena *a, struct event **out,
	     size_t *out_n, uint64_t *out_scanned, struct err *err)
{
	struct event *ev = arena_alloc(a, (n + 1) * sizeof(*ev));
	struct collect c = { f, a, ev, 0, n };
	struct scan *s = scan_of(db, rec);
	struct walk w = { .scan = s,
			  .see = collect_event,
			  .ctx = &c,
			  .budget = CHUNK_BUDGET };
	struct wanted wanted;
	int rc;

	rc = last_seq(db, rec, &w.last, err);
	w.at = seq;
	if (rc == 0 && n > 0 && f && f->sql) {
		seq = back && seq > w.last ? w.last + 1 : seq;
		rc = events_by_sql(s, seq, w.last, back, f, &c, &w.at, err);
	} else if (rc == 0 && n > 0 && (back ? seq > 1 : seq < w.last)) {
		/* What a filter is resolved to is its own business. */
		rc = filter_resolve((struct event_filter *)(uintptr_t)f, db,
				    rec, err);
		wanted_init(&wanted, f);
		w.wanted = &wanted;
		if (rc == 0 && f)
			w.sift = sift_new(db, rec, f);
		if (rc == 0)
			rc = walk(&w, back ? seq - 1 : seq + 1, back, err);
		sift_free(w.sift);
		wanted_release(&wanted);
	}
	if (rc == 0)
		rc = add_arrivals(db, rec, ev, c.n, err);
	if (rc < 0)
		return rc;
	*out = ev;
	*out_n = c.n;
	*out_scanned = w.at;
	return 0;
}

/* ---- time */

int
query_seq_at_time(struct db *db, uint64_t rec, uint64_t time_ns, uint64_t *out,
		  struct err *err)
{
	struct scan *s = scan_of(db, rec);
	struct arena a = { 0 };
	struct db_rows r;
	struct chunk c;
	uint64_t at = 0;
	int rc;

	rc = db_query(db,
		      "select first_seq from pastime.chunk where "
		      "recording = $1 and t_min <= $2 "
		      "order by first_seq desc limit 1",
		      DB_ARGS(DB_INT(rec), DB_INT(time_ns)), &a, &r, err);
	if (rc == 0 && r.n)
		rc = scan_chunk(s, (uint64_t)db_get_int(&r, 0, 0), &c, err);
	if (rc > 0) {
		for (size_t i = 0; i < c.n; i++) {
			if (c.ev[i].time_ns <= time_ns)
				at = c.ev[i].seq;
		}
	}
	arena_free(&a);
	if (rc < 0)
		return rc;
	*out = at;
	return 0;
}

struct lanes {
	uint64_t from, to;
	size_t buckets;
	struct map index; /* task to its place + 1 */
	uint32_t *counts;
};

static void
lane_add(struct lanes *l, uint32_t task, uint64_t t, uint32_t n)
{
	uintptr_t lane = (uintptr_t)map_get(&l->index, task);
	size_t b;

	if (!lane || t < l->from || t >= l->to)
		return;
	b = (size_t)((double)(t - l->from) / (double)(l->to - l->from) *
		     (double)l->buckets);
	if (b >= l->buckets)
		b = l->buckets - 1;
	l->counts[(lane - 1) * l->buckets + b] += n;
}

/* Without decoding: its events evenly over its tasks and its time. */
static void
lane_estimate(struct lanes *l, const struct db_rows *r, size_t i)
{
	uint64_t n = (uint64_t)db_get_int(r, i, 1);
	uint64_t t0 = (uint64_t)db_get_int(r, i, 2);
	uint64_t t1 = (uint64_t)db_get_int(r, i, 3);
	size_t tasks = db_get_array_len(r, i, 4);
	uint64_t width = (l->to - l->from) / l->buckets + 1;
	uint64_t steps = (t1 - t0) / width + 1;

	for (size_t k = 0; k < tasks; k++) {
		uint32_t task = (uint32_t)db_get_array_int(r, i, 4, k);

		for (uint64_t j = 0; j < steps; j++)
			lane_add(l, task, t0 + j * ((t1 - t0) / steps),
				 (uint32_t)(n / tasks / steps) + 1);
	}
}

int
query_lanes(struct db *db, uint64_t rec, uint64_t from_ns, uint64_t to_ns,
	    size_t buckets, const uint32_t *tasks, size_t n_tasks,
	    uint32_t *out_counts, struct err *err)
{
	struct lanes l = { .from = from_ns,
			   .to = to_ns,
			   .buckets = buckets,
			   .counts = out_counts };
	struct scan *s = scan_of(db, rec);
	struct arena a = { 0 };
	struct db_rows r;
	int rc;

	memset(out_counts, 0, n_tasks * buckets * sizeof(*out_counts));
	if (to_ns <= from_ns || buckets == 0)
		return 0;
	for (size_t i = 0; i < n_tasks; i++)
		map_set(&l.index, tasks[i], (void *)(uintptr_t)(i + 1));
	rc = db_query(db,
		      "select first_seq, n, t_min, t_max, tasks "
		      "from pastime.chunk where recording = $1 "
		      "and t_max >= $2 and t_min < $3 order by first_seq",
		      DB_ARGS(DB_INT(rec), DB_INT(from_ns), DB_INT(to_ns)), &a,
		      &r, err);
	for (size_t i = 0; rc >= 0 && i < r.n; i++) {
		struct chunk c;

		if (r.n > LANE_CHUNKS) {
			lane_estimate(&l, &r, i);
			continue;
		}
		rc = scan_chunk(s, (uint64_t)db_get_int(&r, i, 0), &c, err);
		for (size_t k = 0; rc > 0 && k < c.n; k++)
			lane_add(&l, c.ev[k].task, c.ev[k].time_ns, 1);
	}
	map_free(&l.index);
	arena_free(&a);
	return rc < 0 ? rc : 0;
}

/* ---- output */

/* When a descriptor of a process was the program's output. */
struct window {
	uint64_t from, to;
	struct window *next;
};

struct output {
	struct scan *scan;
	struct map windows; /* process << 32 | fd to struct window */
	struct map process; /* task to process + 1 */
	struct arena *arena;
	VEC(struct span) pieces; /* newest first */
	size_t bytes, max;
};

static bool
is_window_open(const struct output *o, uint32_t task, int fd, uint64_t seq)
{
	uintptr_t process = (uintptr_t)map_get(&o->process, task);
	const struct window *w;

	if (!process)
		return false;
	w = map_get(&o->windows, (process - 1) << 32 | (uint32_t)fd);
	while (w && !(seq > w->from && seq < w->to))
		w = w->next;
	return w != NULL;
}

static bool
collect_output(void *ctx, const struct event *ev)
{
	struct blob_fetch blobs = { get_blob, NULL };
	struct output *o = ctx;
	struct facts facts;

	if (ev->kind != EV_syscall && ev->kind != EV_exit)
		return true;
	facts_quick(ev, &facts);
	if (ev->ret <= 0 || facts.fd < 0 ||
	    !is_window_open(o, ev->task, facts.fd, ev->seq))
		return true;
	blobs.ctx = o->scan;
	facts_of(ev, &blobs, o->arena, &facts);
	if (!facts.is_output || facts.data.len == 0)
		return true;
	vec_push(&o->pieces, facts.data);
	o->bytes += facts.data.len;
	return o->bytes < o->max;
}

static int
output_windows(struct output *o, struct db *db, uint64_t rec, uint32_t process,
	       struct err *err)
{
	struct db_rows r;
	int rc;

	rc = db_query(db,
		      "select d.process, d.fd, d.from_seq, "
		      "coalesce(d.to_seq, 9223372036854775807) "
		      "from pastime.descriptor d join pastime.open_file f "
		      "on f.recording = d.recording and f.file = d.file "
		      "where d.recording = $1 and case when $2 = 0 then "
		      "f.kind = 'tty' or d.file in (select s.file from "
		      "pastime.descriptor s where s.recording = $1 "
		      "and s.how = 'start' and s.fd in (1, 2)) "
		      "else d.process = $2 and (f.kind = 'tty' or "
		      "d.fd in (1, 2)) end",
		      DB_ARGS(DB_INT(rec), DB_INT(process)), o->arena, &r, err);
	for (size_t i = 0; rc == 0 && i < r.n; i++) {
		uint64_t key = (uint64_t)db_get_int(&r, i, 0) << 32 |
			       (uint32_t)db_get_int(&r, i, 1);
		struct window *w = arena_alloc(o->arena, sizeof(*w));

		w->from = (uint64_t)db_get_int(&r, i, 2);
		w->to = (uint64_t)db_get_int(&r, i, 3);
		w->next = map_get(&o->windows, key);
		map_set(&o->windows, key, w);
	}
	if (rc < 0)
		return rc;
	rc = db_query(db,
		      "select task, process from pastime.task "
		      "where recording = $1",
		      DB_ARGS(DB_INT(rec)), o->arena, &r, err);
	for (size_t i = 0; rc == 0 && i < r.n; i++)
		map_set(&o->process, (uint64_t)db_get_int(&r, i, 0),
			(void *)(uintptr_t)(db_get_int(&r, i, 1) + 1));
	return rc;
}

/* Calls whose bytes go out through a descriptor. */
static const int64_t writers[] = { SYS_write,	SYS_pwrite64, SYS_writev,
				   SYS_pwritev, SYS_pwritev2, SYS_sendto,
				   SYS_sendmsg, SYS_sendmmsg };

int
query_output(struct db *db, uint64_t rec, uint32_t process, uint64_t seq,
	     size_t max, struct buf *out, struct err *err)
{
	struct arena a = { 0 };
	struct scan *s = scan_of(db, rec);
	struct output o = { .scan = s, .arena = &a, .max = max };
	struct wanted wanted = { .by_call = true };
	struct walk w = { .scan = s,
			  .wanted = &wanted,
			  .see = collect_output,
			  .ctx = &o,
			  .budget = UINT32_MAX };
	int rc;

	buf_put(&wanted.calls, writers, sizeof(writers));
	rc = derive_intervals(db, rec, NULL, NULL, err);
	if (rc == 0)
		rc = output_windows(&o, db, rec, process, err);
	if (rc == 0 && seq > 0)
		rc = walk(&w, seq, true, err);
	if (rc >= 0) {
		size_t skip = o.bytes > max ? o.bytes - max : 0;

		for (size_t i = o.pieces.len; i-- > 0;) {
			struct span p = o.pieces.v[i];
			size_t cut = skip < p.len ? skip : p.len;

			buf_put(out, p.p + cut, p.len - cut);
			skip -= cut;
		}
	}
	wanted_release(&wanted);
	vec_free(&o.pieces);
	map_free(&o.windows);
	map_free(&o.process);
	arena_free(&a);
	return rc < 0 ? rc : 0;
}
