/*
 * Backwards to the last stop before now: from the checkpoint before it
 * forwards, keeping the last one; when there is none from the checkpoint before
 * that.
 */
#include "replayer/timeline_priv.h"

/* Stand at the hit. */
static int
go_to_hit(struct timeline *t, const struct hit *h, struct err *err)
{
	const struct target_motion_req *q = t->req;

	if (h->why == TARGET_AT_WATCH && !h->by_kernel)
		return tl_to_raw(t, h, err);
	return inside_seek(t->r, &h->pos, NULL, 0, q->progress, q->ctx, err);
}

/* Before the write, as who undoes it sees it. */
static int
undo_write(struct timeline *t, const struct hit *h, struct err *err)
{
	struct target_motion_req req = { .motion = TARGET_STEP,
					 .back = true,
					 .task = h->task,
					 .progress = t->req->progress,
					 .ctx = t->req->ctx };
	struct timeline step;
	struct target_stop stop;
	int ret;

	if (!h->by_kernel)
		return before_here(t->r, t->req->progress, t->req->ctx, err);
	ret = tl_init(&step, t->r, &req, err);
	if (ret == 0)
		ret = tl_step_back(&step, &stop, err);
	tl_release(&step);
	return ret;
}

static int
arrive(struct timeline *t, struct target_stop *out, struct err *err)
{
	struct hit h = t->hit;
	int ret = go_to_hit(t, &h, err);

	if (ret == 0 && h.why == TARGET_AT_WATCH && t->req->before_write)
		ret = undo_write(t, &h, err);
	if (ret == 0)
		tl_stop(&h, t->r, out);
	return ret;
}

/* ---- events alone: nothing needs to run */

#define LOOK_BACK 2048u

/* The last match in [from, to): 1 = found. */
static int
last_match(struct timeline *t, uint64_t from, uint64_t to, struct hit *out,
	   struct err *err)
{
	struct event ev;
	struct hit h;
	int found = 0, ret = tl_last_task(t, from - 1, err);

	t->r->reseek = true;
	if (ret == 0)
		ret = source_seek(t->r->src, from, err);
	while (ret >= 0 && (ret = source_next(t->r->src, &ev, err)) > 0 &&
	       ev.seq < to) {
		if (tl_event_matches(t, &ev, &h)) {
			*out = h;
			found = 1;
		}
	}
	return ret < 0 ? ret : found;
}

static int
events_back(struct timeline *t, uint64_t before, struct err *err)
{
	uint64_t to = before;

	while (to > 1) {
		uint64_t from = to > LOOK_BACK ? to - LOOK_BACK : 1;
		int ret = last_match(t, from, to, &t->hit, err);

		if (ret == 0)
			ret = tl_tell(t, err);
		if (ret != 0) {
			t->has_hit = ret > 0;
			return ret < 0 ? ret : 0;
		}
		to = from;
	}
	return 0;
}

/* ---- scanning */

/* From event from to the limit, for the last hit. */
static int
scan_from(struct timeline *t, uint64_t from, const struct pos *limit,
	  bool exclusive, struct err *err)
{
	int ret;

	t->limit = limit;
	t->exclusive = exclusive;
	t->starting = false;
	ret = replayer_seek(t->r, from, t->req->progress, t->req->ctx, err);
	return ret < 0 ? ret : tl_scan(t, err);
}

/* The same; what nobody touches is only swept. */
static int
look_from(struct timeline *t, uint64_t from, const struct pos *limit,
	  bool exclusive, struct err *err)
{
	struct pos end = *limit;
	uint64_t first;
	int ret;

	if (!tl_sweeps(t) || limit->pc || limit->steps)
		return scan_from(t, from, limit, exclusive, err);
	t->limit = limit;
	t->exclusive = exclusive;
	t->starting = t->has_hit = false;
	ret = replayer_seek(t->r, from, t->req->progress, t->req->ctx, err);
	if (ret == 0)
		ret = tl_sweep(t, limit->seq, &first, &end.seq, err);
	if (ret <= 0)
		return ret;
	ret = scan_from(t, first, &end, exclusive && end.seq == limit->seq,
			err);
	if (ret < 0 || t->has_hit || first == from)
		return ret;
	/* Those were no stops; earlier ones may be. */
	end.seq = first;
	return scan_from(t, from, &end, false, err);
}

static int
scan_back(struct timeline *t, const struct pos *end, struct err *err)
{
	struct pos limit = *end;
	bool exclusive = true;
	uint64_t from;
	int ret;

	if (!limit.pc && !limit.steps)
		from = checkpoint_before(t->r, limit.seq);
	else
		from = tl_sweeps(t) ? limit.seq
				    : checkpoint_before(t->r, limit.seq + 1);
	t->collect = true;
	for (;;) {
		ret = look_from(t, from, &limit, exclusive, err);
		if (ret < 0 || t->has_hit || from == 0)
			return ret;
		limit = (struct pos){ .seq = from };
		exclusive = false;
		from = checkpoint_before(t->r, from);
	}
}

/* Arrivals at where it stands are counted again on the way to it. */
static int
back_from(struct timeline *t, const struct pos *began, struct err *err)
{
	struct pos end = *began;
	int ret =
		inside_absolute(t->r, &end, t->req->progress, t->req->ctx, err);

	return ret < 0 ? ret : scan_back(t, &end, err);
}

int
tl_continue_back(struct timeline *t, struct target_stop *out, struct err *err)
{
	const struct target_motion_req *q = t->req;
	struct pos began;
	int ret, ret2;

	inside_pos(t->r, &began);
	t->goal = began.seq;
	if (q->n_breaks == 0 && q->n_watches == 0)
		ret = events_back(
			t, began.seq + (inside_moved(&t->r->now->inside)), err);
	else
		ret = back_from(t, &began, err);
	if (ret == 0 && t->has_hit)
		return arrive(t, out, err);
	if (ret == 0) {
		*out = (struct target_stop){ .why = TARGET_AT_START };
		return replayer_seek(t->r, 0, NULL, NULL, err);
	}
	ret2 = inside_seek(t->r, &began, NULL, 0, NULL, NULL, NULL);
	return ret2 < 0 ? ret2 : ret;
}
