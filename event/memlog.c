#include "event/memlog.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "event/codec.h"

struct chunk {
	struct chunk_info info;
	uint8_t *bytes;
	size_t len;
};

struct blob {
	struct blob *next; /* same first half of the id */
	struct blob_id id;
	uint8_t *bytes;
	size_t len;
};

struct stored {
	struct source_stored at;
	struct span state;
};

struct memlog {
	struct sink sink;
	struct source source;
	struct encoder *encoder;
	struct event *open; /* CHUNK_EVENTS, not yet encoded */
	size_t n_open;
	size_t open_payload;
	struct arena arena; /* payloads of open */
	uint64_t next_seq;
	VEC(struct chunk) chunks;
	struct map blobs;

	VEC(struct stored) stored; /* in order */

	/* The reading side. */
	uint64_t read_seq;  /* what next returns */
	size_t loaded;	    /* index + 1 of the decoded chunk, 0 = none */
	struct event *read; /* its events */
	struct buf scratch;
};

static struct memlog *
of_sink(struct sink *s)
{
	return (struct memlog *)((char *)s - offsetof(struct memlog, sink));
}

static struct memlog *
of_source(struct source *s)
{
	return (struct memlog *)((char *)s - offsetof(struct memlog, source));
}

static int
seal(struct memlog *m, struct err *err)
{
	struct chunk c = { 0 };
	struct buf out = { 0 };
	int r;

	if (m->n_open == 0)
		return 0;
	r = encoder_chunk(m->encoder, m->open, m->n_open, &out, &c.info, err);
	if (r < 0) {
		buf_free(&out);
		return r;
	}
	c.bytes = mem_dup(out.p, out.len);
	c.len = out.len;
	buf_free(&out);
	vec_push(&m->chunks, c);
	m->n_open = 0;
	m->open_payload = 0;
	arena_clear(&m->arena);
	return 0;
}

static int
memlog_put(struct sink *s, const struct event *ev, struct err *err)
{
	struct memlog *m = of_sink(s);

	if (ev->seq != m->next_seq)
		return err_set(err, EINVAL, "event %lu where %lu was expected",
			       (unsigned long)ev->seq,
			       (unsigned long)m->next_seq);
	m->open[m->n_open] = *ev;
	m->open[m->n_open].payload = arena_span(&m->arena, ev->payload);
	m->n_open++;
	m->open_payload += ev->payload.len;
	m->next_seq++;
	if (m->n_open == CHUNK_EVENTS || m->open_payload >= CHUNK_PAYLOAD)
		return seal(m, err);
	return 0;
}

static uint64_t
blob_key(const struct blob_id *id)
{
	uint64_t key;

	memcpy(&key, id->b, sizeof(key));
	return key;
}

static struct blob *
blob_find(struct memlog *m, const struct blob_id *id)
{
	struct blob *b = map_get(&m->blobs, blob_key(id));

	while (b && memcmp(&b->id, id, sizeof(*id)) != 0)
		b = b->next;
	return b;
}

static int
memlog_blob(struct sink *s, struct span bytes, struct blob_id *out,
	    struct err *err)
{
	struct memlog *m = of_sink(s);
	struct blob_id id;
	struct blob *b;

	if (bytes.len > BLOB_PIECE)
		return err_set(err, EINVAL, "a blob of %zu bytes", bytes.len);
	blob_id_of(bytes, &id);
	if (!blob_find(m, &id)) {
		b = mem_zalloc(sizeof(*b));
		b->id = id;
		b->bytes = mem_dup(bytes.p, bytes.len);
		b->len = bytes.len;
		b->next = map_get(&m->blobs, blob_key(&id));
		map_set(&m->blobs, blob_key(&id), b);
	}
	*out = id;
	return 0;
}

static int
memlog_flush(struct sink *s, struct err *err)
{
	return seal(of_sink(s), err);
}

static int
load(struct memlog *m, size_t i, struct err *err)
{
	const struct chunk *c = &m->chunks.v[i];
	struct span bytes = span_of(c->bytes, c->len);
	size_t need;
	int r;

	m->loaded = 0;
	if ((r = chunk_peek(bytes, NULL, &need, err)) < 0)
		return r;
	buf_clear(&m->scratch);
	buf_grow(&m->scratch, need);
	r = chunk_decode(bytes, m->read, c->info.n, m->scratch.p, need, err);
	if (r < 0)
		return r;
	m->loaded = i + 1;
	return 0;
}

static bool
chunk_has(const struct chunk *c, uint64_t seq)
{
	return seq >= c->info.first_seq && seq - c->info.first_seq < c->info.n;
}

/* The chunk that holds seq, or the number of chunks. */
static size_t
chunk_of(const struct memlog *m, uint64_t seq)
{
	size_t lo = 0, hi = m->chunks.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct chunk *c = &m->chunks.v[mid];

		if (c->info.first_seq + c->info.n <= seq)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int
memlog_look(struct source *s, const struct event **out, size_t *out_n,
	    struct err *err)
{
	struct memlog *m = of_source(s);
	const struct chunk_info *ci;
	size_t i;
	int r;

	if (!m->loaded ||
	    !chunk_has(&m->chunks.v[m->loaded - 1], m->read_seq)) {
		i = chunk_of(m, m->read_seq);
		if (i == m->chunks.len)
			return 0;
		if ((r = load(m, i, err)) < 0)
			return r;
	}
	ci = &m->chunks.v[m->loaded - 1].info;
	i = (size_t)(m->read_seq - ci->first_seq);
	*out = &m->read[i];
	*out_n = ci->n - i;
	return 1;
}

static int
memlog_next(struct source *s, struct event *out, struct err *err)
{
	const struct event *ev;
	size_t n;
	int r = memlog_look(s, &ev, &n, err);

	if (r <= 0)
		return r;
	*out = *ev;
	of_source(s)->read_seq++;
	return 1;
}

static int
memlog_seek(struct source *s, uint64_t seq, struct err *err)
{
	of_source(s)->read_seq = seq ? seq : 1;
	return 0;
}

static int
memlog_read_blob(struct source *s, const struct blob_id *id, struct buf *out,
		 struct err *err)
{
	struct blob *b = blob_find(of_source(s), id);
	struct blob_id check;

	if (!b)
		return err_set(err, E_NOT_FOUND, "no such blob");
	blob_id_of(span_of(b->bytes, b->len), &check);
	if (memcmp(&check, id, sizeof(check)) != 0)
		return err_set(err, E_FORMAT, "a blob is damaged");
	buf_put(out, b->bytes, b->len);
	return 0;
}

static int
memlog_want(struct source *s, const struct blob_id *ids, size_t n,
	    size_t *out_n, struct err *err)
{
	*out_n = n; /* they are here */
	return 0;
}

static uint64_t
memlog_last_seq(struct source *s)
{
	const struct memlog *m = of_source(s);
	const struct chunk *c;

	if (m->chunks.len == 0)
		return 0;
	c = &m->chunks.v[m->chunks.len - 1];
	return c->info.first_seq + c->info.n - 1;
}

static struct stored *
stored_find(struct memlog *m, uint64_t seq, uint64_t part)
{
	struct stored *best = NULL;

	for (size_t i = 0; i < m->stored.len; i++) {
		if (!source_stored_after(&m->stored.v[i].at, seq, part))
			best = &m->stored.v[i];
	}
	return best;
}

static int
memlog_stored_at(struct source *s, uint64_t seq, uint64_t part,
		 struct source_stored *out, struct err *err)
{
	const struct stored *found = stored_find(of_source(s), seq, part);

	if (found)
		*out = found->at;
	return found != NULL;
}

static int
memlog_stored_state(struct source *s, const struct source_stored *at,
		    struct buf *out, struct err *err)
{
	const struct stored *found =
		stored_find(of_source(s), at->seq, at->part);

	if (!found || found->at.seq != at->seq || found->at.part != at->part)
		return err_set(err, E_NOT_FOUND, "nothing is stored at e%lu",
			       (unsigned long)at->seq);
	buf_put(out, found->state.p, found->state.len);
	return 0;
}

void
memlog_stored(struct memlog *m, const struct source_stored *at,
	      struct span state)
{
	struct stored s = { .at = *at };

	s.state = span_of(mem_dup(state.p, state.len), state.len);
	vec_push(&m->stored, s);
}

static void
memlog_source_close(struct source *s)
{
	/* Lent: memlog_free releases it. */
}

static const struct sink_ops sink_ops = {
	.put = memlog_put,
	.blob = memlog_blob,
	.flush = memlog_flush,
	.close = memlog_flush, /* lent: memlog_free releases it */
};

static const struct source_ops source_ops = {
	.next = memlog_next,
	.look = memlog_look,
	.seek = memlog_seek,
	.blob = memlog_read_blob,
	.want = memlog_want,
	.last_seq = memlog_last_seq,
	.stored = memlog_stored_at,
	.stored_state = memlog_stored_state,
	.close = memlog_source_close,
};

struct memlog *
memlog_new(void)
{
	struct memlog *m = mem_zalloc(sizeof(*m));

	m->sink.ops = &sink_ops;
	m->source.ops = &source_ops;
	m->encoder = encoder_new();
	m->open = mem_calloc(CHUNK_EVENTS, sizeof(*m->open));
	m->read = mem_calloc(CHUNK_EVENTS, sizeof(*m->read));
	m->next_seq = 1;
	m->read_seq = 1;
	return m;
}

void
memlog_free(struct memlog *m)
{
	size_t it = 0;
	uint64_t key;
	void *v;

	if (!m)
		return;
	while (map_next(&m->blobs, &it, &key, &v)) {
		struct blob *b = v;

		while (b) {
			struct blob *next = b->next;

			mem_free(b->bytes);
			mem_free(b);
			b = next;
		}
	}
	map_free(&m->blobs);
	for (size_t i = 0; i < m->chunks.len; i++)
		mem_free(m->chunks.v[i].bytes);
	vec_free(&m->chunks);
	for (size_t i = 0; i < m->stored.len; i++)
		mem_free((void *)(uintptr_t)m->stored.v[i].state.p);
	vec_free(&m->stored);
	encoder_free(m->encoder);
	arena_free(&m->arena);
	buf_free(&m->scratch);
	mem_free(m->open);
	mem_free(m->read);
	mem_free(m);
}

struct sink *
memlog_sink(struct memlog *m)
{
	return &m->sink;
}

struct source *
memlog_source(struct memlog *m)
{
	return &m->source;
}

uint64_t
memlog_count(const struct memlog *m)
{
	return m->next_seq - 1;
}
