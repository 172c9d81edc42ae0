/* Moments of the code between two events: their names, and going there. */
#include "replayer/timeline.h"

#include "base/clock.h"
#include "replayer/agent.h"
#include <errno.h>

#define SYSCALL_LEN 2u

void
inside_clear(struct inside *in)
{
	vec_free(&in->counts);
	*in = (struct inside){ 0 };
}

void
inside_copy(struct inside *to, const struct inside *from)
{
	*to = *from;
	memset(&to->counts, 0, sizeof(to->counts));
	for (size_t i = 0; i < from->counts.len; i++)
		vec_push(&to->counts, from->counts.v[i]);
}

void
inside_leave_via(struct inside *in)
{
	in->via = in->since = (struct arrivals){ 0 };
}

/* From now on arrivals at pc are counted, too; now is what via says. */
void
inside_start_via(struct inside *in, const struct arrivals *via, uint64_t pc)
{
	in->via = *via;
	in->since = (struct arrivals){ .pc = pc };
}

int
inside_put_counts(const struct inside *in, struct tally *t)
{
	for (size_t i = 0; i < in->counts.len; i++) {
		if (!tally_site(t, in->counts.v[i].pc))
			return -E_UNSUPPORTED;
	}
	return !in->via.pc || tally_site(t, in->since.pc) ? 0 : -E_UNSUPPORTED;
}

bool
inside_count(const struct inside *in, uint64_t pc, uint64_t *n)
{
	for (size_t i = 0; i < in->counts.len; i++) {
		if (in->counts.v[i].pc == pc) {
			*n = in->counts.v[i].n;
			return true;
		}
	}
	return false;
}

/* ---- the interval and its end */

/* Arrivals at the point that ends the interval: a run in a copy counts them. */
static int
count_point(struct replayer *r, struct err *err)
{
	struct world *w;
	uint64_t seq = r->peek.seq;
	int ret;

	if (map_has(&r->points, seq))
		return 0;
	ret = checkpoint_copy(r, r->now, &w, err);
	if (ret < 0)
		return ret;
	r->count_visits = true;
	ret = replayer_step(r, err);
	r->count_visits = false;
	world_free(r, r->now);
	r->now = w;
	r->stale = false;
	r->reseek = true;
	if (ret > 0)
		ret = replayer_peek(r, err);
	if (ret < 0)
		return ret;
	return map_has(&r->points, seq)
		       ? 0
		       : err_set(err, E_UNSUPPORTED,
				 "the arrivals at the point of e%lu were not "
				 "counted",
				 seq);
}

void
inside_track(struct replayer *r, uint64_t pc)
{
	struct inside *in = &r->now->inside;
	const struct puppet *p = world_puppet(r->now, in->task);
	struct arrivals a = { .pc = pc };

	if (inside_count(in, pc, &a.n))
		return;
	a.n = p->regs.rip == pc;
	vec_push(&in->counts, a);
}

int
inside_enter(struct replayer *r, struct puppet **out, struct err *err)
{
	struct puppet *p;
	int ret = replayer_peek(r, err);

	if (ret < 0)
		return ret;
	if (ret == 0)
		return err_set(err, E_POSITION, "the recording ends at e%lu",
			       r->now->seq);
	if (!(r->peek.flags & EVF_RUNS) || (r->peek.flags & EVF_UNTIMED))
		return 0;
	p = world_puppet(r->now, r->peek.task);
	if (!p || !p->pid)
		return 0;
	if (r->now->inside.task == 0) {
		if (r->peek.kind == EV_sched) {
			ret = count_point(r, err);
			if (ret < 0)
				return ret;
			p = world_puppet(r->now, r->peek.task);
		}
		r->now->inside.task = p->task;
		r->now->inside.began_ns = r->work_ns;
		if (r->peek.kind == EV_sched)
			inside_track(r, r->peek.pc);
	}
	*out = p;
	return 1;
}

static uint64_t
end_visits(const struct replayer *r)
{
	return (uint64_t)(uintptr_t)map_get(&r->points, r->peek.seq);
}

bool
inside_at_end(const struct replayer *r, uint64_t pc)
{
	uint64_t n;

	return r->peek.kind == EV_sched && pc == r->peek.pc &&
	       inside_count(&r->now->inside, pc, &n) && n >= end_visits(r);
}

/* At the call that comes next? Its instruction may be a jump to a stub now,
 * where others lie before the one that halts. */
static bool
stands_at_call(const struct replayer *r, const struct puppet *p)
{
	return inside_ends_with_call(&r->peek) &&
	       p->regs.rip + SYSCALL_LEN == r->peek.pc;
}

int
inside_add_end(struct replayer *r, struct spec *s)
{
	struct tally_site *site;
	uint64_t n, end, stop;

	if (r->peek.kind != EV_sched)
		return 0;
	if (!inside_count(&r->now->inside, r->peek.pc, &n))
		return -E_POSITION;
	end = end_visits(r);
	stop = end > n ? end - n : 1;
	site = tally_site(&s->tally, r->peek.pc);
	if (!site)
		return -E_UNSUPPORTED;
	if (site->stop == 0 || site->stop > stop)
		site->stop = stop;
	return 0;
}

int
inside_step(struct replayer *r, struct puppet *p, struct err *err)
{
	struct inside *in = &r->now->inside;
	struct halt h;
	int ret;

	target_forget(r);
	if (inside_at_end(r, p->regs.rip))
		return 0;
	if (stands_at_call(r, p))
		return 0;
	ret = puppet_step(r, p, &h, err);
	if (ret < 0) {
		r->stale = true;
		return ret;
	}
	if (ret == 0) {
		p->halted = true;
		p->halt = h;
		return 0;
	}
	in->steps++;
	for (size_t i = 0; i < in->counts.len; i++)
		in->counts.v[i].n += in->counts.v[i].pc == p->regs.rip;
	in->since.n += in->since.pc == p->regs.rip;
	return 1;
}

void
inside_pos(const struct replayer *r, struct pos *out)
{
	const struct inside *in = &r->now->inside;

	*out = (struct pos){ .seq = r->now->seq, .task = in->task };
	out->pc = in->pc;
	out->visit = in->visit;
	out->steps = in->steps;
	out->via_pc = in->via.pc;
	out->via_visit = in->via.n;
}

/* ---- going there */

int
inside_resolve(struct replayer *r, struct pos *pos, struct err *err)
{
	struct event ev;
	int ret;

	if (pos->pc == 0 && pos->steps == 0)
		return 0;
	r->reseek = true;
	ret = source_seek(r->src, pos->seq + 1, err);
	while (ret >= 0 && (ret = source_next(r->src, &ev, err)) > 0) {
		if (!(ev.flags & EVF_RUNS) ||
		    (pos->task && ev.task != pos->task))
			continue;
		pos->seq = ev.seq - 1;
		pos->task = ev.task;
		return 0;
	}
	if (ret < 0)
		return ret;
	return err_set(err, E_POSITION,
		       "no code runs after e%lu: the recording ends", pos->seq);
}

/* Does it stand at pos's arrival, at most as many steps behind it? */
static bool
within_steps(const struct inside *in, const struct pos *pos)
{
	return !in->unnamed && in->pc == pos->pc && in->visit == pos->visit &&
	       in->via.pc == pos->via_pc && in->via.n == pos->via_visit &&
	       in->steps <= pos->steps;
}

/* Can pos be reached from in, going forwards, with all of track counted? */
static bool
leads_to(const struct inside *in, const struct pos *pos, const uint64_t *track,
	 size_t n)
{
	uint64_t c;

	for (size_t i = 0; i < n; i++) {
		if (!inside_count(in, track[i], &c))
			return false;
	}
	if (pos->pc == 0)
		return !in->unnamed && in->pc == 0 && in->steps <= pos->steps;
	if (pos->via_pc) {
		if (in->via.pc != pos->via_pc || in->via.n != pos->via_visit ||
		    in->since.pc != pos->pc)
			return false;
		c = in->since.n;
	} else if (!inside_count(in, pos->pc, &c)) {
		if (pos->pc != in->end_pc)
			return false;
		c = 0;
	}
	return c != pos->visit ? c < pos->visit : within_steps(in, pos);
}

/* A name that counts from the event on: a run of the interval tells. */
int
inside_absolute(struct replayer *r, struct pos *pos, target_progress *progress,
		void *ctx, struct err *err)
{
	struct pos base = *pos;
	int ret;

	if (!pos->via_pc)
		return 0;
	base.steps = 0;
	ret = inside_seek(r, &base, &pos->pc, 1, progress, ctx, err);
	if (ret < 0)
		return ret;
	inside_count(&r->now->inside, pos->pc, &pos->visit);
	pos->via_pc = pos->via_visit = 0;
	return 0;
}

bool
inside_leads_to(const struct world *w, const struct pos *pos,
		const uint64_t *track, size_t n)
{
	return w->seq == pos->seq && w->inside.task != 0 &&
	       leads_to(&w->inside, pos, track, n);
}

static int
not_there(struct replayer *r, const struct pos *pos, uint64_t seen,
	  struct err *err)
{
	char text[POS_TEXT_MAX];

	r->stale = true; /* its interval is over */
	return err_set(err, E_POSITION,
		       "%s: 0x%lx is reached %lu time%s between e%lu and e%lu, "
		       "where task %u runs",
		       pos_format(pos, text), pos->pc, seen,
		       seen == 1 ? "" : "s", pos->seq, pos->seq + 1, pos->task);
}

static int
tell(const struct pos *pos, target_progress *progress, void *ctx,
     struct err *err)
{
	char text[POS_TEXT_MAX];

	if (!progress || progress(ctx, pos->seq, pos->seq))
		return 0;
	return err_set(err, E_CANCELLED, "stopped on the way to %s",
		       pos_format(pos, text));
}

uint64_t
inside_arrived(const struct inside *in, const struct pos *pos)
{
	uint64_t n = 0;

	if (pos->via_pc)
		return in->since.n;
	inside_count(in, pos->pc, &n);
	return n;
}

/* To the visit-th arrival at pc. */
static int
to_visit(struct replayer *r, struct puppet *p, const struct pos *pos,
	 target_progress *progress, void *ctx, struct err *err)
{
	struct inside *in = &r->now->inside;
	uint64_t have = inside_arrived(in, pos);
	int ret = 0;

	/* It may stand some of the steps behind that already. */
	if (within_steps(in, pos))
		return 0;
	r->work_mark = clock_now_ns();
	while (ret == 0 && have < pos->visit) {
		struct spec s = { .slice_ns = timeline_slice(r) };

		ret = inside_put_counts(in, &s.tally);
		if (ret == 0)
			ret = inside_add_end(r, &s);
		if (ret == 0) {
			struct tally_site *site = tally_site(&s.tally, pos->pc);
			uint64_t left = pos->visit - have;

			if (site->stop == 0 || site->stop > left)
				site->stop = left;
			ret = spec_go(r, p, &s, err);
		}
		replayer_worked(r);
		have = inside_arrived(in, pos);
		if (ret < 0 || have == pos->visit)
			break;
		if (s.end == SPEC_HALT || inside_at_end(r, p->regs.rip))
			return not_there(r, pos, have, err);
		in->unnamed = true;
		ret = tell(pos, progress, ctx, err);
		if (ret == 0)
			ret = checkpoint_inside(r, 0, err);
	}
	if (ret == 0) {
		if (!pos->via_pc)
			inside_leave_via(in);
		in->unnamed = false;
		in->pc = pos->pc;
		in->visit = pos->visit;
		in->steps = 0;
	} else {
		r->stale = true;
	}
	return ret;
}

static int
on_foot(struct replayer *r, struct puppet *p, const struct pos *pos,
	target_progress *progress, void *ctx, struct err *err)
{
	struct inside *in = &r->now->inside;
	char text[POS_TEXT_MAX];
	int ret = 1;

	while (ret == 1 && in->steps < pos->steps) {
		ret = inside_step(r, p, err);
		if (ret == 1 && in->steps % 4096 == 0 &&
		    tell(pos, progress, ctx, err) < 0)
			ret = -E_CANCELLED;
	}
	if (ret == 1)
		return 0;
	r->stale = true;
	return ret < 0 ? ret
		       : err_set(err, E_POSITION,
				 "%s: e%lu comes %lu instructions after 0x%lx",
				 pos_format(pos, text), pos->seq + 1, in->steps,
				 pos->pc);
}

/* To the arrival that pos counts from; from there its own are counted. */
static int
to_via(struct replayer *r, const struct pos *pos, const uint64_t *track,
       size_t n, target_progress *progress, void *ctx, struct err *err)
{
	struct pos via = { .seq = pos->seq,
			   .task = pos->task,
			   .pc = pos->via_pc,
			   .visit = pos->via_visit };
	const struct arrivals from = { pos->via_pc, pos->via_visit };
	int ret = inside_seek(r, &via, track, n, progress, ctx, err);

	if (ret == 0)
		inside_start_via(&r->now->inside, &from, pos->pc);
	return ret;
}

int
inside_seek(struct replayer *r, const struct pos *want, const uint64_t *track,
	    size_t n, target_progress *progress, void *ctx, struct err *err)
{
	struct pos pos = *want;
	struct puppet *p;
	int ret = inside_resolve(r, &pos, err);

	if (ret < 0 || (pos.pc == 0 && pos.steps == 0))
		return ret < 0 ? ret
			       : replayer_seek(r, pos.seq, progress, ctx, err);
	target_forget(r);
	ret = checkpoint_go_inside(r, &pos, track, n, err);
	if (ret == 0 && pos.via_pc)
		ret = to_via(r, &pos, track, n, progress, ctx, err);
	else if (ret == 0)
		ret = replayer_seek(r, pos.seq, progress, ctx, err);
	if (ret >= 0)
		ret = inside_enter(r, &p, err);
	if (ret < 0)
		return ret;
	if (ret == 0)
		return err_set(err, E_POSITION,
			       "between e%lu and e%lu no code runs", pos.seq,
			       pos.seq + 1);
	if (pos.pc)
		pos.pc = agent_place(p, pos.pc);
	/* Whatever has not run yet can be counted. */
	if (!inside_moved(&r->now->inside)) {
		for (size_t i = 0; i < n; i++)
			inside_track(r, track[i]);
		if (pos.pc)
			inside_track(r, pos.pc);
	} else if (pos.pc && pos.pc == r->now->inside.end_pc) {
		inside_track(r, pos.pc);
	}
	ret = pos.pc ? to_visit(r, p, &pos, progress, ctx, err) : 0;
	return ret < 0 ? ret : on_foot(r, p, &pos, progress, ctx, err);
}
