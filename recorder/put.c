#include "recorder/put.h"

#include <signal.h>

#include "base/clock.h"
#include "base/fault.h"
#include "recorder/engine.h"
#include "recorder/task.h"

void
event_begin(struct recorder *r, const struct task *t, enum event_kind kind,
	    struct event *out)
{
	*out = (struct event){ .kind = (uint16_t)kind, .call = -1 };
	out->task = t != NULL ? t->number : TASK_NONE;
	buf_clear(&r->items);
}

/* The task's last event, for the scheduler. */
static void
note_event(struct recorder *r, const struct event *ev)
{
	for (size_t i = 0; i < r->groups.len; i++) {
		struct task *t = r->groups.v[i]->runner;

		if (t == NULL || t->number != ev->task)
			continue;
		t->event_ns = r->now_ns;
		t->look_ns = 0;
		if (ev->kind == EV_checksum || ev->kind == EV_memory ||
		    ev->kind == EV_file)
			continue;
		t->left = false;
		t->in_code = ev->kind == EV_sched || ev->kind == EV_signal;
	}
}

/* The sink refused: the recording ends here. The program comes first: it goes
 * on, traced but no longer recorded. */
static void
lost(struct recorder *r, uint64_t last, const struct err *why)
{
	if (r->failed)
		return;
	r->failed = true;
	warn(r, NULL, WARN_LOST, -1, "the recording ends at event %llu: %s",
	     (unsigned long long)last, why->text);
}

void
event_blobs(struct recorder *r, struct span bytes, struct buf *ids)
{
	struct err why = { 0 };

	if (!r->failed && sink_blobs(r->sink, bytes, ids, &why) < 0)
		lost(r, r->seq, &why);
}

/* ---- events that the sink gets together */

#define HELD_MAX 64u
#define HELD_BYTES 65536u

struct held {
	struct event ev[HELD_MAX];
	size_t n;
	struct buf payload; /* one after the other */
};

void
event_release(struct recorder *r)
{
	if (r->held == NULL)
		return;
	buf_free(&r->held->payload);
	mem_free(r->held);
	r->held = NULL;
}

/* All of them, or from the first one on it is over. */
static void
put_all(struct recorder *r, const struct event *ev, size_t n)
{
	struct err why; /* of 2 KB, for every event */

	if (r->failed)
		return;
	err_clear(&why);
	if (sink_put_many(r->sink, ev, n, &why) < 0)
		lost(r, ev->seq - 1, &why);
}

void
event_settle(struct recorder *r)
{
	struct held *h = r->held;
	size_t n = h != NULL ? h->n : 0, at = 0;

	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++) {
		h->ev[i].payload.p = h->payload.p + at;
		at += h->ev[i].payload.len;
	}
	h->n = 0; /* a sink that fails is an event itself */
	put_all(r, h->ev, n);
	buf_clear(&h->payload);
}

struct event *
event_soon(struct recorder *r, const struct event **last)
{
	struct held *h = r->held;

	if (h == NULL)
		r->held = h = mem_zalloc(sizeof(*h));
	if (h->n == HELD_MAX || h->payload.len >= HELD_BYTES)
		event_settle(r);
	*last = h->n > 0 ? &h->ev[h->n - 1] : NULL;
	return &h->ev[h->n];
}

static void
hold(struct recorder *r, const struct event *ev)
{
	struct held *h = r->held;

	/* Others were put while it was built: its place is another now. */
	if (ev != &h->ev[h->n])
		h->ev[h->n] = *ev;
	h->n++;
	if (ev->payload.len > 0)
		buf_put(&h->payload, ev->payload.p, ev->payload.len);
}

/* Everything but noting and putting it. */
static void
finish(struct recorder *r, struct event *ev)
{
	ev->seq = ++r->seq;
	if (ev->time_ns == 0)
		ev->time_ns = clock_now_ns() - r->start_ns;
	r->put_ns = ev->time_ns;
	ev->payload = buf_span(&r->items);
	if (r->flush_ns == 0 && !r->failed)
		r->flush_ns = ev->time_ns;
}

static void
may_die(struct recorder *r)
{
	if (!fault_hit(FAULT_recorder_kill))
		return;
	event_settle(r);
	raise(SIGKILL);
}

int
event_put(struct recorder *r, struct event *ev, struct err *err)
{
	event_settle(r);
	finish(r, ev);
	/* These may come while it computes. */
	if (ev->kind != EV_stop && ev->kind != EV_chaos &&
	    ev->kind != EV_warning)
		note_event(r, ev);
	put_all(r, ev, 1);
	may_die(r);
	return 0;
}

int
event_put_soon(struct recorder *r, struct event *ev, struct err *err)
{
	const struct held *h = r->held;
	const struct event *was = h->n > 0 ? &h->ev[h->n - 1] : NULL;

	finish(r, ev);
	/* Of a call after a call there is nothing new. */
	if (was == NULL || was->task != ev->task || was->kind != ev->kind)
		note_event(r, ev);
	hold(r, ev);
	may_die(r);
	return 0;
}

void
event_flush(struct recorder *r)
{
	struct err why = { 0 };

	event_settle(r);
	if (!r->failed && r->sink->ops->flush_soon != NULL)
		r->sink->ops->flush_soon(r->sink);
	else if (!r->failed && r->sink->ops->flush(r->sink, &why) < 0)
		lost(r, r->seq, &why);
}
