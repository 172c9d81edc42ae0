#include "store/frame.h"

#include <stdlib.h>

#include "base/mem.h"

static int
compare_int(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return x < y ? -1 : x > y;
}

/* Distinct values, ascending. v is changed. */
static size_t
distinct(int32_t *v, size_t n)
{
	size_t k = 0;

	qsort(v, n, sizeof(*v), compare_int);
	for (size_t i = 0; i < n; i++) {
		if (k == 0 || v[k - 1] != v[i])
			v[k++] = v[i];
	}
	return k;
}

static int16_t *
narrow(struct arena *a, const int32_t *v, size_t n)
{
	int16_t *out = arena_alloc(a, n * sizeof(*out));

	for (size_t i = 0; i < n; i++)
		out[i] = (int16_t)v[i];
	return out;
}

/* A set of small numbers, in the order of their first appearance. */
struct small_set {
	uint64_t bits[1024]; /* 65,536 of them */
	int32_t *v;
	size_t n;
};

static void
small_add(struct small_set *s, uint16_t x)
{
	uint64_t bit = UINT64_C(1) << (x & 63);

	if (s->bits[x >> 6] & bit)
		return;
	s->bits[x >> 6] |= bit;
	s->v[s->n++] = x;
}

void
chunk_head_of(const struct event *ev, size_t n, struct arena *a,
	      struct chunk_head *out)
{
	struct small_set *calls = mem_zalloc(sizeof(*calls));
	int32_t *tasks = mem_calloc(n, sizeof(*tasks));
	int32_t kinds[64];
	uint64_t seen = 0;
	size_t n_kinds = 0, n_tasks = 0;
	int32_t last = -1;

	calls->v = mem_calloc(n, sizeof(*calls->v));
	for (size_t i = 0; i < n; i++) {
		if (!(seen >> (ev[i].kind & 63) & 1)) {
			seen |= UINT64_C(1) << (ev[i].kind & 63);
			kinds[n_kinds++] = ev[i].kind;
		}
		if (ev[i].call >= 0)
			small_add(calls, (uint16_t)ev[i].call);
		/* Tasks come in runs. */
		if ((int32_t)ev[i].task != last) {
			last = (int32_t)ev[i].task;
			tasks[n_tasks++] = last;
		}
	}
	out->n_kinds = distinct(kinds, n_kinds);
	out->kinds = narrow(a, kinds, out->n_kinds);
	out->n_calls = distinct(calls->v, calls->n);
	out->calls = narrow(a, calls->v, out->n_calls);
	out->n_tasks = distinct(tasks, n_tasks);
	out->tasks = arena_dup(a, tasks, out->n_tasks * sizeof(*tasks));
	mem_free(calls->v);
	mem_free(calls);
	mem_free(tasks);
}

void
chunk_head_put(struct buf *b, const struct chunk_head *h)
{
	buf_u64(b, h->info.first_seq);
	buf_u64(b, h->info.t_min);
	buf_u64(b, h->info.t_max);
	buf_u32(b, h->info.n);
	buf_u32(b, h->info.n_errors);
	buf_u32(b, h->info.raw_len);
	buf_u32(b, h->codec);
	buf_u32(b, h->tasks_seen);
	buf_varint(b, h->n_kinds);
	for (size_t i = 0; i < h->n_kinds; i++)
		buf_zigzag(b, h->kinds[i]);
	buf_varint(b, h->n_calls);
	for (size_t i = 0; i < h->n_calls; i++)
		buf_zigzag(b, h->calls[i]);
	buf_varint(b, h->n_tasks);
	for (size_t i = 0; i < h->n_tasks; i++)
		buf_zigzag(b, h->tasks[i]);
}

static int16_t *
get_small(struct reader *r, struct arena *a, size_t *out_n)
{
	size_t n = reader_varint(r);
	int16_t *v;

	if (r->bad || n > CHUNK_EVENTS)
		n = 0;
	v = arena_alloc(a, (n + 1) * sizeof(*v));
	for (size_t i = 0; i < n; i++)
		v[i] = (int16_t)reader_zigzag(r);
	*out_n = n;
	return v;
}

int
chunk_head_get(struct span frame, struct arena *a, struct chunk_head *out,
	       struct span *out_data, struct err *err)
{
	struct reader r;

	reader_init(&r, frame);
	out->info.first_seq = reader_u64(&r);
	out->info.t_min = reader_u64(&r);
	out->info.t_max = reader_u64(&r);
	out->info.n = reader_u32(&r);
	out->info.n_errors = reader_u32(&r);
	out->info.raw_len = reader_u32(&r);
	out->codec = reader_u32(&r);
	out->tasks_seen = reader_u32(&r);
	out->kinds = get_small(&r, a, &out->n_kinds);
	out->calls = get_small(&r, a, &out->n_calls);
	out->n_tasks = reader_varint(&r);
	if (r.bad || out->n_tasks > CHUNK_EVENTS)
		out->n_tasks = 0;
	out->tasks = arena_alloc(a, (out->n_tasks + 1) * sizeof(*out->tasks));
	for (size_t i = 0; i < out->n_tasks; i++)
		out->tasks[i] = (int32_t)reader_zigzag(&r);
	if (r.bad)
		return err_set(err, E_FORMAT,
			       "a chunk in the spool has a "
			       "damaged head");
	*out_data = span_of(r.p, (size_t)(r.end - r.p));
	return 0;
}

void
facts_put(struct buf *b, const char *key, const char *value)
{
	buf_put(b, key, strlen(key) + 1);
	buf_put(b, value, strlen(value) + 1);
}

/* The NUL-terminated text at *at, or NULL; *at moves behind it. */
static const char *
facts_text(struct span facts, size_t *at)
{
	const uint8_t *p = facts.p + *at;
	const uint8_t *end;

	if (*at >= facts.len)
		return NULL;
	end = memchr(p, 0, facts.len - *at);
	if (!end)
		return NULL;
	*at += (size_t)(end - p) + 1;
	return (const char *)p;
}

bool
facts_at(struct span facts, size_t i, const char **key, const char **value)
{
	size_t at = 0;

	for (;; i--) {
		*key = facts_text(facts, &at);
		*value = facts_text(facts, &at);
		if (!*key || !*value)
			return false;
		if (i == 0)
			return true;
	}
}

const char *
facts_get(struct span facts, const char *key)
{
	const char *k, *v;

	for (size_t i = 0; facts_at(facts, i, &k, &v); i++) {
		if (strcmp(k, key) == 0)
			return v;
	}
	return "";
}
