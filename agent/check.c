/*
 * The slow part of a point's comparison, run in the program when all general
 * registers agree. Freestanding, general registers only; what it changes is
 * in its data, which the tracer reads.
 */
#include "agent/stub.h"

int stub_check(struct stub_data *d);

static int
sum_agrees(const struct stub_sum *s)
{
	return stub_hash((const uint64_t *)(uintptr_t)s->addr, s->pages) ==
	       s->hash;
}

/* The first word that differs, or the number of words. */
static uint64_t
range_differs(const struct stub_range *r)
{
	const uint64_t *is = (const uint64_t *)(uintptr_t)r->addr;
	const uint64_t *want = (const uint64_t *)(uintptr_t)r->want;
	uint64_t i = 0;

	while (i < r->words && is[i] == want[i])
		i++;
	return i;
}

/* Compare; a word that differs is what the stub looks at first from now on. */
static int
range_agrees(struct stub_data *d, const struct stub_range *r)
{
	uint64_t i = range_differs(r);

	if (i == r->words)
		return 1;
	d->word = r->addr + 8 * i;
	d->word_neg = -((const uint64_t *)(uintptr_t)r->want)[i];
	return 0;
}

static int
vector_agrees(struct stub_data *d, const struct stub_range *r)
{
	uint64_t i = range_differs(r);
	const uint32_t *is, *want;

	if (i == r->words)
		return 1;
	is = (const uint32_t *)(uintptr_t)(r->addr + 8 * i);
	want = (const uint32_t *)(uintptr_t)(r->want + 8 * i);
	d->vector_at = (uint64_t)(uintptr_t)(is + (*is == *want));
	d->kills[STUB_VECTOR_KILLS]++;
	return 0;
}

int
stub_check(struct stub_data *d)
{
	uint64_t last = d->last_sum;

	d->checks++;
	if ((d->flags ^ d->want_flags) & d->flags_mask)
		return 0;
	/* The pages that told the last visit from the point. */
	if (last != 0 && !sum_agrees(&d->sum[last - 1]))
		return 0;
	d->last_sum = 0;
	for (uint64_t i = 0; i < d->n_vectors; i++) {
		if (!vector_agrees(d, &d->vector[i]))
			return 0;
	}
	for (uint64_t i = 0; i < d->n_ranges; i++) {
		if (!range_agrees(d, &d->range[i]))
			return 0;
	}
	for (uint64_t i = 0; i < d->n_sums; i++) {
		if (sum_agrees(&d->sum[i]))
			continue;
		d->last_sum = i + 1;
		return 0;
	}
	return 1;
}
