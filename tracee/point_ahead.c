/*
 * Running ahead in a tight loop, where even the shortest stub costs more than a
 * turn: natively for most of the way, armed for the rest.
 *
 *   begin --natively--> copy --natively--> armed --> the point
 *     |                   |                  |
 *     |                   +<-----------------+  an event, or the budget is
 *     |                   |  armed from here    used up: it was passed
 *     +<------------------+
 *     | the same with a smaller part, at last armed from here
 *
 * How far the way is: the CPU time that was recorded tells it roughly; a clock,
 * where there is one, exactly.
 */
#define LOG_DOMAIN "point"

#include <math.h>
#include <string.h>

#include "base/log.h"
#include "tracee/point_seek.h"
#include "tracee/ptrace.h"

#define MS 1000000u
#define EARLY 0.12 /* of the time left, between a copy and arming */
#define LEFT_MIN_NS 300000.0 /* not worth the copies */
#define EVEN 0.01  /* so even a clock must go */
/* With a clock: the part of the time left after which it is read first, and
 * how close natively to come. */
#define CLOCK_FIRST 0.3
#define TURN_FROM_NS 700000u	    /* runs that tell what a turn takes */
#define TURN_CHANGE 1.6
#define STEPS_MAX 16u
#define TURN_SAFE 0.25		    /* ns; less than a cycle */
#define CLOCK_STEP 0.45		    /* it may become twice as fast */
#define CLOCK_AGAIN 0.92	    /* of the way that was not too far */
#define PERFECT 1e-4

/*
 * One guess: run natively for part of what is left, which is left_ns, and
 * armed from there on. *behind: a copy from before; it stays as it is.
 */
static int
run_ahead(struct seek *k, struct point_run *run, double part, double left_ns,
	  struct err *err)
{
	double early = part > EARLY ? part - EARLY : 0;
	struct point_run behind = { 0 };
	int ret;

	if (part < 0)
		part = 0;

	ret = seek_native(k, run, (uint64_t)(left_ns * early), err);
	if (ret != 0)
		return ret;
	ret = seek_copy(k, run, &behind, err);
	if (ret == 0)
		ret = seek_native(k, run, (uint64_t)(left_ns * (part - early)),
				  err);
	if (ret == 0)
		ret = seek_armed(k, run,
				 (uint64_t)(k->slow * (1.3 - part) * left_ns) +
					 MS,
				 false, err);
	if (ret == END_EVENT || ret == END_LIMIT) {
		seek_fall_back(k, run, &behind);
		ret = seek_armed(k, run,
				 (uint64_t)(k->slow * 4 * EARLY * left_ns) + MS,
				 false, err);
	}
	seek_drop(k, &behind);
	return ret;
}

/* ---- the clock */

static void
clock_read(const struct clock *c, const struct point_run *run,
	   const struct regs *regs, uint64_t out[CLOCK_WORDS])
{
	struct buf x = { 0 };

	memset(out, 0, CLOCK_WORDS * sizeof(out[0]));
	for (unsigned i = 0; i < CLOCK_WORD; i++)
		out[i] = point_gpr(regs, i);
	if (c->word != 0)
		mem_read_all(&run->mem, c->word, &out[CLOCK_WORD], 8);
	if (ptrace_get_xstate(run->tid, &x) == 0 && x.len >= POINT_XMM_END)
		memcpy(&out[CLOCK_XMM], x.p + POINT_XMM,
		       POINT_XMM_END - POINT_XMM);
	buf_free(&x);
}

static double
change(const struct clock *c, unsigned i, unsigned from)
{
	return (double)(int64_t)(c->values[from + 1][i] - c->values[from][i]) /
	       (double)(c->visits[from + 1] - c->visits[from]);
}

static uint64_t
clock_want(const struct seek *k, unsigned i)
{
	uint64_t v = k->stub.word_want;

	if (i < CLOCK_WORD)
		return point_gpr(&k->p->regs, i);
	if (i >= CLOCK_XMM && k->p->xstate.len >= POINT_XMM_END)
		memcpy(&v, k->p->xstate.p + POINT_XMM + (i - CLOCK_XMM) * 8, 8);
	return v;
}

/* In the order of how evenly they go; a perfect one with its like alone, others
 * alone. */
static void
add_hand(struct clock *c, const struct hand *h)
{
	unsigned n = c->n_hands;

	if (n > 0 && (h->off < PERFECT) != (c->hand[0].off < PERFECT)) {
		if (h->off > c->hand[0].off)
			return;
		n = 0;
	}
	if (h->off >= PERFECT && n > 0 && h->off >= c->hand[0].off)
		return;
	if (h->off >= PERFECT)
		n = 0;
	if (n == CLOCK_HANDS)
		return;
	c->hand[n] = *h;
	c->n_hands = n + 1;
}

static void
clock_choose(struct seek *k)
{
	struct clock *c = &k->clock;

	for (unsigned i = 0; i < CLOCK_WORDS; i++) {
		double a = change(c, i, 0), b = change(c, i, 1);
		struct hand h = { .which = i,
				  .rate = b,
				  .off = a == 0 ? 1 : fabs(b / a - 1),
				  .want = clock_want(k, i) };

		if (h.off < EVEN)
			add_hand(c, &h);
	}
}

void
clock_sample(struct seek *k, const struct point_run *run,
	     const struct regs *regs, uint64_t visits)
{
	struct clock *c = &k->clock;

	if (c->n == 0)
		c->word = k->stub.word;
	if (c->n == CLOCK_SAMPLES ||
	    (c->n > 0 && visits <= c->visits[c->n - 1]))
		return;
	c->visits[c->n] = visits;
	clock_read(c, run, regs, c->values[c->n]);
	if (++c->n == CLOCK_SAMPLES)
		clock_choose(k);
}

double
clock_left(const struct clock *c, const struct point_run *run, double most)
{
	uint64_t now[CLOCK_WORDS];
	double left = -1;
	struct regs regs;

	if (ptrace_get_regs(run->tid, &regs) < 0)
		return -1;
	clock_read(c, run, &regs, now);
	for (unsigned i = 0; i < c->n_hands; i++) {
		const struct hand *h = &c->hand[i];

		left = (double)(int64_t)(h->want - now[h->which]) / h->rate;
		if (left > 0 && left < most)
			return left;
	}
	return left < 0 ? left : -1;
}

static bool
is_perfect(const struct clock *c)
{
	return c->n_hands > 0 && c->hand[0].off < PERFECT;
}

/* A clock that goes perfectly is right even when the CPU is not as fast as it
 * was: by how much may the time differ from the recorded one? */
static bool
is_plausible(const struct clock *c, double ns, double recorded_ns)
{
	double most = is_perfect(c) ? 8 : 2.5;

	return ns > recorded_ns / most && ns < recorded_ns * most;
}

/*
 * Come close to the point natively, by ever smaller steps; it is now visits
 * away. turn: what a visit takes. 0, or END_LIMIT: it was passed, but not yet
 * after *good_ns.
 */
static int
approach(struct seek *k, struct point_run *run, double now, double near_ns,
	 double turn, double *good_ns, struct err *err)
{
	double before, is = turn;
	int ret = 0;

	*good_ns = 0;
	for (unsigned i = 0; i < STEPS_MAX && ret == 0 && now * turn > near_ns;
	     i++) {
		ret = seek_native(k, run, (uint64_t)(now * turn * CLOCK_STEP),
				  err);
		before = now;
		now = clock_left(&k->clock, run, before);
		if (ret == 0 && now <= 0)
			ret = END_LIMIT;
		if (ret == 0)
			*good_ns += (double)k->ran_ns;
		log_debug("clock: %.0f visits to go, of %.2f ns", now, turn);
		/* Of shorter runs too much is the stop's; and what takes far
		 * longer or less was not the loop alone. */
		if (before > now && k->ran_ns >= TURN_FROM_NS)
			is = (double)k->ran_ns / (before - now);
		turn = is > turn * TURN_CHANGE	 ? turn * TURN_CHANGE
		       : is < turn / TURN_CHANGE ? turn / TURN_CHANGE
						 : is;
	}
	return ret;
}

/*
 * Run ahead by the clock. 0: it goes wrong, and *left_ns of the time is left;
 * else as for seek_armed.
 */
static int
run_by_clock(struct seek *k, struct point_run *run, double *left_ns,
	     struct err *err)
{
	double all = clock_left(&k->clock, run, INFINITY), now, turn, good = 0;
	double near = *left_ns * SEEK_NEAR, first = *left_ns * CLOCK_FIRST;
	bool perfect = is_perfect(&k->clock);
	struct point_run behind = { 0 };
	int ret;

	/* No turn is shorter: this cannot pass the point. */
	if (perfect && all > 0 && all * TURN_SAFE < first)
		first = all * TURN_SAFE;
	ret = seek_native(k, run, (uint64_t)first, err);
	now = clock_left(&k->clock, run, all);
	turn = (double)k->ran_ns / (all - now);
	if (turn > *left_ns / all && perfect) /* it did not run all that time */
		turn = *left_ns / all;
	log_debug("clock: %.0f visits of %.2f ns to go, then %.0f", all, turn,
		  now);
	if (ret != 0 || now <= 0 || turn <= 0 ||
	    !is_plausible(&k->clock, all * turn, *left_ns)) {
		*left_ns -= (double)k->ran_ns;
		return ret;
	}
	if (!k->jump)
		near = SEEK_NEAR_TRAP_NS;
	else if (near < SEEK_NEAR_NS)
		near = SEEK_NEAR_NS;
	ret = seek_copy(k, run, &behind, err);
	if (ret == 0)
		ret = approach(k, run, now, near, turn, &good, err);
	if (ret == END_LIMIT && good > 0) {
		/* It became faster on the way, or the clock goes by jerks. */
		near = (double)k->ran_ns + good * (1 - CLOCK_AGAIN);
		seek_fall_back(k, run, &behind);
		ret = seek_native(k, run, (uint64_t)(good * CLOCK_AGAIN), err);
	}
	if (ret == 0)
		ret = seek_armed(k, run, (uint64_t)(k->slow * 3 * near) + MS,
				 false, err);
	seek_drop(k, &behind);
	return ret;
}

/* By the clock or what else tells; if nothing does, or it goes wrong, by CPU
 * time. */
static int
first_guess(struct seek *k, struct point_run *run, double left_ns,
	    struct err *err)
{
	double part = 1 / k->slow, all = left_ns;
	bool cheap = k->jump && !k->late && stub_is_cheap(&k->stub);
	int ret = 0;

	part = 1 - (part < 0.11 ? 0.11 : part > 0.25 ? 0.25 : part);
	if (is_perfect(&k->clock))
		ret = run_by_clock(k, run, &left_ns, err);
	if (ret == 0 && left_ns >= LEFT_MIN_NS)
		ret = seek_by_progress(k, run, &left_ns, err);
	if (ret == 0 && cheap)
		return seek_armed(k, run, k->limit_ns, false, err);
	if (ret == 0 && k->clock.n_hands > 0 && !is_perfect(&k->clock))
		ret = run_by_clock(k, run, &left_ns, err);
	if (ret != 0)
		return ret;
	k->clock.n_hands = 0;
	/* What is done of the part already. */
	if (left_ns < LEFT_MIN_NS)
		return run_ahead(k, run, 0, LEFT_MIN_NS, err);
	part = 1 - (1 - part) * all / left_ns;
	return run_ahead(k, run, part, left_ns, err);
}

/* run passed the point: once more from begin. */
static int
restart(struct seek *k, struct point_run *run, struct point_run *begin,
	struct err *err)
{
	seek_fall_back(k, run, begin);
	return seek_copy(k, run, begin, err);
}

int
seek_ahead(struct seek *k, struct point_run *run, struct err *err)
{
	double all = (double)k->p->cpu_ns - (double)k->gone_ns;
	double left = all - (double)k->cpu_ns;
	struct point_run own = { 0 }, *begin = &k->begin;
	int ret = 0;

	/* On a busy CPU it has taken longer than when it was recorded. */
	if (left < LEFT_MIN_NS)
		return seek_armed(k, run, k->limit_ns, false, err);
	seek_disarm(k, run);
	/* Where it was armed is close behind, unless it went past touches. */
	if (begin->tid == 0 || k->gone_ns != 0) {
		begin = &own;
		all = left;
		ret = seek_copy(k, run, begin, err);
	}
	if (ret < 0)
		return ret;
	k->out->ran_ahead = true;
	k->stub.count = false;
	ret = first_guess(k, run, left, err);
	if (ret == END_EVENT || ret == END_LIMIT) {
		/* What the clock said was wrong: it may go round, too. */
		k->clock.n_hands = 0;
		ret = restart(k, run, begin, err);
		if (ret == 0)
			ret = run_ahead(k, run, 0.5, all, err);
	}
	if (ret == END_EVENT || ret == END_LIMIT) {
		ret = restart(k, run, begin, err);
		if (ret == 0)
			ret = seek_armed(k, run, k->limit_ns, false, err);
	}
	seek_drop(k, &own);
	return ret;
}
