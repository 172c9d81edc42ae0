/* Instructions at another address, with the same meaning. */
#include <string.h>

#include "base/mem.h"
#include "sym/mover.h"

uint8_t
mover_len(const struct code *c)
{
	switch ((enum code_flow)c->flow) {
	case FLOW_NEXT:
	case FLOW_RET:
	case FLOW_JMP_IND:
	case FLOW_EVENT:
		break;
	case FLOW_JCC:
		return 6;
	case FLOW_LOOP:
		return (uint8_t)(c->len + 2 + 5);
	case FLOW_JMP:
		return 5;
	case FLOW_CALL:
		return 6 + 5;
	case FLOW_CALL_IND:
		return (uint8_t)(6 + c->len);
	}
	return c->len;
}

static void
put(struct mover *m, const uint8_t *p, size_t n)
{
	ASSERT(m->len + n <= m->room);
	memcpy(m->bytes + m->len, p, n);
	m->len += n;
}

static void
put_byte(struct mover *m, unsigned v)
{
	uint8_t b = (uint8_t)v;

	put(m, &b, 1);
}

/* The distance from the end of the 4 bytes at at to target. */
static void
set_rel(struct mover *m, size_t at, uint64_t end, uint64_t target)
{
	int64_t d = (int64_t)(target - end);
	int32_t rel = (int32_t)d;

	if (d != rel)
		m->far = true;
	memcpy(m->bytes + at, &rel, sizeof(rel));
}

static void
put_rel(struct mover *m, uint64_t target)
{
	static const uint8_t zero[4];
	size_t at = m->len;

	put(m, zero, sizeof(zero));
	set_rel(m, at, m->to + m->len, target);
}

void
mover_jump(struct mover *m, uint64_t target)
{
	put_byte(m, 0xe9);
	put_rel(m, target);
}

/* Where a branch leads after the move. */
static uint64_t
new_target(const struct mover *m, uint64_t target)
{
	if (target == m->pc)
		return m->entry;
	for (unsigned i = 0; i < m->count; i++)
		if (m->insn[i].pc == target)
			return m->where[i];
	return target;
}

/* As it is, but that a RIP-relative operand means the same place. */
static void
put_same(struct mover *m, const struct code *c)
{
	size_t at = m->len;
	int32_t disp;

	put(m, c->bytes, c->len);
	if (c->disp_at == 0)
		return;
	memcpy(&disp, c->bytes + c->disp_at, sizeof(disp));
	set_rel(m, at + c->disp_at, m->to + m->len,
		c->pc + c->len + (uint64_t)(int64_t)disp);
}

static void
put_call(struct mover *m, const struct code *c)
{
	uint8_t *modrm;

	m->ret = c->pc + c->len;
	put_byte(m, 0xff); /* push slot(%rip) */
	put_byte(m, 0x35);
	put_rel(m, m->slot);
	if (c->flow == FLOW_CALL) {
		put_byte(m, 0xe9);
		put_rel(m, new_target(m, c->target));
		return;
	}
	modrm = m->bytes + m->len + c->modrm_at;
	put_same(m, c);
	*modrm = (uint8_t)((*modrm & 0xc7) | 4 << 3); /* call r/m to jmp r/m */
}

/* loop, jrcxz: the short form if it reaches. */
static void
put_loop(struct mover *m, const struct code *c)
{
	static const uint8_t nop[7] = { 0x0f, 0x1f, 0x80 };
	uint64_t target = new_target(m, c->target);
	int64_t d = (int64_t)(target - (m->to + m->len + c->len));

	put(m, c->bytes, c->len - 1u);
	if (d == (int8_t)d) {
		put_byte(m, (unsigned)d & 0xff);
		put(m, nop, sizeof(nop));
		return;
	}
	put_byte(m, 2); /* over the next jump */
	put_byte(m, 0xeb);
	put_byte(m, 5);
	mover_jump(m, target);
}

void
mover_put(struct mover *m, const struct code *c)
{
	switch ((enum code_flow)c->flow) {
	case FLOW_NEXT:
	case FLOW_RET:
	case FLOW_JMP_IND:
	case FLOW_EVENT:
		put_same(m, c);
		break;
	case FLOW_JCC:
		put_byte(m, 0x0f);
		put_byte(m, 0x80u | (c->opcode & 15u));
		put_rel(m, new_target(m, c->target));
		break;
	case FLOW_LOOP:
		put_loop(m, c);
		break;
	case FLOW_JMP:
		put_byte(m, 0xe9);
		put_rel(m, new_target(m, c->target));
		break;
	case FLOW_CALL:
	case FLOW_CALL_IND:
		put_call(m, c);
		break;
	}
}

/* Does control get to what is behind it? */
bool
mover_goes_on(const struct code *c)
{
	return c->flow == FLOW_NEXT || c->flow == FLOW_JCC ||
	       c->flow == FLOW_LOOP;
}

bool
window_move(const struct window *w, uint64_t to, uint64_t entry, uint64_t slot,
	    struct moved *out)
{
	uint64_t where[WINDOW_INSNS];
	struct mover m = {
		.insn = w->insn,
		.count = w->count,
		.where = where,
		.pc = w->pc,
		.to = to,
		.entry = entry,
		.slot = slot,
		.bytes = out->bytes,
		.room = MOVED_MAX,
	};
	unsigned next = 0;

	*out = (struct moved){ 0 };
	for (unsigned i = 0; i < w->count; i++) {
		where[i] = to + next;
		out->at[i] = (uint8_t)next;
		next += mover_len(&w->insn[i]);
	}
	for (unsigned i = 0; i < w->count; i++) {
		ASSERT(to + m.len == where[i]);
		mover_put(&m, &w->insn[i]);
	}
	if (mover_goes_on(&w->insn[w->count - 1]))
		mover_jump(&m, w->pc + w->len);
	out->len = (uint8_t)m.len;
	out->ret = m.ret;
	return !m.far;
}
