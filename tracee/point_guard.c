/*
 * The bytes under a search's jump, guarded by the debug registers: the program
 * may write or read them.
 *
 *   armed --written anew, as they were--> the jump again, on
 *     |   --by what only stores--> unarmed, until they are what they were
 *     |
 *     | touched otherwise: it has seen the jump
 *     v
 *   a copy from before the jump --natively, to just behind that--> breakpoint:
 *   its next visit, or a later one --> another copy, armed
 *
 * Nothing is lost by that: up to there no state agreed. Where no copy is kept
 * the caller comes again from the begin (END_SEEN), and keeps some.
 */
#define LOG_DOMAIN "point"

#include <string.h>

#include "base/log.h"
#include "tracee/point_seek.h"
#include "tracee/ptrace.h"

#define MS 1000000u
#define SLOTS 4u
#define OWN_MAX 256u /* touched by the stub: then it is not worth it */
/* Stretches that end by a touch so soon, after each of which it goes on twice
 * as long with the breakpoint, and how many of them there may be. */
#define SHORT_NS MS
#define SHORT_MAX 10u
#define PASS_FACTOR 4u /* natively it takes no longer than armed, about */
#define PASS_MIN_NS (20u * MS)

struct slot {
	uint64_t addr;
	unsigned len;
};

/* Aligned pieces of len bytes at addr, a few more at the end if need be. */
static unsigned
slots_of(uint64_t addr, unsigned len, struct slot out[SLOTS])
{
	uint64_t end = addr + len;
	unsigned n = 0;

	while (addr < end && n < SLOTS) {
		unsigned size = 8;

		while (addr % size != 0 || (n < SLOTS - 1 && addr + size > end))
			size /= 2;
		out[n++] = (struct slot){ addr, size };
		addr += size;
	}
	return n;
}

/* All that is moved, not just what the jump covers. */
static unsigned
slots(const struct seek *k, struct slot out[SLOTS])
{
	unsigned len = k->stub.window.len;

	return slots_of(k->pc, len < WINDOW_JUMP ? WINDOW_JUMP : len, out);
}

void
guard_set(struct seek *k, const struct point_run *run)
{
	struct slot s[SLOTS];
	unsigned n;

	k->own_touches = 0;
	k->guarded = k->p != NULL && (k->risky || !k->stub.strings);
	if (!k->guarded)
		return;
	n = slots(k, s);
	for (unsigned i = 0; i < n && k->guarded; i++)
		k->guarded = ptrace_set_debug(run->tid, i, PTRACE_DEBUG_ACCESS,
					      s[i].addr, s[i].len) == 0;
	if (k->guarded)
		ptrace_debug_hits(run->tid);
	else
		ptrace_set_break(run->tid, 0);
}

void
guard_clear(struct seek *k, const struct point_run *run)
{
	if (k->guarded)
		ptrace_set_break(run->tid, 0);
	k->guarded = false;
}

/* Does what is in memory from the at-th byte on agree with what is moved? */
static bool
is_as_moved(const struct seek *k, const struct point_run *run, unsigned at)
{
	const struct window *w = &k->stub.window;
	uint8_t is[WINDOW_INSNS * CODE_LEN_MAX];
	unsigned from = 0;

	if (mem_read_all(&run->mem, k->pc, is, w->len) < 0)
		return false;
	for (unsigned i = 0; i < w->count; i++) {
		const struct code *c = &w->insn[i];

		for (unsigned b = 0; b < c->len; b++)
			if (from + b >= at && is[from + b] != c->bytes[b])
				return false;
		from += c->len;
	}
	/* What is padding behind a jump or return. */
	return w->len >= WINDOW_JUMP ||
	       (mem_read_all(&run->mem, k->pc, is, WINDOW_JUMP) == 0 &&
		memcmp(is, k->stub.orig, WINDOW_JUMP) == 0);
}

/* The stub's own code did it, not the program's that was moved there. */
static bool
is_own(const struct seek *k, uint64_t pc)
{
	const struct stub_head *h = stub_head();
	uint64_t at = pc - k->stub.base;

	return (at > h->entry && at <= k->stub.moved_at) ||
	       (at > h->entry + STUB_HOT && at < STUB_DATA);
}

/* The jump itself, or only what was moved with it? */
static bool
is_jump_touched(const struct seek *k, unsigned hits)
{
	struct slot s[SLOTS];
	unsigned n = slots(k, s);

	for (unsigned i = 0; i < n; i++)
		if ((hits >> i & 1) && s[i].addr < k->pc + WINDOW_JUMP)
			return true;
	return false;
}

/* An instruction that was found to store without looking, behind which pc is.
 */
static bool
only_stores(const struct seek *k, uint64_t pc)
{
	for (unsigned i = 0; i < k->n_stores; i++)
		if (k->stores[i] == pc)
			return true;
	return false;
}

/* Where the program did not write the jump is still there: its own bytes. */
static int
leave(struct seek *k, const struct point_run *run, struct err *err)
{
	uint8_t jump[WINDOW_JUMP], is[WINDOW_JUMP];

	stub_jump(&k->stub, jump);
	memcpy(is, k->touch.is, sizeof(is));
	for (unsigned i = 0; i < WINDOW_JUMP; i++)
		if (is[i] == jump[i])
			is[i] = k->stub.orig[i];
	k->away = k->bare = true;
	return mem_write_all(&run->mem, k->pc, is, sizeof(is)) < 0
		       ? seek_gone(run, err)
		       : 0;
}

int
guard_hit(struct seek *k, struct point_run *run, uint64_t pc, unsigned hits,
	  struct err *err)
{
	struct touch *t = &k->touch;

	if (is_own(k, pc)) {
		if (++k->own_touches >= OWN_MAX)
			guard_clear(k, run);
		return 0;
	}
	t->pc = pc;
	if (mem_read_all(&run->mem, k->pc, t->is, sizeof(t->is)) < 0)
		return seek_gone(run, err);
	if (is_as_moved(k, run, 0)) {
		k->away = false;
		return stub_arm(&k->stub, run, err);
	}
	if (k->away)
		return 0;
	if (!is_jump_touched(k, hits) && is_as_moved(k, run, WINDOW_JUMP))
		return 0;
	/* Visits of other code would not be counted. */
	if (only_stores(k, pc) && !k->s->count)
		return leave(k, run, err);
	return END_SEEN;
}

/* The same touch as k->touch, but of the code itself: did it write the same,
 * whatever was there? */
static void
learn(struct seek *k, const struct point_run *run)
{
	const struct touch *t = &k->touch;
	uint8_t jump[WINDOW_JUMP], is[WINDOW_JUMP];
	bool wrote = false, same = true;
	struct regs regs;

	if (ptrace_get_regs(run->tid, &regs) < 0 || regs.rip != t->pc ||
	    mem_read_all(&run->mem, k->pc, is, sizeof(is)) < 0 ||
	    k->n_stores == TOUCH_STORES)
		return;
	stub_jump(&k->stub, jump);
	for (unsigned i = 0; i < WINDOW_JUMP; i++) {
		wrote |= t->is[i] != jump[i];
		same &= t->is[i] == is[i] ||
			(t->is[i] == jump[i] && is[i] == k->stub.orig[i]);
	}
	if (wrote && same)
		k->stores[k->n_stores++] = t->pc;
}

/* From a copy natively to behind the touch, until what is there is the code
 * that was moved. */
static int
pass_touch(struct seek *k, struct point_run *run, uint64_t limit_ns,
	   struct err *err)
{
	int ret;

	guard_set(k, run);
	if (!k->guarded)
		return END_LIMIT;
	ret = seek_to_touch(k, run, limit_ns, err);
	if (ret == 0)
		learn(k, run);
	while (ret == 0 && !is_as_moved(k, run, 0))
		ret = seek_to_touch(k, run, limit_ns, err);
	guard_clear(k, run);
	return ret;
}

/* With a breakpoint to the wait-th visit from here. END_JUMP: it stands there,
 * and a jump may stand there, too. */
static int
pass_visits(struct seek *k, struct point_run *run, uint64_t wait,
	    struct err *err)
{
	uint64_t traps = k->traps, before = k->touch.visits;
	int ret;

	k->jump = false;
	k->jump_at = traps + wait;
	ret = seek_stretch(k, run, k->limit_ns, false, err);
	k->jump_at = 0;
	if (ret != END_JUMP) {
		k->traps += before;
		return ret;
	}
	k->jump = true;
	/* The last one will count once more. */
	before += k->traps - traps - 1;
	k->traps = traps;
	return stub_set_visits(&k->stub, run, before) < 0 ? seek_gone(run, err)
							  : END_JUMP;
}

/* run has seen the jump, ran_ns after it was armed, and behind is from before
 * that. END_JUMP: run is behind it, where it may be armed again. */
static int
go_round(struct seek *k, struct point_run *run, struct point_run *behind,
	 uint64_t ran_ns, uint64_t wait, struct err *err)
{
	uint64_t before = k->out->cpu_ns;
	int ret;

	k->touch.visits = seek_visits(k, run);
	seek_fall_back(k, run, behind);
	k->guarded = false;
	ret = pass_touch(k, run, ran_ns * PASS_FACTOR + PASS_MIN_NS, err);
	k->gone_ns += k->out->cpu_ns - before;
	return ret != 0 ? ret : pass_visits(k, run, wait, err);
}

/* Armed, with a copy from before for as long as it lasts; from: one that is
 * there already and stays, or NULL. */
static int
seek_risky(struct seek *k, struct point_run *run, const struct point_run *from,
	   uint64_t budget_ns, bool ahead, struct err *err)
{
	struct point_run behind = { 0 };
	uint64_t wait = 1, used = 0;
	unsigned soon = 0;
	int ret = 0;

	do {
		uint64_t left = budget_ns > used + MS ? budget_ns - used : MS;
		uint64_t begin, ran;

		if (from == NULL)
			ret = seek_copy(k, run, &behind, err);
		if (ret < 0)
			break;
		begin = k->out->cpu_ns;
		ret = seek_stretch(k, run, budget_ns != 0 ? left : 0, ahead,
				   err);
		if (ret != END_SEEN)
			break;
		ran = k->out->cpu_ns - begin;
		used += ran;
		soon = ran < SHORT_NS ? soon + 1 : 0;
		wait = ran < SHORT_NS ? wait * 2 : 1;
		log_debug("seen after %.3f ms", (double)ran / 1e6);
		ret = from != NULL ? seek_copy(k, from, &behind, err) : 0;
		from = NULL;
		if (ret == 0)
			ret = soon < SHORT_MAX ? go_round(k, run, &behind, ran,
							  wait, err)
					       : END_EVENT;
	} while (ret == END_JUMP);
	seek_drop(k, &behind);
	return ret;
}

int
seek_armed(struct seek *k, struct point_run *run, uint64_t budget_ns,
	   bool ahead, struct err *err)
{
	if (k->jump && k->risky)
		return seek_risky(k, run, NULL, budget_ns, ahead, err);
	return seek_stretch(k, run, budget_ns, ahead, err);
}

int
seek_from_begin(struct seek *k, struct point_run *run, uint64_t budget_ns,
		bool ahead, struct err *err)
{
	if (!k->jump || k->begin.tid == 0)
		return seek_armed(k, run, budget_ns, ahead, err);
	return seek_risky(k, run, &k->begin, budget_ns, ahead, err);
}
