/* Going to moments by name. */
#include "gdb/divert.h"
#include "gdb/thread.h"

#include "event/event.h"

/* How far a moment with a program may lie from the one that was asked for. */
#define LOOK_BACK 4096u

typedef bool progress_fn(void *ctx, uint64_t at, uint64_t to);

static bool
lives(struct gdb_server *s)
{
	threads_forget(s);
	threads_load(s, NULL);
	for (size_t i = 0; i < s->n_tasks; i++) {
		if (s->tasks[i].alive && s->tasks[i].space != 0)
			return true;
	}
	return false;
}

/*
 * The last event at or before seq that is not a part of something coming to its
 * end: where it dies, threads go one by one, in no order that tells anything.
 */
uint64_t
before_deaths(struct gdb_server *s, uint64_t seq)
{
	struct event ev;

	for (; seq > 0 && s->t->ops->event(s->t, seq, &ev, NULL) == 0; seq--) {
		if (ev.kind != EV_death && ev.kind != EV_checksum &&
		    ev.kind != EV_warning && ev.kind != EV_lost &&
		    ev.kind != EV_end)
			break;
	}
	return seq;
}

static int
go(struct gdb_server *s, const struct pos *p, progress_fn *progress, void *ctx,
   struct err *err)
{
	return s->t->ops->seek(s->t, p, progress, ctx, err);
}

int
gdb_server_seek(struct gdb_server *s, const struct pos *p,
		progress_fn *progress, void *ctx, struct err *err)
{
	struct pos at = { .seq = p->seq };
	uint64_t last = s->t->ops->last(s->t);
	int ret;

	divert_end(s);
	/* Not all the way to where nothing is left, and back. */
	if (p->pc == 0 && p->seq == last)
		at.seq = before_deaths(s, last);
	ret = go(s, at.seq == p->seq ? p : &at, progress, ctx, err);
	if (ret == 0 && at.seq == p->seq && !lives(s)) {
		at.seq = before_deaths(s, at.seq);
		ret = go(s, &at, progress, ctx, err);
	}
	for (unsigned i = 0;
	     ret == 0 && i < LOOK_BACK && at.seq > 0 && !lives(s); i++) {
		at.seq--;
		ret = go(s, &at, progress, ctx, err);
	}
	if (ret == 0 && !lives(s))
		at.seq = p->seq;
	while (ret == 0 && at.seq < last && !lives(s)) {
		at.seq++;
		ret = go(s, &at, progress, ctx, err);
	}
	threads_forget(s);
	if (ret == 0 && !lives(s))
		ret = err_set(err, E_NOT_FOUND,
			      "no program lives anywhere in this recording");
	s->task = 0;
	thread_settle(s);
	return ret;
}
