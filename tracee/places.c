#include "tracee/places.h"

#include <string.h>

#include "sym/move.h"
#include "sym/operand.h"
#include "tracee/memcode.h"

#define FOLLOW_MAX 8u	   /* functions */
#define FUNCTION_MAX 1024u /* bytes of each */
#define WAYS_MAX 24u
#define WAY_BYTES 128u
#define RED_ZONE 128u
#define STACK_NEAR 16384u /* above rsp: the frames of its own */

#define OP_LEA 0x8d
#define PREFIX_LOCK 0xf0
#define REX 0x40
#define REX_B 1

/* Weights: globals are shared more often than what a pointer points to, and
 * before a store is after a load, most of the time. */
#define W_CALL 1u
#define W_POINTER 2u
#define W_GLOBAL 3u
#define W_LOCKED 8u
#define W_STORE 3u /* times as much */
#define W_LOOP 3u

/* The prefix bytes of an instruction; *rex: the last of them, if it is one. */
static bool
is_locked(const struct code *c, uint8_t *rex)
{
	bool locked = false;

	*rex = 0;
	for (unsigned i = 0; i < c->modrm_at && i < c->len; i++) {
		uint8_t b = c->bytes[i];

		if ((b & 0xf0) == REX) {
			*rex = b;
			break;
		}
		if (b != PREFIX_LOCK && b != 0x66 && b != 0xf2 && b != 0xf3 &&
		    b != 0x64 && b != 0x65)
			break;
		locked |= b == PREFIX_LOCK;
	}
	return locked;
}

/* 0: no memory, or its own stack. */
static uint32_t
weight_of_operand(const struct code *c, uint8_t rex)
{
	uint8_t modrm = c->bytes[c->modrm_at];
	unsigned mod = modrm >> 6, rm = modrm & 7, base;
	bool high = (rex & REX_B) != 0;

	if (mod == 3)
		return 0;
	if (rm == 5 && mod == 0)
		return W_GLOBAL; /* by rip */
	if (rm == 4) {
		base = c->modrm_at + 1u < c->len ? c->bytes[c->modrm_at + 1] & 7
						 : 0;
		if (base == 5 && mod == 0)
			return W_GLOBAL;
		return base == 4 && !high ? 0 : W_POINTER;
	}
	return rm == 5 && !high ? 0 : W_POINTER;
}

/* It stores to its operand, which is memory. Opcodes: Intel's manual, volume
 * 2D. */
static bool
is_store(const struct code *c)
{
	static const uint8_t one[] = {
		0x00, 0x01, 0x08, 0x09, 0x10, 0x11, 0x18, 0x19, 0x20,
		0x21, 0x28, 0x29, 0x30, 0x31, 0x86, 0x87, 0x88, 0x89,
		0xc6, 0xc7, 0xd0, 0xd1, 0xd2, 0xd3, 0xfe, 0xff,
	};
	static const uint8_t two[] = { 0x11, 0x29, 0x7f, 0xb0, 0xb1, 0xc0,
				       0xc1, 0xd6, 0xe7, 0x2b, 0xc3, 0xc7 };
	bool is_two = c->modrm_at >= 2 && c->bytes[c->modrm_at - 2] == 0x0f;
	unsigned reg = c->bytes[c->modrm_at] >> 3 & 7;

	if (is_two)
		return memchr(two, c->opcode, sizeof(two)) != NULL;
	if (c->opcode == 0x80 || c->opcode == 0x81 || c->opcode == 0x83)
		return reg != 7; /* cmp */
	if (c->opcode == 0xff && reg > 1)
		return false; /* call, jmp, push */
	return memchr(one, c->opcode, sizeof(one)) != NULL;
}

static uint32_t
weight_of(const struct code *c)
{
	uint32_t weight;
	bool locked;
	uint8_t rex;

	if (c->flow == FLOW_CALL || c->flow == FLOW_CALL_IND)
		return W_CALL;
	/* 00 00 is padding rather than code */
	if (c->flow != FLOW_NEXT || c->modrm_at == 0 || c->nop || c->rep ||
	    c->gather || c->opcode == OP_LEA ||
	    (c->bytes[0] == 0 && c->bytes[1] == 0))
		return 0;
	locked = is_locked(c, &rex);
	weight = weight_of_operand(c, rex);
	if (weight != 0 && locked)
		return W_LOCKED;
	return is_store(c) ? weight * W_STORE : weight;
}

static void
add(struct places *p, const struct code *c)
{
	uint32_t weight = weight_of(c);

	if (weight == 0 || p->len == PLACES_MAX)
		return;
	for (size_t i = 0; i < p->len; i++)
		if (p->v[i].pc == c->pc)
			return;
	p->v[p->len++] = (struct place){ .pc = c->pc, .weight = weight };
	p->weight += weight;
}

void
places_find(struct span code, uint64_t pc, struct places *out)
{
	size_t at = 0;

	while (at < code.len) {
		struct code c;

		if (!code_decode(span_of(code.p + at, code.len - at), pc + at,
				 &c)) {
			at++;
			continue;
		}
		add(out, &c);
		at += c.len;
	}
}

static bool
has(const struct places *p, uint64_t pc)
{
	for (size_t i = 0; i < p->len; i++)
		if (p->v[i].pc == pc)
			return true;
	return false;
}

void
places_without(struct places *p, const struct places *other)
{
	for (size_t i = 0; i < p->len;) {
		if (!has(other, p->v[i].pc)) {
			i++;
			continue;
		}
		p->weight -= p->v[i].weight;
		p->v[i] = p->v[--p->len];
	}
}

/* What follows from here on, function by function. */
struct follow {
	const struct mem *m;
	const struct places_ops *ops;
	struct places *out;
	uint64_t todo[FOLLOW_MAX]; /* where functions begin */
	uint64_t from[FOLLOW_MAX]; /* what calls them, 0 = nothing known */
	size_t n, done;
	uint64_t end; /* the last instruction of what was swept */
};

static void
follow_call(struct follow *f, uint64_t from, uint64_t to)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->todo[i] == to)
			return;
	if (f->n == FOLLOW_MAX || !f->ops->wanted(f->ops->ctx, to))
		return;
	f->from[f->n] = from;
	f->todo[f->n++] = to;
}

static void
mark_loop(struct places *p, uint64_t from, uint64_t to)
{
	for (size_t i = 0; i < p->len; i++)
		if (!p->v[i].loop && p->v[i].pc >= from && p->v[i].pc <= to) {
			p->v[i].loop = true;
			p->weight += p->v[i].weight * (W_LOOP - 1);
			p->v[i].weight *= W_LOOP;
		}
}

static bool
is_in_loop(const struct places *p, uint64_t pc)
{
	for (size_t i = 0; i < p->len; i++)
		if (p->v[i].pc == pc)
			return p->v[i].loop;
	return false;
}

/* Straight on from pc, until nothing is known to come behind. Returns the
 * lowest address that is branched back to, or pc. */
static uint64_t
sweep(struct follow *f, uint64_t pc)
{
	uint64_t lowest = pc, furthest = pc;
	uint8_t bytes[FUNCTION_MAX];
	ssize_t n = mem_read(f->m, pc, bytes, sizeof(bytes));
	struct code c;

	for (ssize_t at = 0; at < n; at += c.len) {
		if (!code_decode(span_of(bytes + at, (size_t)(n - at)),
				 pc + (uint64_t)at, &c))
			break;
		add(f->out, &c);
		if (c.flow == FLOW_CALL) {
			follow_call(f, c.pc, c.target);
		} else if (c.flow == FLOW_JCC || c.flow == FLOW_LOOP ||
			   c.flow == FLOW_JMP) {
			bool near = c.target - pc < FUNCTION_MAX ||
				    pc - c.target < FUNCTION_MAX;

			if (c.target > furthest && near)
				furthest = c.target;
			if (c.target <= c.pc && near) {
				mark_loop(f->out, c.target, c.pc);
				lowest = c.target < lowest ? c.target : lowest;
			}
		}
		f->end = c.pc;
		if ((c.flow == FLOW_RET || c.flow == FLOW_JMP ||
		     c.flow == FLOW_JMP_IND) &&
		    c.pc >= furthest)
			break;
	}
	return lowest;
}

void
places_follow(const struct mem *m, uint64_t pc, const struct places_ops *ops,
	      struct places *out)
{
	struct follow f = { .m = m, .ops = ops, .out = out };

	follow_call(&f, 0, pc);
	while (f.done < f.n) {
		uint64_t from = f.todo[f.done];
		bool loop = is_in_loop(out, f.from[f.done++]);
		uint64_t lowest = sweep(&f, from);

		if (lowest < from)
			sweep(&f, lowest);
		if (loop)
			mark_loop(out, from, f.end);
	}
}

uint32_t
places_weight(const struct mem *m, uint64_t pc)
{
	struct code c;

	return mem_code(m, pc, &c) ? weight_of(&c) : 0;
}

bool
places_access(const struct mem *m, const struct regs *regs, struct access *out)
{
	uint8_t bytes[CODE_LEN_MAX];
	ssize_t n = mem_read(m, regs->rip, bytes, sizeof(bytes));
	struct operand o;
	struct code c;

	*out = (struct access){ .pc = regs->rip };
	if (n <= 0)
		return false;
	if (!code_decode(span_of(bytes, (size_t)n), regs->rip, &c) ||
	    !operand_find(span_of(bytes, (size_t)n), regs, &o))
		return true;
	out->weight = weight_of(&c);
	if (c.flow == FLOW_CALL_IND) {
		out->target = o.target;
		if (o.indirect)
			mem_read(m, o.addr, &out->target, sizeof(out->target));
		return true;
	}
	if (c.flow == FLOW_CALL)
		return true;
	out->addr = o.addr;
	out->size = o.size;
	out->read = o.read;
	out->write = o.write;
	out->private =
		o.private || o.addr - (regs->rsp - RED_ZONE) < STACK_NEAR;
	out->compares = o.compares;
	out->expect = o.expect;
	return true;
}

/* Ways on, each up to the first place on it. */
struct ways {
	const struct mem *m;
	const struct places_ops *ops;
	const uint64_t *ret;
	unsigned n_ret;
	uint64_t todo[WAYS_MAX];
	unsigned depth[WAYS_MAX]; /* returns on the way; n_ret: in a callee */
	unsigned n;
	uint64_t *out;
	unsigned found, max;
};

static void
way_to(struct ways *w, uint64_t pc, unsigned depth)
{
	for (unsigned i = 0; i < w->n; i++)
		if (w->todo[i] == pc)
			return;
	if (w->n == WAYS_MAX || !w->ops->wanted(w->ops->ctx, pc))
		return;
	w->depth[w->n] = depth;
	w->todo[w->n++] = pc;
}

/* Where it goes on from c but straight on; true: straight on, too. */
static bool
branch(struct ways *w, const struct code *c, unsigned depth)
{
	switch ((enum code_flow)c->flow) {
	case FLOW_JCC:
	case FLOW_LOOP:
		way_to(w, c->target, depth);
		return true;
	case FLOW_CALL:
		way_to(w, c->target, w->n_ret);
		return true;
	case FLOW_JMP:
		way_to(w, c->target, depth);
		return false;
	case FLOW_RET:
		if (depth < w->n_ret)
			way_to(w, w->ret[depth], depth + 1);
		return false;
	case FLOW_JMP_IND:
		return false;
	case FLOW_NEXT:
	case FLOW_CALL_IND:
	case FLOW_EVENT:
		return true;
	}
	return false;
}

/* Along the way from pc; first: the instruction there is no place. */
static void
walk_way(struct ways *w, uint64_t pc, unsigned depth, bool first)
{
	uint8_t bytes[WAY_BYTES];
	ssize_t n = mem_read(w->m, pc, bytes, sizeof(bytes));
	struct code c;

	for (ssize_t at = 0; at < n; at += c.len) {
		uint64_t here = pc + (uint64_t)at;

		if (!code_decode(span_of(bytes + at, (size_t)(n - at)), here,
				 &c))
			return;
		if (weight_of(&c) != 0 && !first) {
			for (unsigned i = 0; i < w->found; i++)
				if (w->out[i] == here)
					return;
			if (w->found < w->max)
				w->out[w->found++] = here;
			return;
		}
		first = false;
		if (!branch(w, &c, depth))
			return;
	}
}

unsigned
places_next(const struct mem *m, const struct places_from *from,
	    const struct places_ops *ops, uint64_t *out, unsigned max)
{
	struct ways w = { .m = m,
			  .ops = ops,
			  .ret = from->ret,
			  .n_ret = from->n_ret,
			  .out = out,
			  .max = max };

	if (from->target != 0)
		way_to(&w, from->target, w.n_ret);
	walk_way(&w, from->pc, 0, !from->here);
	for (unsigned i = 0; i < w.n && w.found < max; i++)
		walk_way(&w, w.todo[i], w.depth[i], false);
	return w.found;
}
