/*
 * What a chunk costs: bytes per event, events encoded and decoded per second,
 * over a stream that looks like a shell running compilers and a server. Run
 * with the number of millions of events (default 2).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bench/stream.h"
#include "event/codec.h"

static double
seconds(uint64_t from)
{
	return (double)(clock_now_ns() - from) / 1e9;
}

static size_t
encode_all(const struct event *ev, size_t n, struct buf *out, size_t *len)
{
	struct encoder *e = encoder_new();
	struct chunk_info info;
	struct err err;
	size_t k = 0;

	for (size_t i = 0; i < n; i += CHUNK_EVENTS) {
		size_t m = n - i < CHUNK_EVENTS ? n - i : CHUNK_EVENTS;
		size_t before = out->len;

		if (encoder_chunk(e, ev + i, m, out, &info, &err) < 0)
			die("%s", err.text);
		len[k++] = out->len - before;
	}
	encoder_free(e);
	return k;
}

static void
decode_all(const struct buf *z, const size_t *len, size_t chunks, bool fields)
{
	struct event *ev = mem_calloc(CHUNK_EVENTS, sizeof(*ev));
	struct buf scratch = { 0 };
	size_t at = 0;

	for (size_t k = 0; k < chunks; k++) {
		struct span s = span_of(z->p + at, len[k]);
		struct chunk_info info;
		size_t need;
		int r;

		if (chunk_peek(s, &info, &need, NULL) < 0)
			die("peek");
		buf_clear(&scratch);
		buf_grow(&scratch, need);
		r = fields ? chunk_decode_fields(s, ev, info.n, scratch.p, need,
						 NULL)
			   : chunk_decode(s, ev, info.n, scratch.p, need, NULL);
		if (r < 0)
			die("decode");
		at += len[k];
	}
	buf_free(&scratch);
	mem_free(ev);
}

int
main(int argc, char **argv)
{
	size_t n = (argc > 1 ? strtoul(argv[1], NULL, 10) : 2) * 1000000;
	struct buf store = { 0 }, z = { 0 }, bare = { 0 };
	struct event *ev = stream_make(n, &store);
	size_t *len = mem_calloc(n / CHUNK_EVENTS + 1, sizeof(*len));
	double million = (double)n / 1e6;
	size_t chunks;
	uint64_t t;

	t = clock_now_ns();
	chunks = encode_all(ev, n, &z, len);
	printf("encode    %6.2f M events/s\n", million / seconds(t));
	t = clock_now_ns();
	decode_all(&z, len, chunks, false);
	printf("decode    %6.2f M events/s\n", million / seconds(t));
	t = clock_now_ns();
	decode_all(&z, len, chunks, true);
	printf("fields    %6.2f M events/s\n", million / seconds(t));
	for (size_t i = 0; i < n; i++)
		ev[i].payload.len = 0;
	encode_all(ev, n, &bare, len);
	printf("size      %6.2f bytes/event, %.2f of them fields; payloads "
	       "were "
	       "%.2f\n",
	       (double)z.len / (double)n, (double)bare.len / (double)n,
	       (double)store.len / (double)n);
	return 0;
}
