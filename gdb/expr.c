#include "gdb/expr.h"

#define STACK_MAX 256u
#define STEPS_MAX 10000u /* a loop that does not end is cut */

/* As gdb numbers them. */
enum op {
	OP_ADD = 0x02,
	OP_SUB,
	OP_MUL,
	OP_DIV_SIGNED,
	OP_DIV_UNSIGNED,
	OP_REM_SIGNED,
	OP_REM_UNSIGNED,
	OP_LSH,
	OP_RSH_SIGNED,
	OP_RSH_UNSIGNED,
	OP_LOG_NOT = 0x0e,
	OP_BIT_AND,
	OP_BIT_OR,
	OP_BIT_XOR,
	OP_BIT_NOT,
	OP_EQUAL,
	OP_LESS_SIGNED,
	OP_LESS_UNSIGNED,
	OP_EXT,
	OP_REF8,
	OP_REF16,
	OP_REF32,
	OP_REF64,
	OP_IF_GOTO = 0x20,
	OP_GOTO,
	OP_CONST8,
	OP_CONST16,
	OP_CONST32,
	OP_CONST64,
	OP_REG,
	OP_END,
	OP_DUP,
	OP_POP,
	OP_ZERO_EXT,
	OP_SWAP,
	OP_PICK = 0x32,
	OP_ROT,
};

struct machine {
	const struct expr_env *env;
	struct span code;
	size_t at;
	uint64_t stack[STACK_MAX];
	unsigned n;
	bool bad;
};

static uint64_t
operand(struct machine *m, unsigned bytes)
{
	uint64_t v = 0;

	if (m->code.len - m->at < bytes) {
		m->bad = true;
		return 0;
	}
	while (bytes-- > 0)
		v = v << 8 | m->code.p[m->at++];
	return v;
}

static void
push(struct machine *m, uint64_t v)
{
	if (m->n == STACK_MAX)
		m->bad = true;
	else
		m->stack[m->n++] = v;
}

static uint64_t
pop(struct machine *m)
{
	if (m->n == 0) {
		m->bad = true;
		return 0;
	}
	return m->stack[--m->n];
}

static uint64_t
shift(struct machine *m, unsigned op, uint64_t a, uint64_t b)
{
	(void)m;
	if (op == OP_RSH_SIGNED)
		return (uint64_t)((int64_t)a >> (b < 63 ? b : 63));
	if (b > 63)
		return 0;
	return op == OP_LSH ? a << b : a >> b;
}

static uint64_t
divide(struct machine *m, unsigned op, uint64_t a, uint64_t b)
{
	bool overflow = a == (uint64_t)INT64_MIN && b == UINT64_MAX;

	if (b == 0) {
		m->bad = true;
		return 0;
	}
	switch (op) {
	case OP_DIV_SIGNED:
		return overflow ? a : (uint64_t)((int64_t)a / (int64_t)b);
	case OP_REM_SIGNED:
		return overflow ? 0 : (uint64_t)((int64_t)a % (int64_t)b);
	case OP_DIV_UNSIGNED:
		return a / b;
	default:
		return a % b;
	}
}

static uint64_t
binary(struct machine *m, unsigned op)
{
	uint64_t b = pop(m), a = pop(m);

	switch (op) {
	case OP_ADD:
		return a + b;
	case OP_SUB:
		return a - b;
	case OP_MUL:
		return a * b;
	case OP_BIT_AND:
		return a & b;
	case OP_BIT_OR:
		return a | b;
	case OP_BIT_XOR:
		return a ^ b;
	case OP_EQUAL:
		return a == b;
	case OP_LESS_SIGNED:
		return (int64_t)a < (int64_t)b;
	case OP_LESS_UNSIGNED:
		return a < b;
	case OP_LSH:
	case OP_RSH_SIGNED:
	case OP_RSH_UNSIGNED:
		return shift(m, op, a, b);
	default:
		return divide(m, op, a, b);
	}
}

/* The low bits of v, as a signed or unsigned number. */
static uint64_t
extend(struct machine *m, unsigned op, uint64_t v)
{
	uint64_t bits = operand(m, 1);

	if (bits == 0 || bits >= 64)
		return v;
	v &= ((uint64_t)1 << bits) - 1;
	if (op == OP_EXT && v >> (bits - 1))
		v |= ~(((uint64_t)1 << bits) - 1);
	return v;
}

static void
reference(struct machine *m, unsigned op)
{
	uint64_t v = 0, addr = pop(m);

	if (!m->bad &&
	    !m->env->read(m->env->ctx, addr, &v, (size_t)1 << (op - OP_REF8)))
		m->bad = true;
	push(m, v);
}

static void
jump(struct machine *m, bool taken)
{
	uint64_t to = operand(m, 2);

	if (!taken)
		return;
	if (to >= m->code.len)
		m->bad = true;
	else
		m->at = to;
}

static void
order(struct machine *m, unsigned op)
{
	uint64_t n = op == OP_PICK ? operand(m, 1) : op == OP_ROT ? 2 : 1;
	uint64_t *top, v;

	if (m->bad || n >= m->n) {
		m->bad = true;
		return;
	}
	top = &m->stack[m->n - 1];
	v = top[-(int64_t)n];
	if (op == OP_PICK) {
		push(m, v);
		return;
	}
	/* a b c: c a b; a b: b a */
	v = *top;
	for (uint64_t i = 0; i < n; i++)
		top[-(int64_t)i] = top[-(int64_t)i - 1];
	top[-(int64_t)n] = v;
}

static void
load(struct machine *m, unsigned op)
{
	uint64_t v;

	if (op != OP_REG) {
		push(m, operand(m, 1u << (op - OP_CONST8)));
		return;
	}
	if (!m->env->reg(m->env->ctx, (unsigned)operand(m, 2), &v))
		m->bad = true;
	else
		push(m, v);
}

static void
step(struct machine *m, unsigned op)
{
	switch (op) {
	case OP_LOG_NOT:
		push(m, !pop(m));
		break;
	case OP_BIT_NOT:
		push(m, ~pop(m));
		break;
	case OP_EXT:
	case OP_ZERO_EXT:
		push(m, extend(m, op, pop(m)));
		break;
	case OP_REF8:
	case OP_REF16:
	case OP_REF32:
	case OP_REF64:
		reference(m, op);
		break;
	case OP_IF_GOTO:
		jump(m, pop(m) != 0);
		break;
	case OP_GOTO:
		jump(m, true);
		break;
	case OP_CONST8:
	case OP_CONST16:
	case OP_CONST32:
	case OP_CONST64:
	case OP_REG:
		load(m, op);
		break;
	case OP_DUP:
		push(m, m->n > 0 ? m->stack[m->n - 1] : pop(m));
		break;
	case OP_POP:
		pop(m);
		break;
	case OP_SWAP:
	case OP_PICK:
	case OP_ROT:
		order(m, op);
		break;
	default:
		if ((op >= OP_ADD && op <= OP_RSH_UNSIGNED) ||
		    (op >= OP_BIT_AND && op <= OP_BIT_XOR) ||
		    (op >= OP_EQUAL && op <= OP_LESS_UNSIGNED))
			push(m, binary(m, op));
		else
			m->bad = true;
	}
}

bool
expr_eval(const struct expr_env *env, struct span code, uint64_t *out)
{
	struct machine m = { .env = env, .code = code };

	for (unsigned i = 0; i < STEPS_MAX && !m.bad; i++) {
		unsigned op = (unsigned)operand(&m, 1);

		if (op == OP_END && m.n > 0 && !m.bad) {
			*out = m.stack[m.n - 1];
			return true;
		}
		if (!m.bad)
			step(&m, op);
	}
	return false;
}
