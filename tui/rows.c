#include "tui/rows.h"

#include <string.h>

#include "base/mem.h"

void
rows_clear(struct rows *r)
{
	for (size_t i = 0; i < r->n; i++)
		arena_free(&r->page[i].arena);
	*r = (struct rows){ 0 };
}

void
rows_release(struct rows *r)
{
	rows_clear(r);
}

size_t
rows_count(const struct rows *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += r->page[i].n;
	return n;
}

const struct row *
rows_get(const struct rows *r, size_t i)
{
	for (size_t p = 0; p < r->n; p++) {
		if (i < r->page[p].n)
			return &r->page[p].v[i];
		i -= r->page[p].n;
	}
	return NULL;
}

const struct row *
rows_first(const struct rows *r)
{
	return r->n ? &r->page[0].v[0] : NULL;
}

const struct row *
rows_last(const struct rows *r)
{
	const struct page *p = r->n ? &r->page[r->n - 1] : NULL;

	return p ? &p->v[p->n - 1] : NULL;
}

int64_t
rows_find(const struct rows *r, uint64_t seq)
{
	size_t lo = 0, hi = rows_count(r);

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (rows_get(r, mid)->seq <= seq)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (int64_t)lo - 1;
}

static void
drop(struct rows *r, size_t i)
{
	arena_free(&r->page[i].arena);
	memmove(&r->page[i], &r->page[i + 1],
		(r->n - i - 1) * sizeof(r->page[0]));
	r->n--;
}

void
rows_add_after(struct rows *r, struct page *p)
{
	ASSERT(p->n > 0);
	ASSERT(!r->n || p->v[0].seq > rows_last(r)->seq);
	if (r->n == ROWS_PAGES) {
		drop(r, 0);
		r->from_start = false;
	}
	r->page[r->n++] = *p;
	*p = (struct page){ 0 };
}

void
rows_add_before(struct rows *r, struct page *p)
{
	ASSERT(p->n > 0);
	ASSERT(!r->n || p->v[p->n - 1].seq < rows_first(r)->seq);
	if (r->n == ROWS_PAGES) {
		drop(r, r->n - 1);
		r->to_end = false;
	}
	memmove(&r->page[1], &r->page[0], r->n * sizeof(r->page[0]));
	r->page[0] = *p;
	r->n++;
	*p = (struct page){ 0 };
}
