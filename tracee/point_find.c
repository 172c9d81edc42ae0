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
 */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tracee/point_seek.h"
#include "tracee/ptrace.h"

#define LONG_NS 5000000u /* shorter intervals are not worth running ahead */

static int
search_run(struct seek *k, struct point_run *run, struct err *err)
{
	bool ahead = k->jump && k->s->ops != NULL && !k->s->count &&
		     k->p != NULL && k->p->cpu_ns >= LONG_NS;
	int ret = seek_armed(k, run, k->s->limit_ns, ahead, err);

	return ret == END_TIGHT ? seek_ahead(k, run, err) : ret;
}

/* A jump into code that the program itself may write would be lost, or worse.
 */
static bool
may_jump(struct seek *k, const struct point_run *run)
{
	const struct point *p = k->p;
	uint8_t code[POINT_CODE];

	if (p == NULL)
		return true;
	if (point_wrote(p, k->pc) || point_wrote(p, k->pc + WINDOW_JUMP - 1))
		return false;
	if (mem_read_all(&run->mem, k->pc, code, p->code_len) < 0 ||
	    memcmp(code, p->code, p->code_len) != 0)
		k->out->miss = POINT_MISS_CODE;
	return k->out->miss == POINT_FOUND && p->way == POINT_JUMP;
}

/* Map the stub, if there is to be one. */
static int
prepare(struct seek *k, const struct point_run *run, struct err *err)
{
	uint64_t begin = clock_now_ns();
	int ret = 0;

	k->stub.pc = k->pc;
	k->stub.countdown = k->visit;
	if (may_jump(k, run)) {
		ret = stub_map(&k->stub, run, k->p, err);
		k->jump = ret == 1;
	}
	k->out->arm_ns += clock_now_ns() - begin;
	return ret < 0 ? ret : 0;
}

static int
search(struct seek *k, struct point_run *run, struct err *err)
{
	int ret = prepare(k, run, err);

	if (ret < 0 || k->out->miss == POINT_MISS_CODE)
		return ret;
	ret = deadline_open(&k->timer, err);
	if (ret == 0)
		ret = search_run(k, run, err);
	deadline_close(&k->timer);
	if (ret == END_FOUND) {
		k->out->armed_visits = seek_visits(k, run);
		if (!k->out->ran_ahead)
			k->out->visits = k->out->armed_visits;
	}
	if (ret == END_FOUND && stub_unmap(&k->stub, run, err) < 0)
		return -E_GONE;
	if (ret == END_EVENT)
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
