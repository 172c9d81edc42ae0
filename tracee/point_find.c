/*
 * Finding a point again.
 *
 *   begin --armed--> state agrees: found
 *           |
 *           | the loop is so tight that the stub slows it down
 *           v
 *   leave a copy here; natively, most of the recorded time; armed again
 *           |                             |
 *           | (another copy is left       | an event, or the budget is used up:
 *           v  shortly before)            v the point was passed
 *   armed from there <---- armed from the copy ---- at last from the first copy
 *
 * All share one stub, mapped at the begin. How often the point's instruction is
 * reached is known only when it was armed all the time.
 *
 * Armed is a jump to the stub. The program may read or write the code that the
 * jump replaces, and go astray; then it never gets to an equal state. A copy
 * from before the jump is kept where that costs little, and always when that
 * code was written in the interval. It goes on when the jump was in vain: with
 * one that is guarded, armed late, and then with a breakpoint, which no program
 * can see, until a jump is worth another try:
 *
 *   begin --copy--> jump --> found
 *             |       |
 *             |       v an event, or far too long
 *             +--breakpoint--> found
 *                   |  so many visits, and the code is as it is at the point
 *                   v
 *                 copy --> jump ...
 *
 * For the rest, the caller comes again from the begin, and wants no such jump.
 */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tracee/point_seek.h"
#include "tracee/ptrace.h"

#define LONG_NS 3000000u /* shorter intervals are not worth running ahead */
/* How long a jump that may go wrong is given. */
#define RISKY_FACTOR 32u
#define RISKY_MIN_NS 100000000u
/* Visits with a breakpoint before a jump is tried; after each failure so many
 * times more. */
#define TRAPS_FIRST 64u
#define TRAPS_MORE 16u
/* Armed for so long, it has seen the jump, for all that is known. */
#define SEEN_FACTOR 6u
#define SEEN_MIN_NS 10000000u
#define COPY_SHARE 16u /* a copy is little beside so many times its cost */
#define COPY_PAGE_NS 1000u
#define LATE_NS 500000u	 /* shorter intervals are not worth arming late */
#define LATE_SLOW 4.0	 /* as if armed it were so slow: little is armed */
#define TRAPS_AHEAD 256u /* before it runs ahead with the breakpoint */

/* Armed, and ahead when that is better. */
static int
attempt(struct seek *k, struct point_run *run, struct err *err)
{
	bool ahead = k->jump && k->s->ops != NULL && !k->s->count &&
		     k->p != NULL && k->p->cpu_ns >= LONG_NS;
	int ret;

	if (k->late)
		return seek_ahead(k, run, err);
	/* Too short to find out how tight it is. */
	if (k->jump && !ahead)
		seek_choose_counting(k);
	ret = seek_from_begin(k, run, k->limit_ns, ahead, err);
	return ret == END_TIGHT ? seek_ahead(k, run, err) : ret;
}

/* Map the stub: then k->jump is set, unless no jump can be there. */
static int
map_stub(struct seek *k, const struct point_run *run, struct err *err)
{
	uint64_t begin = clock_now_ns();
	int ret;

	/* When something went astray no more is changed than must be. */
	k->stub = (struct stub){ .pc = k->pc,
				 .countdown = k->visit,
				 .alone = k->s->trap || k->risky };
	ret = stub_map(&k->stub, run, k->p, err);
	k->jump = ret == 1;
	k->out->jumped |= k->jump;
	k->out->arm_ns += clock_now_ns() - begin;
	return ret < 0 ? ret : 0;
}

int
seek_copy(struct seek *k, const struct point_run *run, struct point_run *out,
	  struct err *err)
{
	uint64_t before = cputime_ns(run->tid);
	int ret = k->s->ops->copy(k->s->arg, run, out, err);

	k->out->copies += ret == 0;
	k->out->cpu_ns += cputime_ns(run->tid) - before;
	return ret;
}

void
seek_drop(struct seek *k, struct point_run *run)
{
	if (run->tid != 0)
		k->s->ops->drop(k->s->arg, run);
	run->tid = 0;
}

void
seek_fall_back(struct seek *k, struct point_run *run, struct point_run *behind)
{
	seek_drop(k, run);
	*run = *behind;
	behind->tid = 0;
	k->out->fell_back++;
}

/* run went astray: go on from k->begin, nothing armed. */
static int
go_back(struct seek *k, struct point_run *run, struct err *err)
{
	int ret;

	seek_fall_back(k, run, &k->begin);
	ret = stub_unmap(&k->stub, run, err);
	k->stub.map = 0;
	k->out->ran_ahead = k->jump = k->guarded = k->bare = false;
	k->cpu_ns = k->gone_ns = 0;
	return ret;
}

/*
 * With a jump, and a copy from before it. risky: the program may well touch it.
 * 0: it went wrong, or no jump can be there; run is where it was before.
 */
static int
try_jump(struct seek *k, struct point_run *run, bool risky, struct err *err)
{
	uint64_t factor = risky ? RISKY_FACTOR : SEEN_FACTOR;
	int ret;

	k->risky = risky;
	k->ahead_at = k->jump_at = 0;
	k->limit_ns =
		k->p->cpu_ns * factor + (risky ? RISKY_MIN_NS : SEEN_MIN_NS);
	ret = map_stub(k, run, err);
	if (ret == 0 && k->jump) {
		ret = seek_copy(k, run, &k->begin, err);
		if (ret == 0)
			ret = attempt(k, run, err);
		if (ret == END_FOUND || ret < 0)
			return ret;
		ret = go_back(k, run, err);
	}
	k->limit_ns = k->s->limit_ns;
	k->risky = k->late = false;
	k->jump_at = k->traps * TRAPS_MORE + TRAPS_FIRST;
	k->ahead_at = k->traps + TRAPS_AHEAD;
	return ret;
}

/* By breakpoint, and a jump now and then if that is possible at all. */
static int
search_trapped(struct seek *k, struct point_run *run, struct err *err)
{
	bool can_copy = k->s->ops != NULL && k->p != NULL;

	if (!can_copy || k->p->way != POINT_JUMP || k->s->trap)
		k->ahead_at = TRAPS_AHEAD;
	else if (k->jump_at == 0)
		k->jump_at = TRAPS_FIRST;
	for (;;) {
		int ret;

		if (!can_copy || k->s->count || k->p->cpu_ns < LONG_NS)
			k->ahead_at = 0;
		ret = attempt(k, run, err);
		if (ret == END_JUMP)
			ret = try_jump(k, run, true, err);
		if (ret != 0)
			return ret;
	}
}

/* How to begin. */
enum begin {
	BEGIN_JUMP,
	BEGIN_KEPT,  /* a jump, and a copy from before it */
	BEGIN_RISKY, /* a jump, and copies from before it */
	BEGIN_LATE,  /* the same; then natively, and a jump shortly before */
	BEGIN_TRAP,
	BEGIN_NOT, /* other code is there */
};

/* Is it, beside the search? If that goes wrong it saves far more. Each page
 * that is written is copied then, too. */
static bool
is_copy_little(const struct seek *k)
{
	uint64_t ns = k->s->copy_ns;

	for (size_t i = 0; i < k->p->sums.len; i++)
		ns += (uint64_t)k->p->sums.v[i].pages * COPY_PAGE_NS;
	return k->s->ops != NULL && k->p->cpu_ns >= LONG_NS &&
	       k->p->cpu_ns / COPY_SHARE >= ns;
}

static enum begin
how_to_begin(const struct seek *k, const struct point_run *run)
{
	const struct point *p = k->p;
	uint64_t last = k->pc + WINDOW_JUMP - 1;
	bool wrote, same;

	if (p == NULL)
		return BEGIN_JUMP;
	wrote = point_wrote(p, k->pc) || point_wrote(p, last);
	same = point_code_agrees(&run->mem, p, NULL);
	if (!same || p->way != POINT_JUMP)
		return same || wrote ? BEGIN_TRAP : BEGIN_NOT;
	if (k->s->trap)
		return k->s->ops != NULL && p->cpu_ns >= LATE_NS ? BEGIN_LATE
								 : BEGIN_TRAP;
	/* Written before the interval, more likely than in it. */
	wrote = wrote && !(point_sum_agrees_at(&run->mem, p, k->pc) &&
			   point_sum_agrees_at(&run->mem, p, last));
	if (!wrote)
		return is_copy_little(k) ? BEGIN_KEPT : BEGIN_JUMP;
	return k->s->ops != NULL ? BEGIN_RISKY : BEGIN_TRAP;
}

/* Not guarded all the time, so it may go astray unseen. */
static int
attempt_first(struct seek *k, struct point_run *run, struct err *err)
{
	uint64_t soon;

	if (k->p != NULL && !k->s->trap) {
		soon = k->p->cpu_ns * SEEN_FACTOR + SEEN_MIN_NS;
		if (k->limit_ns == 0 || soon < k->limit_ns)
			k->limit_ns = soon;
	}
	return attempt(k, run, err);
}

/* Guarded all the time; then armed no earlier than little before the point. */
static int
jump_carefully(struct seek *k, struct point_run *run, struct err *err)
{
	int ret = try_jump(k, run, true, err);

	if (ret != 0)
		return ret;
	k->late = true;
	k->slow = LATE_SLOW;
	return try_jump(k, run, true, err);
}

static int
search_run(struct seek *k, struct point_run *run, struct err *err)
{
	int ret = 0;

	switch (how_to_begin(k, run)) {
	case BEGIN_NOT:
		k->out->miss = POINT_MISS_CODE;
		return 0;
	case BEGIN_JUMP:
		ret = map_stub(k, run, err);
		if (ret == 0 && k->jump)
			return attempt_first(k, run, err);
		break;
	case BEGIN_KEPT:
		ret = try_jump(k, run, false, err);
		if (ret != 0 || !k->out->jumped)
			break;
		k->out->misled = true;
		ret = jump_carefully(k, run, err);
		break;
	case BEGIN_LATE:
		ret = jump_carefully(k, run, err);
		break;
	case BEGIN_RISKY:
		ret = try_jump(k, run, true, err);
		break;
	case BEGIN_TRAP:
		break;
	}
	return ret != 0 ? ret : search_trapped(k, run, err);
}

static int
search(struct seek *k, struct point_run *run, struct err *err)
{
	int ret = deadline_open(&k->timer, err);

	k->limit_ns = k->s->limit_ns;
	if (k->limit_ns != 0)
		k->give_up_ns = seek_own_ns() + k->limit_ns;
	if (ret == 0)
		ret = search_run(k, run, err);
	deadline_close(&k->timer);
	k->out->trapped = !k->jump;
	if (ret == END_FOUND) {
		k->out->armed_visits = seek_visits(k, run);
		/* The visit at which a jump was put in was counted before. */
		if (!k->out->ran_ahead && !k->bare)
			k->out->visits =
				k->out->armed_visits +
				(k->jump && k->traps > 0 ? k->traps - 1 : 0);
	}
	seek_drop(k, &k->begin);
	if (ret == END_FOUND && stub_unmap(&k->stub, run, err) < 0)
		return -E_GONE;
	if (ret == END_EVENT || ret == END_SEEN)
		k->out->miss = POINT_MISS_EVENT;
	if (ret == END_LIMIT)
		k->out->miss = POINT_MISS_LIMIT;
	return ret < 0 ? ret : ret == END_FOUND;
}

int
point_find(struct point_run *run, const struct point *p,
	   const struct point_search *s, struct point_found *out,
	   struct err *err)
{
	struct point_found found = { 0 };
	struct seek k = { .p = p, .pc = p->regs.rip, .s = s, .out = &found };
	int ret = search(&k, run, err);

	*out = found;
	return ret;
}

int
point_goto(struct point_run *run, uint64_t pc, uint64_t visit,
	   uint64_t limit_ns, struct point_found *out, struct err *err)
{
	const struct point_search s = { .limit_ns = limit_ns };
	struct point_found found = { 0 };
	struct seek k = { .pc = pc, .visit = visit, .s = &s, .out = &found };
	int ret;

	ASSERT(visit > 0);
	ret = search(&k, run, err);
	*out = found;
	return ret;
}
