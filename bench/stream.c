#include "bench/stream.h"

#include <string.h>

#include "base/mem.h"
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

struct event *
stream_make(size_t n, struct buf *store)
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
