/*
 * Words that count: how far a task has come is told by what it keeps, a loop's
 * counter in an outer frame, the length of a list, a pointer into what it
 * reads. Nobody says which words these are; but their values at the point are
 * known, and on the way there they grow evenly. All words of the point's
 * registers and ranges are looked at:
 *
 *	begin --natively, a little--> look --twice as far--> look ... --> known
 *
 * A word stays as long as the part of its way that it has gone grows with CPU
 * time; after some looks only those that count are left. Then by ever smaller
 * steps close to the point. A guide only, as clocks are.
 */
#define LOG_DOMAIN "point"

#include <math.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "tracee/point_seek.h"
#include "tracee/ptrace.h"

#define UNIT 4u
#define REGS_LEN (16u * 8u)
#define WAY_MIN 8	/* shorter ones tell too little */
#define FIRST_WRONG 2.5 /* so wrong CPU time may be */
#define UNEVEN 0.1	/* so unevenly they may go between looks */
#define ALIKE 0.02	/* so far those that agree may be apart */
#define KNOWN_LOOKS 3u	/* before any are believed */
#define KNOWN_MAX 512u	/* more are no counters, but data */
#define GRAINS_MIN 4	/* steps that it has done by then */
#define MS 1000000u
/* Parts of the time, until something is known, then of what is left. */
#define FIRST 0.04
#define STEP 0.8
/* Where it seems to take longer than it did by so much, smaller ones. */
#define SLOW 1.25
#define STEP_SLOW 0.45
#define BLIND 0.45 /* so far it cannot have passed the point */
#define LOOKS 12u

/* General registers in their order, then the ranges' bytes. */
static void
read_all(const struct point *p, const struct point_run *run, uint8_t *out)
{
	struct regs regs = { 0 };

	ptrace_get_regs(run->tid, &regs);
	for (unsigned i = 0; i < REGS_LEN / 8; i++) {
		uint64_t v = point_gpr(&regs, i);

		memcpy(out + i * 8, &v, sizeof(v));
	}
	for (size_t i = 0; i < p->ranges.len; i++) {
		const struct point_range *r = &p->ranges.v[i];

		point_read(&run->mem, r->addr, out + REGS_LEN + r->at, r->len);
	}
}

static uint32_t
wanted(const struct point *p, uint32_t at)
{
	uint32_t v;

	if (at < REGS_LEN) {
		uint64_t reg = point_gpr(&p->regs, at / 8);

		memcpy(&v, (const uint8_t *)&reg + at % 8, sizeof(v));
		return v;
	}
	memcpy(&v, p->bytes.p + (at - REGS_LEN), sizeof(v));
	return v;
}

static uint32_t
value(const struct progress *g, uint32_t at)
{
	uint32_t v;

	memcpy(&v, g->now + at, sizeof(v));
	return v;
}

static void
progress_begin(struct progress *g, const struct point *p,
	       const struct point_run *run)
{
	uint32_t len = REGS_LEN + (uint32_t)p->bytes.len;

	*g = (struct progress){ .p = p, .now = mem_alloc(len) };
	read_all(p, run, g->now);
	for (uint32_t at = 0; at + UNIT <= len; at += UNIT) {
		uint32_t from = value(g, at);
		int32_t way = (int32_t)(wanted(p, at) - from);

		if (way >= WAY_MIN || way <= -WAY_MIN)
			vec_push(&g->v,
				 ((struct counter){
					 .at = at, .from = from, .way = way }));
	}
}

static void
progress_end(struct progress *g)
{
	vec_free(&g->v);
	mem_free(g->now);
	g->now = NULL;
}

/* One step, which it may just have done or be about to do. */
static double
grain(const struct counter *c)
{
	return 1 / fabs((double)c->way);
}

static void
progress_look(struct progress *g, const struct point_run *run, uint64_t ran_ns,
	      double expected_ns)
{
	double before = (double)g->ns, now = before + (double)ran_ns;
	size_t n = 0;

	g->ns += ran_ns;
	read_all(g->p, run, g->now);
	for (size_t i = 0; i < g->v.len; i++) {
		struct counter c = g->v.v[i];
		int32_t gone = (int32_t)(value(g, c.at) - c.from);
		double least = now / expected_ns / FIRST_WRONG - 2 * grain(&c);
		double most = now / expected_ns * FIRST_WRONG + 2 * grain(&c);
		double more = now / before;

		if (g->looks > 0) {
			least = (c.part * (1 - UNEVEN) - grain(&c)) * more;
			most = (c.part * (1 + UNEVEN) + grain(&c)) * more;
		}
		c.part = (double)gone / c.way;
		if (c.part >= least - grain(&c) && c.part <= most + grain(&c))
			g->v.v[n++] = c;
	}
	g->v.len = n;
	g->looks++;
}

/* How many others agree with it. */
static size_t
friends(const struct progress *g, const struct counter *c)
{
	size_t n = 0;

	for (size_t i = 0; i < g->v.len; i++) {
		const struct counter *o = &g->v.v[i];

		n += fabs(o->part - c->part) <=
		     ALIKE * c->part + grain(o) + grain(c);
	}
	return n;
}

/* The one that most others agree with; NULL: nothing is known. */
static const struct counter *
choose(const struct progress *g)
{
	const struct counter *best = NULL;
	size_t most = 0;

	if (g->looks < KNOWN_LOOKS || g->v.len > KNOWN_MAX)
		return NULL;
	for (size_t i = 0; i < g->v.len; i++) {
		const struct counter *c = &g->v.v[i];
		size_t n = friends(g, c);

		if (c->part < GRAINS_MIN * grain(c) || n < most ||
		    (n == most && grain(c) >= grain(best)))
			continue;
		best = c;
		most = n;
	}
	return best;
}

static bool
progress_left(const struct progress *g, double *left_ns, double *grain_ns)
{
	const struct counter *c = choose(g);
	double ns = (double)g->ns;

	if (c == NULL)
		return false;
	*grain_ns = ns / c->part * grain(c);
	*left_ns = ns / (c->part + grain(c)) - ns;
	return true;
}

enum place
progress_place(const struct progress *g, const struct point_run *run,
	       bool no_regs)
{
	const struct counter *c = choose(g);
	double part;

	if (c == NULL || (no_regs && c->at < REGS_LEN))
		return PLACE_UNKNOWN;
	read_all(g->p, run, g->now);
	part = (double)(int32_t)(value(g, c->at) - c->from) / c->way;
	return part > 1 + 2 * grain(c) ? PLACE_BEYOND : PLACE_BEFORE;
}

/* ---- following them */

/* Natively, by ever larger steps until something is known, then by ever
 * smaller ones, until the point is some *near_ns away. 0, then *near_ns is 0
 * when nothing is known; END_LIMIT: it was passed. */
static int
follow_progress(struct seek *k, struct point_run *run, struct progress *g,
		double all_ns, double *near_ns, struct err *err)
{
	double step = all_ns * FIRST, left, grain, near = *near_ns;

	*near_ns = 0;
	for (unsigned i = 0; i < LOOKS; i++) {
		int ret = seek_native(k, run, (uint64_t)step, err);

		if (ret != 0)
			return ret;
		progress_look(g, run, k->ran_ns, all_ns);
		step = (double)g->ns;
		if (progress_left(g, &left, &grain)) {
			log_debug("progress: %zu words, %.2f ms done, %.2f "
				  "to go, known to %.2f",
				  g->v.len, (double)g->ns / 1e6, left / 1e6,
				  grain / 1e6);
			if (left < -2 * grain)
				return END_LIMIT;
			*near_ns = left + 2 * grain;
			if (left <= 2 * near + grain)
				break;
			/* It was not as slow when it was recorded; or it has
			 * not run all that time. */
			step = (left - near) *
			       (left + (double)g->ns > all_ns * SLOW ? STEP_SLOW
								     : STEP);
		} else {
			*near_ns = 0;
			if (step + (double)g->ns > all_ns * BLIND)
				break;
		}
	}
	return 0;
}

int
seek_by_progress(struct seek *k, struct point_run *run, double *left_ns,
		 struct err *err)
{
	double near = *left_ns * SEEK_NEAR;
	struct progress g;
	int ret;

	if (!k->jump)
		near = SEEK_NEAR_TRAP_NS;
	else if (near < SEEK_NEAR_NS)
		near = SEEK_NEAR_NS;
	progress_begin(&g, k->p, run);
	ret = follow_progress(k, run, &g, *left_ns, &near, err);
	*left_ns -= (double)g.ns;
	if (ret == 0 && near > 0) {
		k->progress = &g;
		ret = seek_armed(k, run, (uint64_t)(k->slow * 3 * near) + MS,
				 false, err);
		k->progress = NULL;
	}
	progress_end(&g);
	return ret;
}
