/*
 * What the store costs: millions of events (the first argument, 5 without) into
 * PostgreSQL as chunks; then questions in SQL, from chunks and from rows, each
 * several times, the median counts. In the server that the environment names.
 * The recording "bench" stays and is used again: pastime rm bench.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"
#include "bench/stream.h"
#include "store/query.h"
#include "store/store.h"

#define MILLION 1000000u
#define TIMES 5

struct question {
	const char *name, *sql; /* N events in all, T nanoseconds */
};

static const struct question questions[] = {
	{ "count by call",
	  "select call, count(*) from event group by call order by 2 desc" },
	{ "one seq", "select * from event where seq = N / 2" },
	{ "1 % of time",
	  "select count(*), sum(dur_ns) from event where time_ns between "
	  "T / 2 and T / 2 + T / 100" },
	{ "1 % of time, all columns",
	  "select sum(length(path)), max(a5), sum(length(data)), min(sp) from "
	  "event where time_ns between T / 2 and T / 2 + T / 100" },
	{ "errors by path",
	  "select path, error, count(*) from event where error is not null "
	  "group by 1, 2 order by 3 desc limit 10" },
	{ "one call", "select count(*), avg(ret) from event where call = 228" },
	{ "the last ten",
	  "select seq, call, ret from event order by seq desc limit 10" },
	{ "count", "select count(*) from event" },
};

/* Filters of the interface that match nothing: until it can say so. */
static const char *const nothing[] = {
	"path:/no/such/file",
	"text:nothing-like-it",
	"error:EXDEV",
	"call:openat error:EPERM",
	"fd:4711",
	"path = '/nope'",
	"a2 = 123456789",
};

static double
seconds(uint64_t from)
{
	return (double)(clock_now_ns() - from) / 1e9;
}

static void
fail(const char *what, const struct err *err)
{
	die("%s: %s", what, err->text);
}

static void
put_all(struct sink *sink, size_t millions)
{
	struct buf store = { 0 };
	struct event *ev = stream_make(MILLION, &store);
	uint64_t span_ns = ev[MILLION - 1].time_ns;
	struct err err;

	for (size_t k = 0; k < millions; k++) {
		for (size_t i = 0; i < MILLION; i++) {
			struct event e = ev[i];

			e.seq += k * MILLION;
			e.time_ns += k * span_ns;
			if (sink_put(sink, &e, &err) < 0)
				fail("put", &err);
		}
	}
	mem_free(ev);
	buf_free(&store);
}

static void
fill(size_t millions)
{
	struct store_sink_opts o = { .name = "bench", .command = "bench" };
	struct sink *sink;
	struct err err;
	uint64_t t;

	if (store_sink_open(&o, &sink, &err) < 0)
		fail("open", &err);
	t = clock_now_ns();
	put_all(sink, millions);
	if (store_sink_finish(sink, &err) < 0)
		fail("finish", &err);
	printf("%zu M events stored as chunks: %.2f M/s\n", millions,
	       (double)millions / seconds(t));
	sink->ops->close(sink, &err);
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void
expand(struct buf *out, const char *sql, const struct recording_row *r)
{
	for (; *sql; sql++) {
		if (*sql == 'N')
			buf_printf(out, "%lu", (unsigned long)r->events);
		else if (*sql == 'T')
			buf_printf(out, "%lu", (unsigned long)r->duration_ns);
		else
			buf_u8(out, (uint8_t)*sql);
	}
}

static double
ask(struct db *db, const struct recording_row *r, const struct question *q)
{
	struct sql_result res;
	double t[TIMES];
	struct err err;
	struct buf sql = { 0 };

	expand(&sql, q->sql, r);
	for (size_t i = 0; i < TIMES; i++) {
		struct arena a = { 0 };
		uint64_t from = clock_now_ns();

		if (query_sql(db, r->recording, buf_cstr(&sql), &a, &res,
			      &err) < 0)
			fail(q->name, &err);
		t[i] = seconds(from);
		arena_free(&a);
	}
	buf_free(&sql);
	qsort(t, TIMES, sizeof(t[0]), compare);
	return t[TIMES / 2];
}

static void
ask_all(struct db *db, uint64_t rec, const char *way)
{
	struct recording_row r;
	struct arena a = { 0 };
	struct err err;
	uint64_t t;

	setenv("PASTIME_EVENTS", way, 1);
	if (query_recording(db, rec, &a, &r, &err) < 0)
		fail("recording", &err);
	t = clock_now_ns();
	if (query_fill_rows(db, rec, NULL, NULL, &err) < 0)
		fail("rows", &err);
	printf("\n%s: ready after %.3f s; %.1f bytes/event are stored\n", way,
	       seconds(t), (double)r.bytes / (double)r.events);
	for (size_t i = 0; i < ARRAY_LEN(questions); i++)
		printf("  %-26s %10.1f ms\n", questions[i].name,
		       1e3 * ask(db, &r, &questions[i]));
	arena_free(&a);
}

static void
search_nothing(struct db *db, uint64_t rec)
{
	struct err err;

	printf("\nfilters that match nothing\n");
	for (size_t i = 0; i < ARRAY_LEN(nothing); i++) {
		uint64_t from = clock_now_ns(), at = 0, scanned = 0, n = 0;
		double longest = 0;
		struct event_filter *f;

		if (event_filter_parse(nothing[i], &f, &err) < 0)
			fail(nothing[i], &err);
		for (;;) {
			uint64_t began = clock_now_ns();
			struct arena a = { 0 };
			struct event *ev;
			size_t got;

			if (query_events(db, rec, at, false, 200, f, &a, &ev,
					 &got, &scanned, &err) < 0)
				fail(nothing[i], &err);
			arena_free(&a);
			n += got;
			if (seconds(began) > longest)
				longest = seconds(began);
			if (scanned <= at)
				break;
			at = scanned;
		}
		printf("  %-26s %10.2f s, one answer at most %.2f s%s\n",
		       nothing[i], seconds(from), longest,
		       n ? ", and there are some" : "");
		event_filter_free(f);
	}
}

int
main(int argc, char **argv)
{
	size_t millions = argc > 1 ? strtoul(argv[1], NULL, 10) : 5;
	struct db *db;
	struct err err;
	uint64_t rec;

	if (store_open(NULL, &db, &err) < 0)
		fail("store", &err);
	if (store_find(db, "bench", &rec, &err) < 0) {
		fill(millions);
		if (store_find(db, "bench", &rec, &err) < 0)
			fail("find", &err);
	}
	if (argc > 2 && strcmp(argv[2], "filters") == 0) {
		search_nothing(db, rec);
		store_close(db);
		return 0;
	}
	ask_all(db, rec, "chunks");
	search_nothing(db, rec);
	if (argc > 2 && strcmp(argv[2], "rows") == 0)
		ask_all(db, rec, "rows");
	store_close(db);
	return 0;
}
