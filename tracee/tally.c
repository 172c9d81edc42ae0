/* Counting stubs and breakpoints at several addresses at once. */
#include "tracee/tally.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "tracee/ptrace.h"

#define COUNT_ONLY (1ull << 62)

struct tally_site *
tally_site(struct tally *t, uint64_t pc)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->v[i].pc == pc)
			return &t->v[i];
	}
	if (t->n == TALLY_MAX)
		return NULL;
	t->v[t->n] = (struct tally_site){ .pc = pc, .how = TALLY_STUB };
	return &t->v[t->n++];
}

/* Would the stub at s cover what belongs to another site? */
static bool
in_the_way(const struct tally *t, const struct tally_site *s)
{
	uint64_t end =
		s->pc + (s->stub.window.len > WINDOW_JUMP ? s->stub.window.len
							  : WINDOW_JUMP);

	for (size_t i = 0; i < t->n; i++) {
		const struct tally_site *o = &t->v[i];
		uint64_t o_end = o->pc + 1;

		if (o == s)
			continue;
		if (o->armed == TALLY_STUB)
			o_end = o->pc + (o->stub.window.len > WINDOW_JUMP
						 ? o->stub.window.len
						 : WINDOW_JUMP);
		if (o->pc < end && s->pc < o_end)
			return true;
	}
	return false;
}

/* 1: it is mapped and filled, 0: no stub can be there. */
static int
map_stub(struct tally *t, struct tally_site *s, const struct point_run *run,
	 struct err *err)
{
	int ret;

	s->stub = (struct stub){
		.pc = s->pc,
		.countdown = s->stop != 0 ? s->stop : COUNT_ONLY,
		.tick = t->ticks ? t->tick_at : 0,
	};
	ret = stub_map(&s->stub, run, NULL, err);
	if (ret <= 0)
		return ret;
	if (in_the_way(t, s)) {
		ret = stub_unmap(&s->stub, run, err);
		return ret < 0 ? ret : 0;
	}
	return 1;
}

/* The tick lies in the data of a stub that nobody jumps to. */
static int
make_tick(struct tally *t, const struct point_run *run, struct err *err)
{
	struct tally_site *s = NULL;
	int ret;

	for (size_t i = 0; t->ticks && i < t->n && s == NULL; i++) {
		if (t->v[i].how == TALLY_STUB)
			s = &t->v[i];
	}
	if (s == NULL)
		return 0;
	/* Where it is mapped is known only afterwards: filled again below. */
	t->tick_at = 0;
	ret = map_stub(t, s, run, err);
	if (ret == 0)
		s->how = TALLY_INT3;
	if (ret <= 0)
		return ret < 0 ? ret : make_tick(t, run, err);
	s->armed = TALLY_STUB;
	t->tick_at = stub_field(&s->stub, offsetof(struct stub_data, tick));
	s->stub.tick = t->tick_at;
	return stub_install(&s->stub, run) < 0
		       ? err_set(err, EFAULT, "cannot write a stub")
		       : 0;
}

void
tally_lift(struct tally *t, const struct point_run *run, size_t which)
{
	struct tally_site *s = &t->v[which];
	uint8_t jump, now;

	switch (s->armed) {
	case TALLY_OFF:
		return;
	case TALLY_DEBUG:
		ptrace_set_debug(run->tid, TALLY_SLOT, PTRACE_DEBUG_OFF, 0, 1);
		return;
	case TALLY_INT3:
	case TALLY_STUB:
		break;
	}
	/* What the program has written there meanwhile stays. */
	jump = s->armed == TALLY_STUB ? 0xe9 : 0xcc;
	if (mem_read_all(&run->mem, s->pc, &now, 1) < 0 || now != jump)
		return;
	if (s->armed == TALLY_STUB)
		stub_disarm(&s->stub, run);
	else
		mem_write_all(&run->mem, s->pc, &s->orig, 1);
}

void
tally_put(struct tally *t, const struct point_run *run, size_t which)
{
	const uint8_t int3 = 0xcc;
	struct tally_site *s = &t->v[which];

	if (s->armed == TALLY_DEBUG)
		ptrace_set_debug(run->tid, TALLY_SLOT, PTRACE_DEBUG_EXEC, s->pc,
				 1);
	else if (s->armed == TALLY_INT3)
		mem_write_all(&run->mem, s->pc, &int3, 1);
}

static int
arm_site(struct tally *t, struct tally_site *s, const struct point_run *run,
	 struct err *err)
{
	int ret;

	if (s->how == TALLY_STUB && s->armed != TALLY_STUB) {
		ret = map_stub(t, s, run, err);
		if (ret < 0)
			return ret;
		s->armed = ret ? TALLY_STUB : TALLY_INT3;
	}
	if (s->armed == TALLY_STUB)
		return 0; /* jumps come when all are mapped */
	s->armed = s->how == TALLY_DEBUG ? TALLY_DEBUG : TALLY_INT3;
	if (s->armed == TALLY_INT3 &&
	    mem_read_all(&run->mem, s->pc, &s->orig, 1) < 0)
		return err_set(err, EFAULT, "there is no code at 0x%lx", s->pc);
	return 0;
}

int
tally_arm(struct tally *t, const struct point_run *run, struct err *err)
{
	int ret;

	t->tick = t->tick_at = 0;
	for (size_t i = 0; i < t->n; i++) {
		t->v[i].armed = TALLY_OFF;
		t->v[i].seen = t->v[i].last = 0;
	}
	ret = make_tick(t, run, err);
	for (size_t i = 0; ret == 0 && i < t->n; i++)
		ret = arm_site(t, &t->v[i], run, err);
	for (size_t i = 0; ret == 0 && i < t->n; i++) {
		if (t->v[i].armed == TALLY_STUB)
			ret = stub_arm(&t->v[i].stub, run, err);
		else
			tally_put(t, run, i);
	}
	return ret;
}

static void
read_counts(struct tally *t, struct tally_site *s, const struct point_run *run)
{
	uint64_t left = 0;

	mem_read_all(&run->mem,
		     stub_field(&s->stub, offsetof(struct stub_data, left)),
		     &left, sizeof(left));
	s->seen = s->stub.countdown - left;
	if (t->ticks)
		mem_read_all(
			&run->mem,
			stub_field(&s->stub, offsetof(struct stub_data, last)),
			&s->last, sizeof(s->last));
}

int
tally_disarm(struct tally *t, const struct point_run *run, struct err *err)
{
	int ret = 0;

	for (size_t i = 0; i < t->n; i++) {
		tally_lift(t, run, i);
		if (t->v[i].armed == TALLY_STUB)
			read_counts(t, &t->v[i], run);
	}
	for (size_t i = 0; ret == 0 && i < t->n; i++) {
		if (t->v[i].armed == TALLY_STUB)
			ret = stub_unmap(&t->v[i].stub, run, err);
		t->v[i].armed = TALLY_OFF;
	}
	return ret < 0 ? ret : 0;
}

/* The clock that stubs advance, by one. */
static uint64_t
tick(struct tally *t, const struct point_run *run)
{
	if (t->tick_at == 0)
		return ++t->tick;
	mem_read_all(&run->mem, t->tick_at, &t->tick, sizeof(t->tick));
	t->tick++;
	mem_write_all(&run->mem, t->tick_at, &t->tick, sizeof(t->tick));
	return t->tick;
}

static enum tally_trap
at_break(struct tally *t, const struct point_run *run, size_t i,
	 struct regs *regs, bool *out_set, size_t *which)
{
	struct tally_site *s = &t->v[i];

	*which = i;
	*out_set = regs->rip != s->pc;
	regs->rip = s->pc;
	s->seen++;
	if (t->ticks)
		s->last = tick(t, run);
	return s->stop != 0 && s->seen >= s->stop ? TALLY_AT_STOP : TALLY_PASS;
}

/* Where the program would be, when it is among the moved instructions of s; 0 =
 * it is not. A moved call pushes first (6 bytes), then jumps. */
static uint64_t
unmoved(const struct stub *s, struct regs *regs)
{
	uint64_t at = regs->rip - stub_code(s, s->moved_at);
	const struct code *end = &s->window.insn[s->window.count - 1];

	if (at > s->moved.len)
		return 0;
	for (unsigned i = 0; i < s->window.count; i++) {
		if (s->moved.at[i] == at)
			return s->window.insn[i].pc;
	}
	if ((end->flow == FLOW_CALL || end->flow == FLOW_CALL_IND) &&
	    at == s->moved.at[s->window.count - 1] + 6u) {
		regs->rsp += 8;
		return end->pc;
	}
	/* The jump back behind them. */
	return s->window.pc + s->window.len;
}

static enum tally_trap
in_stub(struct tally *t, const struct point_run *run, size_t i,
	struct regs *regs, bool *out_set, size_t *which)
{
	struct stub *s = &t->v[i].stub;
	uint64_t to;

	*which = i;
	*out_set = true;
	if (regs->rip == stub_code(s, stub_head()->hit) + 1) {
		regs->rip = s->pc;
		return TALLY_AT_STOP;
	}
	to = unmoved(s, regs);
	if (to != 0) {
		regs->rip = to;
		return TALLY_NOT_OURS;
	}
	*out_set = false;
	return TALLY_NOT_OURS;
}

enum tally_trap
tally_trap(struct tally *t, const struct point_run *run, int signo,
	   struct regs *regs, bool *out_set, size_t *which)
{
	*out_set = false;
	for (size_t i = 0; i < t->n; i++) {
		struct tally_site *s = &t->v[i];
		uint64_t to;

		if (s->armed == TALLY_STUB && stub_holds(&s->stub, regs->rip))
			return in_stub(t, run, i, regs, out_set, which);
		if (signo == 0)
			continue;
		if (signo == SIGTRAP &&
		    ((s->armed == TALLY_INT3 && regs->rip == s->pc + 1) ||
		     (s->armed == TALLY_DEBUG && regs->rip == s->pc)))
			return at_break(t, run, i, regs, out_set, which);
		if (s->armed != TALLY_STUB)
			continue;
		/* A branch into what the jump covers; int3 is reported behind
		 * itself, the others are not. */
		to = stub_redirect(&s->stub, run, regs->rip);
		if (to == 0 && signo == SIGTRAP)
			to = stub_redirect(&s->stub, run, regs->rip - 1);
		if (to == 0)
			continue;
		regs->rip = to;
		*out_set = true;
		return TALLY_GO_ON;
	}
	return TALLY_NOT_OURS;
}

bool
tally_holds(const struct tally *t, uint64_t pc)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->v[i].armed == TALLY_STUB &&
		    stub_holds(&t->v[i].stub, pc))
			return true;
	}
	return false;
}
