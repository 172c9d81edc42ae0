#include "replayer/checkpoint.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "replayer/agent.h"
#include "replayer/lines.h"
#include "replayer/timeline.h"
#include <errno.h>
#include <stdio.h>

/* On the way to a position: how often to think of checkpoints and progress. */
#define BEAT_EVENTS 32u
#define BEAT_NS 5000000u

typedef bool progress_fn(void *ctx, uint64_t at, uint64_t to);

int
replayer_open(struct replayer **out, struct source *src,
	      const struct replay_opts *o, struct err *err)
{
	struct replayer *r = mem_zalloc(sizeof(*r));

	r->target.ops = &replayer_target_ops;
	r->src = src;
	r->opts = *o;
	r->sock = -1;
	r->mold_mem.fd = -1;
	r->stack_limit = 8u << 20;
	place_init(r);
	r->reseek = true;
	r->watchdog = watchdog_new(err);
	if (!r->watchdog) {
		mem_free(r);
		return err ? err->code : -1;
	}
	r->now = world_new();
	*out = r;
	return 0;
}

void
replayer_close(struct replayer *r)
{
	if (!r)
		return;
	checkpoint_drop_all(r);
	world_free(r, r->now);
	puppet_reap(r, true);
	puppet_kill(&r->mold.pid);
	mem_close(&r->mold_mem);
	fd_close(&r->sock);
	file_free_all(r);
	watchdog_free(r->watchdog);
	place_release(r);
	agent_ahead_free(r->ahead);
	map_free(&r->misled);
	target_forget(r);
	lines_free(r);
	map_free(&r->points);
	if (r->deadline.open)
		deadline_close(&r->deadline);
	for (int i = 0; i < 3; i++)
		mem_free(r->out_name[i]);
	buf_free(&r->tmp);
	mem_free(r->stored_why);
	mem_free(r);
}

static int
dispatch(struct replayer *r, const struct event *ev, struct err *err)
{
	static int (*const table[EV_KIND_END])(
		struct replayer *, const struct event *, struct err *) = {
#define EVENT_KIND(id, name, what) [id] = replay_##name,
#include "event/kind.def"
#undef EVENT_KIND
	};

	if (ev->kind >= EV_KIND_END || !table[ev->kind])
		return err_set(err, E_FORMAT,
			       "event %lu is of a kind (%u) that "
			       "this pastime does not know",
			       ev->seq, ev->kind);
	return table[ev->kind](r, ev, err);
}

int
replayer_peek(struct replayer *r, struct err *err)
{
	int ret = 0;

	if (r->has_peek && !r->reseek)
		return 1;
	if (r->reseek)
		ret = source_seek(r->src, r->now->seq + 1, err);
	r->reseek = true; /* until it is here */
	r->has_peek = false;
	if (ret == 0)
		ret = source_next(r->src, &r->peek, err);
	if (ret <= 0)
		return ret;
	if (r->peek.seq != r->now->seq + 1)
		return err_set(err, E_FORMAT, "event %lu follows event %lu",
			       r->peek.seq, r->now->seq);
	r->reseek = false;
	r->has_peek = true;
	return 1;
}

int
replayer_head(struct replayer *r, struct err *err)
{
	struct event ev;
	int ret;

	if (r->headed)
		return 0;
	r->reseek = true;
	ret = source_seek(r->src, 1, err);
	if (ret == 0)
		ret = source_next(r->src, &ev, err);
	return ret > 0 && ev.kind == EV_header ? replay_header(r, &ev, err)
					       : ret;
}

/* Did the event put its task where it stands, as against stopping it there? */
static void
note_arrival(struct replayer *r, const struct event *ev)
{
	struct puppet *p = world_puppet(r->now, ev->task);

	if (!p)
		return;
	p->last_ns = ev->time_ns;
	switch ((enum event_kind)ev->kind) {
	case EV_birth:
	case EV_exit:
	case EV_syscall:
	case EV_insn:
	case EV_exec:
		p->arrived = true;
		break;
	case EV_signal:
		if (ev->args[3] == 1)
			p->arrived = true;
		break;
	case EV_sched:
		p->arrived = false;
		break;
	case EV_header:
	case EV_enter:
	case EV_death:
	case EV_file:
	case EV_memory:
	case EV_warning:
	case EV_checksum:
	case EV_stop:
	case EV_end:
	case EV_lost:
	case EV_chaos:
	case EV_KIND_END:
		break;
	}
}

/* One event, whatever it is. -EAGAIN: once more, from the same place; what is
 * tried then is another way, and none of them is tried for ever (point.c). */
static int
step_once(struct replayer *r, struct err *err)
{
	struct event ev;
	int ret;

	target_forget(r);
	ret = replayer_peek(r, err);
	if (ret <= 0)
		return ret;
	ev = r->peek;
	r->has_peek = false;
	r->reseek = true; /* until this event is done */
	ret = dispatch(r, &ev, err);
	if (ret < 0) {
		/* Nothing ran for an event that cannot be found again. */
		r->stale = ret != -E_UNTIMED || r->now->inside.task != 0;
		return ret;
	}
	r->now->seq = ev.seq;
	if (ev.time_ns > r->now->time_ns)
		r->now->time_ns = ev.time_ns;
	inside_clear(&r->now->inside);
	note_arrival(r, &ev);
	r->reseek = false;
	return 1;
}

static int
step(struct replayer *r, struct err *err)
{
	bool quiet = r->quiet;
	int ret;

	while ((ret = step_once(r, err)) == -EAGAIN) {
		ret = replayer_refresh(r, err);
		r->quiet = quiet;
		if (ret < 0)
			break;
	}
	return ret;
}

void
replayer_worked(struct replayer *r)
{
	uint64_t now = clock_now_ns();

	r->work_ns += now - r->work_mark;
	r->work_mark = now;
}

/* A checkpoint if it is time for one, and a word to who waits. */
static int
beat(struct replayer *r, uint64_t to, progress_fn *progress, void *ctx,
     struct err *err)
{
	int ret = checkpoint_policy(r, err);

	if (ret == 0 && progress && !progress(ctx, r->now->seq, to))
		ret = err_set(err, E_CANCELLED,
			      "stopped on the way to e%lu, at e%lu", to,
			      r->now->seq);
	r->work_mark = clock_now_ns(); /* neither is work */
	return ret;
}

/* Quietly forward to seq, leaving checkpoints behind. */
static int
forward(struct replayer *r, uint64_t seq, progress_fn *progress, void *ctx,
	struct err *err)
{
	uint64_t n = 0, last;
	int ret = 1;

	r->quiet = true;
	r->work_mark = clock_now_ns();
	last = r->work_ns;
	while (ret > 0 && r->now->seq < seq) {
		ret = inside_run_long(r, seq, progress, ctx, err);
		if (ret == 0)
			ret = agent_ahead(r, seq, err);
		if (ret == 0)
			ret = step(r, err);
		replayer_worked(r);
		/* By events, and after each one that took long. */
		if (ret <= 0 ||
		    (++n % BEAT_EVENTS != 0 && r->work_ns - last < BEAT_NS))
			continue;
		last = r->work_ns;
		ret = beat(r, seq, progress, ctx, err);
		if (ret == 0)
			ret = 1;
	}
	r->quiet = false;
	if (ret == 0)
		return err_set(err, E_POSITION,
			       "the recording ends at e%lu, before e%lu",
			       r->now->seq, seq);
	return ret < 0 ? ret : 0;
}

/* A failed step leaves the world beyond its last event: rebuild it. */
int
replayer_refresh(struct replayer *r, struct err *err)
{
	uint64_t seq = r->now->seq;
	int ret;

	if (!r->stale)
		return 0;
	ret = checkpoint_go(r, seq, err);
	return ret < 0 ? ret : forward(r, seq, NULL, NULL, err);
}

int
replayer_advance(struct replayer *r, struct err *err)
{
	int ret = replayer_refresh(r, err);

	if (ret < 0)
		return ret;
	r->quiet = true;
	r->work_mark = clock_now_ns();
	ret = step(r, err);
	replayer_worked(r);
	r->quiet = false;
	if (ret <= 0 || (++r->beats % BEAT_EVENTS != 0 &&
			 r->work_ns - r->beat_work_ns < BEAT_NS))
		return ret;
	r->beat_work_ns = r->work_ns;
	ret = checkpoint_policy(r, err);
	return ret < 0 ? ret : 1;
}

/* Past the point of a divergence there is nothing: say it again. */
static int
say_again(const struct replayer *r, struct err *err)
{
	const struct divergence *d = &r->div;

	return err_set(
		err, E_DIVERGED,
		"replay parts from the recording at event %lu (task %u); "
		"the last event that agreed is e%lu",
		d->seq, d->task, d->last_good);
}

/* The next event, or several as far as until. */
static int
go_on(struct replayer *r, uint64_t until, struct err *err)
{
	int ret;

	if (r->diverged && r->now->seq + 1 >= r->div.seq)
		return say_again(r, err);
	ret = replayer_refresh(r, err);
	if (ret < 0)
		return ret;
	r->work_mark = clock_now_ns();
	ret = agent_ahead(r, until, err);
	if (ret == 0)
		ret = step(r, err);
	replayer_worked(r);
	if (ret <= 0 || r->opts.checkpoint_events == 0)
		return ret;
	ret = checkpoint_policy(r, err);
	return ret < 0 ? ret : 1;
}

int
replayer_step(struct replayer *r, struct err *err)
{
	return go_on(r, r->now->seq + 1, err);
}

int
replayer_run(struct replayer *r, struct err *err)
{
	return go_on(r, UINT64_MAX, err);
}

int
replayer_run_to(struct replayer *r, uint64_t until, struct err *err)
{
	return go_on(r, until, err);
}

int
replayer_seek(struct replayer *r, uint64_t seq, progress_fn *progress,
	      void *ctx, struct err *err)
{
	int ret;

	if (seq > r->src->ops->last_seq(r->src))
		return err_set(err, E_POSITION,
			       "the recording ends at e%lu, before e%lu",
			       r->src->ops->last_seq(r->src), seq);
	target_forget(r);
	ret = checkpoint_go(r, seq, err);
	return ret < 0 ? ret : forward(r, seq, progress, ctx, err);
}

uint64_t
replayer_seq(const struct replayer *r)
{
	return r->now->seq;
}

const struct divergence *
replayer_divergence(const struct replayer *r)
{
	return r->diverged ? &r->div : NULL;
}
