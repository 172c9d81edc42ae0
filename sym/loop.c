/*
 * A loop that is moved as a whole, so that nothing but what is put before one
 * of its instructions makes it slower:
 *
 *	start: a		1:     a
 *	pc:    b		entry: (what is put there)
 *	       c; jcc start	       b; c; jcc 1b
 *	end:			       jmp end
 */
#include <string.h>

#include "sym/mover.h"

/* One more instruction of the loop, at the end of what is there. */
static struct code *
add(struct loop *l, struct span code, uint64_t code_pc, uint64_t pc)
{
	struct code *c = &l->insn[l->count];
	uint64_t at = pc - code_pc;

	if (l->count == LOOP_INSNS || at >= code.len ||
	    !code_decode(span_of(code.p + at, code.len - at), pc, c))
		return NULL;
	switch ((enum code_flow)c->flow) {
	case FLOW_NEXT:
	case FLOW_JCC:
	case FLOW_LOOP:
	case FLOW_JMP:
		l->count++;
		return c;
	case FLOW_JMP_IND:
	case FLOW_CALL:
	case FLOW_CALL_IND:
	case FLOW_RET:
	case FLOW_EVENT:
		break;
	}
	return NULL;
}

/* Does a branch that is in the loop lead to pc? */
static bool
is_target(const struct loop *l, uint64_t pc)
{
	for (unsigned i = 0; i < l->count; i++)
		if (l->insn[i].target == pc)
			return true;
	return false;
}

/*
 * From pc on to the branch that leads back over it, or to it: of those that are
 * reached, the one that leads back least. At least WINDOW_JUMP bytes.
 */
static bool
add_rest(struct loop *l, struct span code, uint64_t code_pc)
{
	uint64_t start = 0, at = l->pc;
	uint8_t count = 0;

	for (const struct code *c; (c = add(l, code, code_pc, at)) != NULL;) {
		at += c->len;
		if (c->target <= l->pc && c->target > start &&
		    c->target >= code_pc) {
			start = c->target;
			count = 0;
		}
		if (start != 0 && count == 0 && at - l->pc >= WINDOW_JUMP) {
			l->start = start;
			l->end = at;
			count = l->count;
		}
		if (c->flow == FLOW_JMP && !is_target(l, at))
			break;
	}
	l->count = count;
	return count != 0;
}

bool
loop_at(struct span code, uint64_t code_pc, uint64_t pc, struct loop *out)
{
	struct loop rest = { .pc = pc };
	uint64_t at;

	*out = (struct loop){ .pc = pc };
	if (!add_rest(&rest, code, code_pc))
		return false;
	*out = (struct loop){ .pc = pc, .start = rest.start, .end = rest.end };
	for (at = rest.start; at < pc; at += out->insn[out->count - 1].len)
		if (add(out, code, code_pc, at) == NULL)
			goto none;
	if (at != pc || out->count + rest.count > LOOP_INSNS)
		goto none;
	out->first = out->count;
	memcpy(out->insn + out->count, rest.insn,
	       rest.count * sizeof(rest.insn[0]));
	out->count = (uint8_t)(out->count + rest.count);
	return true;
none:
	out->count = 0;
	return false;
}

/* Give instructions [from, to) places from where on; returns where they end. */
static uint64_t
place(struct loop *l, unsigned from, unsigned to, uint64_t where)
{
	for (unsigned i = from; i < to; i++) {
		l->where[i] = where;
		where += mover_len(&l->insn[i]);
	}
	return where;
}

/* Move instructions [from, to); behind them goes on at next, 0 = there. */
static bool
move(const struct loop *l, unsigned from, unsigned to, uint64_t entry,
     uint64_t next, struct moved_code *out)
{
	struct mover m = {
		.insn = l->insn,
		.count = l->count,
		.where = l->where,
		.pc = l->pc,
		.to = out->to,
		.entry = entry,
		.bytes = out->bytes,
		.room = LOOP_MAX,
	};

	for (unsigned i = from; i < to; i++)
		mover_put(&m, &l->insn[i]);
	if (next != 0 && from < to && mover_goes_on(&l->insn[to - 1]))
		mover_jump(&m, next);
	out->len = m.len;
	return !m.far;
}

bool
loop_move(struct loop *l, uint64_t entry, bool split, struct moved_code *first,
	  struct moved_code *rest)
{
	uint64_t end = place(l, l->first, l->count, rest->to), head;

	end += mover_goes_on(&l->insn[l->count - 1]) ? WINDOW_JUMP : 0;
	head = place(l, 0, l->first, 0);
	if (end - rest->to + head + WINDOW_JUMP > LOOP_MAX)
		return false;
	first->to = split ? end : entry - head;
	place(l, 0, l->first, first->to);
	return move(l, 0, l->first, entry, split ? entry : 0, first) &&
	       move(l, l->first, l->count, entry, l->end, rest);
}
