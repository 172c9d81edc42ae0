/* Execution points: places in computation that a task was stopped at. */
#include "replayer/checkpoint.h"

#include "base/clock.h"
#include "tracee/point.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>

/* The search's timer (tracee/deadline.h) wants its signal, whatever thread this
 * is. */
static void
allow_timer(sigset_t *old)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMAX - 3);
	pthread_sigmask(SIG_UNBLOCK, &set, old);
}

static const char *const found_text[] = {
	[POINT_FOUND] = "",
	[POINT_MISS_EVENT] = "a call or a fault came before that state",
	[POINT_MISS_LIMIT] = "still computing, never there in that state",
	[POINT_MISS_CODE] = "other instructions at that place",
};

static int
not_found(struct replayer *r, const struct event *ev,
	  const struct point_found *f, struct err *err)
{
	char want[128], found[160];

	snprintf(want, sizeof(want), "an execution point at pc 0x%lx, sp 0x%lx",
		 ev->pc, ev->sp);
	snprintf(found, sizeof(found), "%s (%u arrivals that differ)",
		 found_text[f->miss], f->mismatches);
	return diverge(r, ev, err, want, found,
		       ev->args[1] ? "what the task had written was not "
				     "recorded completely at this point"
				   : "memory differs: an output of an earlier "
				     "call that was not recorded, or memory "
				     "shared with something outside");
}

/* ---- copies of the process that searches */

struct search {
	struct replayer *r;
	uint32_t task;
};

/* The world that a run is in; its ctx is NULL as long as that is now. */
static struct world *
world_of(const struct search *s, const struct point_run *run)
{
	return run->ctx != NULL ? run->ctx : s->r->now;
}

static int
copy_run(void *arg, const struct point_run *from, struct point_run *out,
	 struct err *err)
{
	struct search *s = arg;
	struct puppet *p = world_puppet(world_of(s, from), s->task), *q;
	uint64_t before = cputime_own_ns() + cputime_ns(p->pid);
	struct world *w;
	int ret = puppet_reload(p, err);

	if (ret >= 0)
		ret = checkpoint_fork(s->r, world_of(s, from), p->space, &w,
				      err);
	s->r->copy_ns = cputime_own_ns() + cputime_ns(p->pid) - before;
	if (ret < 0)
		return ret;
	q = world_puppet(w, s->task);
	ret = puppet_flush(p, err);
	if (ret == 0)
		ret = puppet_flush(q, err);
	if (ret < 0) {
		world_free(s->r, w);
		return ret;
	}
	*out = (struct point_run){ .tid = q->pid,
				   .mem = mem_of_task(&q->space->mem, q->pid),
				   .ctx = w };
	return 0;
}

/* now itself stays, stale, until it is replaced. */
static void
drop_run(void *arg, struct point_run *run)
{
	struct search *s = arg;

	world_free(s->r, run->ctx);
	run->ctx = NULL;
	run->tid = 0;
}

static const struct point_ops copies = { .copy = copy_run, .drop = drop_run };

/* ---- one point */

static void
tell(const struct replayer *r, const struct event *ev, const struct point *pt,
     const struct point_found *f, const struct replay_point *times)
{
	struct replay_point p = {
		.seq = ev->seq,
		.task = ev->task,
		.pc = pt->regs.rip,
		.found = f->miss == POINT_FOUND,
		.trap = f->trapped,
		.ran_ahead = f->ran_ahead,
		.recorded_ns = pt->cpu_ns,
		.cpu_ns = cputime_own_ns() - times->cpu_ns + f->cpu_ns,
		.wall_ns = clock_now_ns() - times->wall_ns,
		.visits = f->visits,
		.mismatches = f->mismatches,
		.stops = f->stops,
		.copies = f->copies,
		.fell_back = f->fell_back,
	};

	if (r->opts.point != NULL)
		r->opts.point(r->opts.point_ctx, &p);
}

/* ---- code that the program looks at */

#define MISLED_MAX 2u /* then no jump is tried there any more */

static uint64_t
misled(const struct replayer *r, uint64_t pc)
{
	return (uint64_t)(uintptr_t)map_get(&r->misled, pc >> 12);
}

static void
learn(struct replayer *r, uint64_t pc)
{
	map_set(&r->misled, pc >> 12, (void *)(uintptr_t)(misled(r, pc) + 1));
}

/*
 * The program may have seen the jump and gone another way: the caller is to go
 * back and come again.
 */
static int
come_again(struct replayer *r, const struct event *ev)
{
	learn(r, ev->pc);
	r->trap_seq = ev->seq;
	return -EAGAIN;
}

/* Run p to the point pt. 1: it stands there, 0: it was not found. */
static int
go_to(struct replayer *r, struct puppet *p, const struct event *ev,
      const struct point *pt, struct point_found *f, struct err *err)
{
	struct search ctx = { .r = r, .task = ev->task };
	const struct point_search s = { .ops = &copies,
					.arg = &ctx,
					.copy_ns = r->copy_ns,
					.count = r->count_visits ||
						 r->opts.count_visits,
					.trap = r->trap_seq == ev->seq ||
						misled(r, ev->pc) >= MISLED_MAX,
					.limit_ns = step_limit(r, ev) };
	const struct replay_point times = { .cpu_ns = cputime_own_ns(),
					    .wall_ns = clock_now_ns() };
	struct point_run run;
	sigset_t old;
	int ret;

	*f = (struct point_found){ .miss = POINT_MISS_EVENT };
	if (p->halted)
		return 0;
	ret = puppet_settle(p, err);
	if (ret < 0)
		return ret;
	place_follow(r, p);
	run = (struct point_run){ .tid = p->pid,
				  .mem = mem_of_task(&p->space->mem, p->pid) };
	allow_timer(&old);
	ret = point_find(&run, pt, &s, f, err);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	tell(r, ev, pt, f, &times);
	if (f->misled)
		learn(r, ev->pc);
	if (ret == 1 && f->visits != 0 && !inside_moved(&r->now->inside))
		map_set(&r->points, ev->seq, (void *)(uintptr_t)f->visits);
	if (run.ctx != NULL && ret == 1)
		checkpoint_adopt(r, run.ctx);
	else
		drop_run(&ctx, &run);
	return ret;
}

static int
to_point(struct replayer *r, struct puppet *p, const struct event *ev,
	 struct span stored, struct err *err)
{
	const struct halt h = { .what = HALT_TIMEOUT };
	struct point_found f;
	struct point pt;
	int ret;

	ret = point_decode(stored, &pt, err);
	if (ret < 0)
		return ret;
	ret = go_to(r, p, ev, &pt, &f, err);
	point_free(&pt);
	if (ret < 0)
		return ret;
	if (ret == 0 && f.jumped && !f.trapped)
		return come_again(r, ev);
	if (ret == 0)
		return not_found(r, ev, &f, err);
	p = step_puppet(r, ev, err); /* perhaps of another world */
	ret = puppet_reload(p, err);
	return ret < 0 ? ret : diverge_regs(r, p, ev, p->regs.rip, &h, err);
}

int
replay_sched(struct replayer *r, const struct event *ev, struct err *err)
{
	struct puppet *p;
	struct item it;

	if (ev->flags & EVF_UNTIMED)
		return err_set(
			err, E_UNTIMED,
			"event %lu: task %u was stopped by the clock while it "
			"computed (at 0x%lx); replay cannot find that place "
			"again and ends after event %lu",
			ev->seq, ev->task, ev->pc, ev->seq - 1);
	p = step_puppet(r, ev, err);
	if (!p)
		return -E_FORMAT;
	if (!p->pid)
		return err_set(err, E_FORMAT,
			       "event %lu: task %u has no memory", ev->seq,
			       ev->task);
	if (!item_find(ev->payload, ITEM_POINT, UINT64_MAX, &it))
		return err_set(err, E_FORMAT, "event %lu lacks its point",
			       ev->seq);
	return to_point(r, p, ev, it.bytes, err);
}
