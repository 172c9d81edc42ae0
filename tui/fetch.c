#include "tui/fetch.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/vec.h"
#include "event/format.h"

/* Events in one answer: few at first, what is looked for may be near. */
#define BATCH_FIRST 200u
#define BATCH 2000u
#define SEARCHED 4096 /* bytes of a string that a search looks at */

typedef VEC(struct row) row_vec;

static bool
should_end(const struct fetch *f)
{
	return atomic_load(&f->job->stop) || atomic_load(&f->job->replaced);
}

static void
row_of(const struct event *ev, struct row *out)
{
	*out = (struct row){
		.seq = ev->seq,
		.time_ns = ev->time_ns,
		.dur_ns = ev->dur_ns,
		.task = ev->task,
		.flags = ev->flags,
		.kind = ev->kind,
		.call = ev->call,
	};
}

/*
 * One question: events after seq until some were found or all were looked
 * at. The store may give fewer than asked for after it looked at a bounded
 * part; *seq moves to where it came, *all when that was the end.
 */
static int
ask(const struct fetch *f, uint64_t *seq, bool back, size_t n, struct arena *a,
    struct event **ev, size_t *got, bool *all, struct err *err)
{
	struct tui_events_req req = { *seq, back, n, f->filter, f->task };
	uint64_t scanned = *seq;
	int rc;

	if (should_end(f))
		return err_set(err, E_CANCELLED, "cancelled");
	*got = 0;
	rc = f->ops->events(f->data, &req, a, ev, got, &scanned, err);
	if (rc < 0)
		return rc;
	if (*got == n)
		scanned = (*ev)[n - 1].seq;
	else if (*got && (back ? scanned > (*ev)[*got - 1].seq
			       : scanned < (*ev)[*got - 1].seq))
		scanned = (*ev)[*got - 1].seq;
	else if (!*got && scanned == *seq)
		*all = true;
	if (back ? scanned <= 1 : scanned >= f->last)
		*all = true;
	*seq = scanned;
	return 0;
}

/* For people: how far it came of what there is in that direction. */
static void
tell_progress(const struct fetch *f, uint64_t start, uint64_t seq, bool back)
{
	uint64_t all = back ? start : f->last - start;
	uint64_t at = back ? start - seq : seq - start;

	atomic_store(&f->job->at, at < all ? at : all);
	atomic_store(&f->job->to, all);
}

int
fetch_page(const struct fetch *f, uint64_t seq, bool back, size_t n,
	   struct page *out, bool *out_all, struct err *err)
{
	struct page page = { 0 };
	struct arena tmp = { 0 };
	struct buf text = { 0 };
	row_vec rows = { 0 };
	bool all = back ? seq <= 1 : seq >= f->last;
	struct format_opts fo = { .max_string = f->max_string };
	uint64_t start = seq, began = clock_now_ns();
	int rc = 0;

	while (!all && rows.len < n) {
		struct event *ev = NULL;
		size_t got;

		arena_clear(&tmp);
		rc = ask(f, &seq, back, n - rows.len, &tmp, &ev, &got, &all,
			 err);
		if (rc < 0)
			goto out;
		tell_progress(f, start, seq, back);
		for (size_t i = 0; i < got; i++) {
			struct row row;

			row_of(&ev[i], &row);
			buf_clear(&text);
			event_format(&ev[i], &fo, &text);
			row.text = arena_strdup(&page.arena, buf_cstr(&text));
			vec_push(&rows, row);
		}
		if (rows.len && f->patience_ns &&
		    clock_now_ns() - began > f->patience_ns)
			break;
	}
	page.n = rows.len;
	page.v = arena_alloc(&page.arena, sizeof(*page.v) * (rows.len + 1));
	for (size_t i = 0; i < rows.len; i++)
		page.v[back ? rows.len - 1 - i : i] = rows.v[i];
	*out = page;
	page = (struct page){ 0 };
	*out_all = all;
out:
	arena_free(&page.arena);
	arena_free(&tmp);
	buf_free(&text);
	vec_free(&rows);
	return rc;
}

/* Without capitals in the text, their size does not matter. */
static bool
has_text(const struct fetch *f, const struct event *ev, struct buf *line)
{
	struct format_opts fo = { .max_string = SEARCHED };
	const char *p = f->text;

	buf_clear(line);
	event_format(ev, &fo, line);
	while (*p && !isupper((uint8_t)*p))
		p++;
	return *p ? strstr(buf_cstr(line), f->text) != NULL
		  : strcasestr(buf_cstr(line), f->text) != NULL;
}

int
fetch_nth(const struct fetch *f, uint64_t seq, bool back, uint64_t n,
	  struct row *out, uint64_t *out_found, struct err *err)
{
	struct arena tmp = { 0 };
	struct buf line = { 0 };
	bool all = back ? seq <= 1 : seq >= f->last;
	/* What the question cannot say is looked at here. */
	bool pick = f->text || (f->task && f->filter);
	size_t most = BATCH_FIRST;
	uint64_t found = 0, start = seq;
	int rc = 0;

	while (!all && found < n) {
		uint64_t left = n - found;
		struct event *ev = NULL;
		size_t got;

		arena_clear(&tmp);
		rc = ask(f, &seq, back,
			 pick || left > most ? most : (size_t)left, &tmp, &ev,
			 &got, &all, err);
		if (rc < 0)
			break;
		tell_progress(f, start, seq, back);
		for (size_t i = 0; i < got && found < n; i++) {
			if (f->task && ev[i].task != f->task)
				continue;
			if (f->text && !has_text(f, &ev[i], &line))
				continue;
			row_of(&ev[i], out);
			found++;
		}
		most = BATCH;
	}
	arena_free(&tmp);
	buf_free(&line);
	if (rc < 0)
		return rc;
	*out_found = found;
	return 0;
}
