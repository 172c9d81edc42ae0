/*
 * back-check [-n PLACES] [-k STEPS] [-s SEED] [-S NS] [-f NS] [-acv]
 * COMMAND...: record a command into memory; at random places of its time, deep
 * within computations as well, step back -k instructions, then forwards again
 * one by one, and compare registers and all writable memory at each moment; the
 * names of the places that were found are sought again. -S NS: code is looked
 * at so often; -f NS: computations longer than that count as long ones; -a:
 * with the agent; -c: right behind calls that it made. Says how long the steps
 * took.
 *
 * Status: 0 all alike, 1 some differ, 2 error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/vec.h"
#include "event/memlog.h"
#include "replayer/timeline.h"
#include "tools/check.h"
#include "tracee/memsum.h"

struct moment {
	struct pos pos;
	struct regs regs;
	uint64_t memory;
};

typedef VEC(uint64_t) times;

struct check {
	unsigned places, steps;
	unsigned short seed[3];
	uint64_t slice_ns, far_ns;
	bool verbose, calls;
	struct replayer *r;
	struct target *t;
	uint64_t last;
	VEC(struct moment) v; /* the latest first */
	unsigned tried, wrong;
	times seek, first, next;
};

static int
look(struct check *c, uint32_t task, struct moment *m, struct err *err)
{
	const struct puppet *p = world_puppet(c->r->now, task);
	struct arena a = { 0 };
	struct memsum *sums;
	size_t n;
	int ret = c->t->ops->regs(c->t, task, &m->regs, err);

	c->t->ops->where(c->t, &m->pos);
	if (ret == 0)
		ret = memsum_space(p->pid, &p->space->mem, NULL, 0, &a, &sums,
				   &n, err);
	if (ret == 0)
		m->memory = memsum_total(sums, n);
	arena_free(&a);
	return ret;
}

static void
compare(struct check *c, const char *what, const struct moment *want,
	const struct moment *got)
{
	char a[POS_TEXT_MAX], b[POS_TEXT_MAX];
	bool regs = memcmp(&want->regs, &got->regs, sizeof(got->regs)) == 0;

	c->tried++;
	if (regs && want->memory == got->memory) {
		if (c->verbose)
			printf("%s %s: alike\n", what,
			       pos_format(&want->pos, a));
		return;
	}
	c->wrong++;
	printf("%s: %s is not as %s:%s%s, %#lx for %#lx\n", what,
	       pos_format(&got->pos, b), pos_format(&want->pos, a),
	       regs ? "" : " registers",
	       want->memory == got->memory ? "" : " memory", got->regs.rip,
	       want->regs.rip);
}

/* The event that ends the interval in which the recording is so old; 0: at the
 * end. */
static int
event_at(struct check *c, uint64_t time_ns, struct event *out, uint64_t *from,
	 struct err *err)
{
	uint64_t lo = 2, hi = c->last;
	struct event ev;
	int ret = 0;

	while (lo < hi && ret == 0) {
		uint64_t mid = lo + (hi - lo) / 2;

		ret = c->t->ops->event(c->t, mid, &ev, err);
		if (ret == 0 && ev.time_ns < time_ns)
			lo = mid + 1;
		else
			hi = mid;
	}
	ret = ret < 0 ? ret : c->t->ops->event(c->t, lo - 1, &ev, err);
	*from = ev.time_ns;
	return ret < 0 ? ret : c->t->ops->event(c->t, lo, out, err);
}

/* Stand in the interval after seq, ns of computing on: 1, 0: not there. */
static int
run_on(struct check *c, uint64_t seq, uint64_t pc, uint64_t ns, struct pos *out,
       struct err *err)
{
	struct spec s = { .slice_ns = ns };
	struct pos start = { .seq = seq };
	struct puppet *p;
	uint64_t n = 0;
	int ret = c->t->ops->seek(c->t, &start, NULL, NULL, err);

	if (ret == 0)
		ret = inside_enter(c->r, &p, err);
	if (ret <= 0)
		return ret;
	if (pc) {
		inside_track(c->r, pc);
		tally_site(&s.tally, pc)->how = TALLY_STUB;
	}
	ret = inside_add_end(c->r, &s);
	if (ret == 0)
		ret = spec_go(c->r, p, &s, err);
	*out = (struct pos){ .seq = seq, .task = p->task, .pc = p->regs.rip };
	if (pc && inside_count(&c->r->now->inside, pc, &n)) {
		out->pc = pc;
		out->visit = n;
	}
	c->r->stale = true; /* nowhere that has a name */
	if (ret < 0)
		return ret;
	return s.end == SPEC_SLICE && (!pc || n > 0);
}

/* Somewhere in the recording's time: 1, 0: try again. */
static int
somewhere(struct check *c, struct pos *out, struct err *err)
{
	struct event first, last, ev;
	uint64_t from = 0, ns;
	int ret = c->t->ops->event(c->t, 1, &first, err);

	if (ret == 0)
		ret = c->t->ops->event(c->t, c->last, &last, err);
	ns = check_pick(c->seed, last.time_ns - first.time_ns);
	if (ret == 0)
		ret = event_at(c, first.time_ns + ns, &ev, &from, err);
	if (ret < 0 || !(ev.flags & EVF_RUNS) || ev.time_ns <= from ||
	    ev.seq < 2)
		return ret;
	ns = 20000 + check_pick(c->seed, ev.time_ns - from);
	ret = run_on(c, ev.seq - 1, 0, ns, out, err);
	return ret <= 0 ? ret : run_on(c, ev.seq - 1, out->pc, ns, out, err);
}

/* Right behind a call of the agent's: 1, 0: try again. */
static int
behind_call(struct check *c, struct pos *out, struct err *err)
{
	struct event ev;
	int ret = c->t->ops->event(c->t, 1 + check_pick(c->seed, c->last), &ev,
				   err);

	if (ret < 0 || ev.kind != EV_syscall || !(ev.flags & EVF_AGENT))
		return ret;
	*out = (struct pos){
		.seq = ev.seq, .task = ev.task, .pc = ev.pc, .visit = 1
	};
	return 1;
}

static int
step(struct check *c, uint32_t task, bool back, times *t,
     struct target_stop *stop, struct err *err)
{
	const struct target_motion_req req = {
		.motion = TARGET_STEP, .back = back, .task = task, .call = -1
	};
	uint64_t began = clock_now_ns();
	int ret = c->t->ops->move(c->t, &req, stop, err);

	if (t)
		vec_push(t, clock_now_ns() - began);
	return ret;
}

/* Forwards again from the earliest moment, over all that were seen. */
static int
forwards(struct check *c, uint32_t task, struct err *err)
{
	struct target_stop stop;
	int ret = 0;

	for (size_t i = c->v.len - 1; ret == 0 && i-- > 0;) {
		struct moment m;

		ret = step(c, task, false, NULL, &stop, err);
		if (ret == 0)
			ret = look(c, task, &m, err);
		if (ret == 0)
			compare(c, "forwards", &c->v.v[i], &m);
	}
	return ret;
}

/* Are the names good from elsewhere? */
static int
names(struct check *c, uint32_t task, struct err *err)
{
	struct pos away = { .seq = check_pick(c->seed, c->last) };
	struct moment m;
	size_t i = check_pick(c->seed, c->v.len);
	int ret = c->t->ops->seek(c->t, &away, NULL, NULL, err);

	if (ret == 0)
		ret = c->t->ops->seek(c->t, &c->v.v[i].pos, NULL, NULL, err);
	if (ret == 0)
		ret = look(c, task, &m, err);
	if (ret == 0)
		compare(c, "name", &c->v.v[i], &m);
	return ret;
}

static int
place(struct check *c, const struct pos *p, struct err *err)
{
	uint64_t began = clock_now_ns();
	struct target_stop stop;
	struct moment m;
	char text[POS_TEXT_MAX];
	int ret = c->t->ops->seek(c->t, p, NULL, NULL, err);

	vec_push(&c->seek, clock_now_ns() - began);
	vec_clear(&c->v);
	if (ret == 0)
		ret = look(c, p->task, &m, err);
	if (ret < 0)
		return ret;
	vec_push(&c->v, m);
	for (unsigned i = 0; ret == 0 && i < c->steps; i++) {
		ret = step(c, p->task, true, i ? &c->next : &c->first, &stop,
			   err);
		if (ret < 0 || stop.why != TARGET_AT_STEP)
			break;
		ret = look(c, p->task, &m, err);
		if (ret == 0)
			vec_push(&c->v, m);
	}
	if (c->verbose && c->first.len)
		printf("at %s: %.2f ms\n", pos_format(p, text),
		       (double)c->first.v[c->first.len - 1] / 1e6);
	if (ret == 0)
		ret = forwards(c, p->task, err);
	return ret < 0 ? ret : names(c, p->task, err);
}

/* ---- the summary */

static int
by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void
tell(const char *what, times *t)
{
	if (t->len == 0)
		return;
	qsort(t->v, t->len, sizeof(*t->v), by_size);
	printf("%s: %zu, median %.2f ms, p90 %.2f, most %.2f\n", what, t->len,
	       (double)t->v[t->len / 2] / 1e6,
	       (double)t->v[t->len * 9 / 10] / 1e6,
	       (double)t->v[t->len - 1] / 1e6);
	vec_free(t);
}

static int
check(void *ctx, struct memlog *m)
{
	struct check *c = ctx;
	const struct replay_opts ro = { .slice_ns = c->slice_ns,
					.far_ns = c->far_ns };
	struct source *src = memlog_source(m);
	struct err err = { 0 };
	int ret = replayer_open(&c->r, src, &ro, &err);

	if (ret < 0)
		return check_fail(&err, "replaying");
	c->t = replayer_target(c->r);
	c->last = c->t->ops->last(c->t);
	for (unsigned i = 0; ret >= 0 && i < c->places;) {
		struct pos p;

		ret = c->calls ? behind_call(c, &p, &err)
			       : somewhere(c, &p, &err);
		if (ret == 1) {
			ret = place(c, &p, &err);
			i++;
		}
	}
	replayer_close(c->r);
	src->ops->close(src);
	vec_free(&c->v);
	if (ret < 0)
		return check_fail(&err, "checking");
	tell("seek", &c->seek);
	tell("step back", &c->first);
	tell("next steps back", &c->next);
	printf("%u moments compared, %u wrong\n", c->tried, c->wrong);
	return c->wrong ? 1 : 0;
}

int
main(int argc, char **argv)
{
	struct check c = { .places = 10, .steps = 6 };
	bool agent = false;
	int opt;

	while ((opt = getopt(argc, argv, "+acS:f:k:n:s:v")) != -1) {
		if (opt == 'n')
			c.places = (unsigned)atoi(optarg);
		else if (opt == 'k')
			c.steps = (unsigned)atoi(optarg);
		else if (opt == 's')
			c.seed[0] = (unsigned short)atoi(optarg);
		else if (opt == 'S')
			c.slice_ns = strtoul(optarg, NULL, 10);
		else if (opt == 'f')
			c.far_ns = strtoul(optarg, NULL, 10);
		else if (opt == 'v')
			c.verbose = true;
		else if (opt == 'c')
			c.calls = true;
		else if (opt == 'a')
			agent = true;
		else
			return 2;
	}
	return check_main(argv + optind, agent, check, &c);
}
