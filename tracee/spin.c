#include "tracee/spin.h"

#include <string.h>
#include <sys/ptrace.h>

#include "event/regs.h"
#include "sym/operand.h"
#include "tracee/memcode.h"
#include "tracee/point.h"
#include "tracee/ptrace.h"
#include "tracee/step.h"

#define STEPS_MAX 32u

static bool
value_at(const struct mem *m, const struct spin_word *w, uint64_t *out)
{
	*out = 0;
	return mem_read(m, w->addr, out, w->len) == (ssize_t)w->len;
}

bool
spin_goes_on(const struct spin *s, const struct mem *m)
{
	for (unsigned i = 0; i < s->n; i++) {
		uint64_t value;

		if (!value_at(m, &s->word[i], &value) ||
		    value != s->word[i].value)
			return false;
	}
	return s->n > 0;
}

static bool
is_same(const struct regs *a, const struct regs *b)
{
	struct regs x = *a, y = *b;

	x.eflags &= POINT_FLAGS;
	y.eflags &= POINT_FLAGS;
	return memcmp(&x, &y, sizeof(x)) == 0;
}

/* A task on its way round. */
struct round {
	pid_t tid;
	const struct mem *mem;
	struct spin *spin;
	bool try; /* nothing may be changed for good */
	struct regs first, regs;
};

static int
gone(const struct round *r, struct err *err)
{
	return err_set(err, E_GONE, "task %d is gone", r->tid);
}

/* Note that the instruction at r->regs is about to touch *w. */
static bool
note(struct spin *s, const struct spin_word *w)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->word[i].addr == w->addr && s->word[i].len == w->len)
			return s->word[i].value == w->value;
	if (s->n == SPIN_WORDS)
		return false;
	s->word[s->n++] = *w;
	return true;
}

/* What is it about to touch? False: that is too much. */
static bool
touches(struct round *r, struct spin_word *out)
{
	struct operand o;
	struct code c;
	bool stores;

	*out = (struct spin_word){ 0 };
	if (!mem_code(r->mem, r->regs.rip, &c) || c.flow == FLOW_EVENT ||
	    !operand_find(span_of(c.bytes, c.len), &r->regs, &o) || !o.plain)
		return false;
	if (o.addr == 0)
		return true;
	if (o.size == 0 || o.size > sizeof(out->value))
		return false;
	*out = (struct spin_word){ .addr = o.addr, .len = o.size };
	if (!value_at(r->mem, out, &out->value))
		return false;
	stores = o.write && !(o.compares && o.expect != out->value);
	return !(r->try && stores) && note(r->spin, out);
}

static void
reach(struct spin *s, uint64_t pc)
{
	if (s->from == 0 || pc < s->from)
		s->from = pc;
	if (pc > s->to)
		s->to = pc;
}

/* An instruction. SPIN_FOUND: on with the next one. */
static int
step(struct round *r, struct err *err)
{
	struct spin_word w;
	uint64_t value;
	int ret;

	if (!touches(r, &w))
		return SPIN_NONE;
	reach(r->spin, r->regs.rip);
	ret = step_resume(r->tid, PTRACE_SINGLESTEP, err);
	if (ret < 0)
		return ret;
	if (ret == STEP_OTHER)
		return SPIN_STOP;
	if (ptrace_get_regs(r->tid, &r->regs) < 0)
		return gone(r, err);
	if (w.len > 0 && (!value_at(r->mem, &w, &value) || value != w.value))
		return SPIN_NONE;
	return SPIN_FOUND;
}

/* Until two arrivals in a row, where it set out from, are in the same state.
 * The words may be others than when it read them before: then registers and
 * flags are so after a round or two. */
static int
go_round(struct round *r, struct err *err)
{
	struct regs from = r->regs;

	for (unsigned i = 0; i < STEPS_MAX; i++) {
		int ret = step(r, err);

		if (ret != SPIN_FOUND)
			return ret;
		if (r->regs.rip != from.rip)
			continue;
		if (is_same(&r->regs, &from))
			return r->spin->n > 0 ? SPIN_FOUND : SPIN_NONE;
		from = r->regs;
	}
	return SPIN_NONE;
}

static int
look(struct round *r, struct err *err)
{
	int ret;

	if (ptrace_get_regs(r->tid, &r->first) < 0)
		return gone(r, err);
	r->regs = r->first;
	ret = go_round(r, err);
	if (r->try && (ret == SPIN_FOUND || ret == SPIN_NONE) &&
	    ptrace_set_regs(r->tid, &r->first) < 0)
		return gone(r, err);
	return ret;
}

/* Signals wait meanwhile. */
static int
quietly(struct round *r, struct err *err)
{
	uint64_t mask;
	int ret = step_event_due(r->tid, err);

	if (ret != 0)
		return ret < 0 ? ret : SPIN_NONE;
	ret = step_quiet(r->tid, &mask, err);
	if (ret < 0)
		return ret;
	ret = look(r, err);
	step_loud(r->tid, mask);
	return ret;
}

int
spin_find(pid_t tid, const struct mem *m, struct spin *out, struct err *err)
{
	struct round r = { .tid = tid, .mem = m, .spin = out };
	int ret;

	*out = (struct spin){ 0 };
	ret = quietly(&r, err);
	if (ret != SPIN_FOUND)
		out->n = 0;
	return ret;
}

int
spin_would(pid_t tid, const struct mem *m, struct spin *s, struct err *err)
{
	struct spin now = { 0 };
	struct round r = { .tid = tid, .mem = m, .spin = &now, .try = true };
	int ret = quietly(&r, err);

	if (ret == SPIN_FOUND)
		*s = now;
	return ret;
}
