/* Going to moments by name. */
#include "gdb/session.h"

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

	ret = go(s, p, progress, ctx, err);
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
