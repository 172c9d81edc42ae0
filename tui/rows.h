#ifndef TUI_ROWS_H
#define TUI_ROWS_H

/*
 * The part of a list of events that is in memory: consecutive pages of rows
 * around the cursor. Ten million events or ten, it holds at most ROWS_PAGES
 * pages; far ones are dropped as near ones come. UI thread.
 */
#include "base/arena.h"
#include "event/event.h"

#define ROWS_PAGE 200u
#define ROWS_PAGES 6u

struct row {
	uint64_t seq, time_ns, dur_ns;
	uint32_t task, flags;
	uint16_t kind;
	int16_t call;
	const char *text; /* in the page's arena */
};

struct page {
	struct arena arena;
	struct row *v;
	size_t n;
};

struct rows {
	struct page page[ROWS_PAGES];
	size_t n;
	bool from_start; /* nothing comes before the first row */
	bool to_end;	 /* nothing came after the last row, when asked */
};

void rows_release(struct rows *r);
void rows_clear(struct rows *r);
size_t rows_count(const struct rows *r);
const struct row *rows_get(const struct rows *r, size_t i);
const struct row *rows_first(const struct rows *r); /* NULL when empty */
const struct row *rows_last(const struct rows *r);
/* Index of the last row with seq at most the given one, or -1. */
int64_t rows_find(const struct rows *r, uint64_t seq);
/* Takes the page's memory. A full window drops its page at the other end. */
void rows_add_after(struct rows *r, struct page *p);
void rows_add_before(struct rows *r, struct page *p);

#endif
