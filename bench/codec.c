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
#include "event/codec.h"
#include "event/item.h"

#define TASKS 4u

static uint64_t
next(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

/* The calls of one task, with sites and arguments that repeat as in loops. */
static const struct {
	int16_t call;
	uint8_t weight;
	uint8_t in;    /* ITEM_IN of about so many bytes */
	uint8_t out;   /* ITEM_MEM */
	uint8_t enter; /* per cent that are enter and exit */
} mix[] = {
	{ 0, 22, 0, 80, 5 },  { 1, 14, 60, 0, 2 },    { 257, 12, 24, 0, 0 },
	{ 3, 12, 0, 0, 0 },   { 262, 8, 24, 144, 0 }, { 9, 6, 0, 0, 0 },
	{ 202, 8, 0, 0, 30 }, { 232, 5, 0, 24, 60 },  { 8, 4, 0, 0, 0 },
	{ 13, 3, 0, 32, 0 },  { 228, 6, 0, 16, 0 },
};

struct task_state {
	uint64_t base; /* of its heap */
	uint64_t sp;
	bool inside;
	struct event enter;
};

static void
arguments(struct event *ev, struct task_state *t, uint64_t *s)
{
	ev->pc = 0x7f1234560000 + (uint64_t)ev->call * 0x120 +
		 (next(s) % 4 ? 0 : 0x40);
	ev->sp = t->sp - (next(s) % 4) * 0x90;
	ev->reghash = (uint32_t)next(s);
	ev->args[0] = next(s) % 4 ? 3 : next(s) % 12;
	ev->args[1] = t->base + (next(s) % 8) * 0x1010;
	ev->args[2] = next(s) % 3 ? 4096 : next(s) % 70000;
	ev->args[3] = next(s) % 5 == 0;
}

static void
payload(struct event *ev, unsigned m, struct buf *store, uint64_t *s)
{
	static const char text[] =
		"/usr/include/x86_64-linux-gnu/bits/types/struct_iovec.h "
		"GET /index.html HTTP/1.1 Host: localhost Accept: text/html "
		"static inline int list_empty(const struct list_head *head) ";
	struct buf b = { 0 };

	if (mix[m].in)
		item_put_bytes(&b, ITEM_IN, 1,
			       span_of(text + next(s) % 60,
				       mix[m].in / 2 + next(s) % mix[m].in));
	if (mix[m].out)
		item_put_mem(&b, ev->args[1],
			     span_of(text + next(s) % 20,
				     mix[m].out / 2 +
					     next(s) % (mix[m].out / 2 + 1)));
	ev->payload = span_of((void *)store->len, b.len); /* fixed up later */
	buf_put(store, b.p, b.len);
	buf_free(&b);
}

static void
one(struct event *ev, struct task_state *t, struct buf *store, uint64_t *s)
{
	uint64_t w = next(s) % 100;
	unsigned m = 0;

	if (t->inside) {
		*ev = t->enter;
		ev->kind = EV_exit;
		ev->flags = 0;
		ev->reghash = 0;
		ev->ret = (int64_t)(next(s) % 3);
		ev->dur_ns = next(s) % 3000000;
		t->inside = false;
		return;
	}
	while (w >= mix[m].weight)
		w -= mix[m++].weight;
	ev->call = mix[m].call;
	ev->kind = EV_syscall;
	ev->flags = EVF_RUNS;
	arguments(ev, t, s);
	if (next(s) % 100 < mix[m].enter) {
		ev->kind = EV_enter;
		t->enter = *ev;
		t->inside = true;
		return;
	}
	ev->dur_ns = 9000 + next(s) % 8000;
	ev->ret = (int64_t)(next(s) % 4 ? 4096 : next(s) % 300);
	if (ev->call == 257 && next(s) % 3 == 0) {
		ev->ret = -2;
		ev->flags |= EVF_ERROR;
	}
	payload(ev, m, store, s);
}

static struct event *
stream(size_t n, struct buf *store)
{
	struct event *ev = mem_calloc(n, sizeof(*ev));
	struct task_state tasks[TASKS] = { 0 };
	uint64_t s = 88172645463325252u, now = 0;
	unsigned task = 0;

	for (unsigned i = 0; i < TASKS; i++) {
		tasks[i].base = 0x555500000000 + i * 0x10000000u;
		tasks[i].sp = 0x7ffd00000000 + i * 0x100000u;
	}
	for (size_t i = 0; i < n; i++) {
		if (next(&s) % 6 == 0)
			task = (unsigned)(next(&s) % TASKS);
		one(&ev[i], &tasks[task], store, &s);
		now += 2000 + next(&s) % 20000;
		ev[i].seq = i + 1;
		ev[i].task = task + 1;
		ev[i].time_ns = now;
	}
	for (size_t i = 0; i < n; i++)
		if (ev[i].payload.len)
			ev[i].payload.p = store->p + (size_t)ev[i].payload.p;
	return ev;
}

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
	struct event *ev = stream(n, &store);
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
