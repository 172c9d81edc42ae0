/* Where an object is: the stack machine of DWARF expressions (DWARF 5, 2.5). */
#include "sym/dwarf.h"

#include "sym/lines.h"

#include <stdlib.h>
#include <string.h>

#define STACK_MAX 64u
#define STEPS_MAX 2000u /* of an expression with branches */
#define DWARF_RSP 7u
#define DWARF_RA 16u
#define DWARF_XMM0 17u
#define XSTATE_XMM0 160u /* XSAVE's legacy area, Intel SDM 1, 13.4.1 */

struct machine {
	const struct scope *sc;
	Dwarf_Attribute *attr;
	uint64_t stack[STACK_MAX];
	unsigned depth;
	bool failed;
	bool value;	   /* the top is the object itself (stack_value) */
	const uint8_t *in; /* the object's bytes: registers, constants */
	size_t in_len;
};

/* Offsets in struct regs of DWARF's numbers 0..16, System V ABI for x86-64. */
static const size_t reg_offsets[] = {
	offsetof(struct regs, rax), offsetof(struct regs, rdx),
	offsetof(struct regs, rcx), offsetof(struct regs, rbx),
	offsetof(struct regs, rsi), offsetof(struct regs, rdi),
	offsetof(struct regs, rbp), offsetof(struct regs, rsp),
	offsetof(struct regs, r8),  offsetof(struct regs, r9),
	offsetof(struct regs, r10), offsetof(struct regs, r11),
	offsetof(struct regs, r12), offsetof(struct regs, r13),
	offsetof(struct regs, r14), offsetof(struct regs, r15),
	offsetof(struct regs, rip),
};

/* In outer frames only what callees keep is known. */
static bool
is_kept(uint64_t reg)
{
	return reg == 3 || reg == 6 || reg == DWARF_RSP ||
	       (reg >= 12 && reg <= DWARF_RA);
}

static const uint8_t *
reg_bytes(const struct scope *sc, uint64_t reg, size_t *len)
{
	const struct sym_frame *f = sc->frame;

	if (!f || (f->outer && !is_kept(reg)))
		return NULL;
	if (reg < ARRAY_LEN(reg_offsets)) {
		*len = sizeof(uint64_t);
		return (const uint8_t *)&f->regs + reg_offsets[reg];
	}
	if (reg >= DWARF_XMM0 && reg < DWARF_XMM0 + 16) {
		size_t at = XSTATE_XMM0 + (reg - DWARF_XMM0) * 16;

		*len = 16;
		return f->xstate.len >= at + 16 ? f->xstate.p + at : NULL;
	}
	return NULL;
}

static void
push(struct machine *m, uint64_t v)
{
	if (m->depth == STACK_MAX)
		m->failed = true;
	else
		m->stack[m->depth++] = v;
}

static uint64_t
pop(struct machine *m)
{
	if (!m->depth) {
		m->failed = true;
		return 0;
	}
	return m->stack[--m->depth];
}

static void
push_reg(struct machine *m, uint64_t reg, uint64_t offset)
{
	size_t len;
	const uint8_t *p = reg_bytes(m->sc, reg, &len);
	uint64_t v = 0;

	if (!p) {
		m->failed = true;
		return;
	}
	memcpy(&v, p, sizeof(v));
	push(m, v + offset);
}

static void
push_memory(struct machine *m, uint64_t addr, size_t len)
{
	uint64_t v = 0;

	if (len > sizeof(v) ||
	    symbols_read(m->sc->s, addr, &v, len) != (int64_t)len)
		m->failed = true;
	push(m, v);
}

static bool run(struct machine *m, const Dwarf_Op *op, size_t n);

/* DW_AT_frame_base: a register means its value here, not the register. */
static void
push_frame_base(struct machine *m, uint64_t offset)
{
	struct machine sub = { .sc = m->sc };
	Dwarf_Die function = m->sc->function;
	Dwarf_Attribute attr;
	Dwarf_Op *ops;
	size_t n;

	m->failed = true;
	if (!m->sc->frame || !function.addr ||
	    !dwarf_attr_integrate(&function, DW_AT_frame_base, &attr) ||
	    dwarf_getlocation_addr(&attr, m->sc->frame->at - m->sc->bias, &ops,
				   &n, 1) != 1)
		return;
	sub.attr = &attr;
	if (!run(&sub, ops, n))
		return;
	m->failed = false;
	if (sub.in) {
		uint64_t v = 0;

		memcpy(&v, sub.in, sub.in_len < 8 ? sub.in_len : 8);
		push(m, v + offset);
	} else {
		push(m, pop(&sub) + offset);
	}
}

/* The main program's thread-local storage ends where fs points. */
static void
push_tls(struct machine *m, uint64_t offset)
{
	uint64_t size;

	if (!m->sc->frame || !symbols_tls_size(m->sc->m, &size))
		m->failed = true;
	else
		push(m, m->sc->frame->regs.fs_base - size + offset);
}

static void
binary(struct machine *m, uint8_t atom)
{
	uint64_t b = pop(m), a = pop(m);
	int64_t sa = (int64_t)a, sb = (int64_t)b;

	switch (atom) {
	case DW_OP_and:
		push(m, a & b);
		return;
	case DW_OP_or:
		push(m, a | b);
		return;
	case DW_OP_xor:
		push(m, a ^ b);
		return;
	case DW_OP_plus:
		push(m, a + b);
		return;
	case DW_OP_minus:
		push(m, a - b);
		return;
	case DW_OP_mul:
		push(m, a * b);
		return;
	case DW_OP_shl:
		push(m, b < 64 ? a << b : 0);
		return;
	case DW_OP_shr:
		push(m, b < 64 ? a >> b : 0);
		return;
	case DW_OP_shra:
		push(m, (uint64_t)(sa >> (b < 63 ? b : 63)));
		return;
	case DW_OP_eq:
		push(m, a == b);
		return;
	case DW_OP_ne:
		push(m, a != b);
		return;
	case DW_OP_lt:
		push(m, sa < sb);
		return;
	case DW_OP_le:
		push(m, sa <= sb);
		return;
	case DW_OP_gt:
		push(m, sa > sb);
		return;
	case DW_OP_ge:
		push(m, sa >= sb);
		return;
	default:
		break;
	}
	if (!b || (sa == INT64_MIN && sb == -1)) {
		m->failed = true;
		return;
	}
	push(m, atom == DW_OP_div ? (uint64_t)(sa / sb) : a % b);
}

static void
stack_op(struct machine *m, const Dwarf_Op *op)
{
	uint64_t n = op->atom == DW_OP_over  ? 1
		     : op->atom == DW_OP_dup ? 0
					     : op->number;
	uint64_t *top;

	switch (op->atom) {
	case DW_OP_drop:
		pop(m);
		return;
	case DW_OP_dup:
	case DW_OP_over:
	case DW_OP_pick:
		if (n >= m->depth)
			m->failed = true;
		else
			push(m, m->stack[m->depth - 1 - n]);
		return;
	default:
		break;
	}
	n = op->atom == DW_OP_rot ? 3 : 2;
	if (m->depth < n) {
		m->failed = true;
		return;
	}
	/* the top goes under the n - 1 others */
	top = &m->stack[m->depth - n];
	uint64_t last = top[n - 1];

	memmove(top + 1, top, (n - 1) * sizeof(*top));
	top[0] = last;
}

static bool
constant(struct machine *m, const Dwarf_Op *op)
{
	Dwarf_Attribute attr;
	Dwarf_Addr addr;

	switch (op->atom) {
	case DW_OP_addr:
		push(m, op->number + m->sc->bias);
		return true;
	case DW_OP_addrx:
	case DW_OP_GNU_addr_index:
		if (dwarf_getlocation_attr(m->attr, op, &attr) ||
		    dwarf_formaddr(&attr, &addr))
			m->failed = true;
		else
			push(m, addr + m->sc->bias);
		return true;
	case DW_OP_const1u:
	case DW_OP_const1s:
	case DW_OP_const2u:
	case DW_OP_const2s:
	case DW_OP_const4u:
	case DW_OP_const4s:
	case DW_OP_const8u:
	case DW_OP_const8s:
	case DW_OP_constu:
	case DW_OP_consts:
		push(m, op->number);
		return true;
	default:
		break;
	}
	if (op->atom >= DW_OP_lit0 && op->atom <= DW_OP_lit31)
		push(m, op->atom - DW_OP_lit0);
	else if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31)
		push_reg(m, op->atom - DW_OP_breg0, op->number);
	else if (op->atom == DW_OP_bregx)
		push_reg(m, op->number, op->number2);
	else
		return false;
	return true;
}

/* The object is in a register or in the expression itself. */
static bool
direct(struct machine *m, const Dwarf_Op *op)
{
	Dwarf_Block block;
	uint64_t reg = op->number; /* of DW_OP_regx */

	if (op->atom >= DW_OP_reg0 && op->atom <= DW_OP_reg31)
		reg = op->atom - DW_OP_reg0;
	else if (op->atom != DW_OP_regx && op->atom != DW_OP_implicit_value)
		return false;
	if (op->atom == DW_OP_implicit_value) {
		if (dwarf_getlocation_implicit_value(m->attr, op, &block)) {
			m->failed = true;
			return true;
		}
		m->in = block.data;
		m->in_len = block.length;
		return true;
	}
	m->in = reg_bytes(m->sc, reg, &m->in_len);
	m->failed |= !m->in;
	return true;
}

static void
one(struct machine *m, const Dwarf_Op *op)
{
	switch (op->atom) {
	case DW_OP_nop:
		return;
	case DW_OP_fbreg:
		push_frame_base(m, op->number);
		return;
	case DW_OP_call_frame_cfa:
		m->failed |= !m->sc->frame || !m->sc->frame->cfa;
		push(m, m->sc->frame ? m->sc->frame->cfa : 0);
		return;
	case DW_OP_deref:
		push_memory(m, pop(m), 8);
		return;
	case DW_OP_deref_size:
		push_memory(m, pop(m), op->number);
		return;
	case DW_OP_plus_uconst:
		push(m, pop(m) + op->number);
		return;
	case DW_OP_neg:
		push(m, -pop(m));
		return;
	case DW_OP_not:
		push(m, ~pop(m));
		return;
	case DW_OP_abs: {
		int64_t v = (int64_t)pop(m);

		push(m, v < 0 ? -(uint64_t)v : (uint64_t)v);
		return;
	}
	case DW_OP_stack_value:
		m->value = true;
		return;
	case DW_OP_form_tls_address:
	case DW_OP_GNU_push_tls_address:
		push_tls(m, pop(m));
		return;
	case DW_OP_drop:
	case DW_OP_dup:
	case DW_OP_over:
	case DW_OP_pick:
	case DW_OP_swap:
	case DW_OP_rot:
		stack_op(m, op);
		return;
	default:
		break;
	}
	if (constant(m, op) || direct(m, op))
		return;
	if ((op->atom >= DW_OP_and && op->atom <= DW_OP_xor) ||
	    (op->atom >= DW_OP_eq && op->atom <= DW_OP_ne))
		binary(m, op->atom);
	else
		m->failed = true; /* entry values, typed operations, ... */
}

static size_t
find_offset(const Dwarf_Op *op, size_t n, uint64_t offset)
{
	size_t i = 0;

	while (i < n && op[i].offset != offset)
		i++;
	return i;
}

/* Operations up to the end or the first piece; false: no answer. */
static bool
run(struct machine *m, const Dwarf_Op *op, size_t n)
{
	unsigned steps = 0;

	for (size_t i = 0; i < n && !m->failed; i++) {
		bool jump = op[i].atom == DW_OP_skip;

		if (++steps > STEPS_MAX)
			return false;
		if (op[i].atom == DW_OP_bra)
			jump = pop(m) != 0;
		else if (op[i].atom != DW_OP_skip)
			one(m, &op[i]);
		/* relative to the next operation: a branch is 3 bytes */
		if (jump)
			i = find_offset(op, n,
					op[i].offset + 3 + op[i].number) -
			    1;
	}
	return !m->failed && (m->in || m->depth);
}

static struct loc
result(struct machine *m)
{
	struct loc l = { 0 };

	if (m->in) {
		l = (struct loc){ LOC_BYTES, 0, m->in, m->in_len };
	} else if (m->value) {
		uint64_t v = pop(m);

		l.bytes = arena_dup(m->sc->a, &v, sizeof(v));
		l.len = sizeof(v);
		l.kind = LOC_BYTES;
	} else {
		l.addr = pop(m);
		l.kind = LOC_MEMORY;
	}
	return l;
}

/* An object in pieces, put together; all of them must be somewhere. */
static struct loc
pieces(const struct scope *sc, Dwarf_Attribute *attr, const Dwarf_Op *op,
       size_t n)
{
	struct buf all = { 0 };
	struct loc out = { 0 };
	size_t from = 0;

	for (size_t i = 0; i < n; i++) {
		struct machine m = { .sc = sc, .attr = attr };
		struct loc l;
		uint8_t *to;

		if (op[i].atom != DW_OP_piece)
			continue;
		if (op[i].number > 4096 || i == from ||
		    !run(&m, op + from, i - from))
			goto none;
		l = result(&m);
		to = buf_grow(&all, op[i].number);
		if (!loc_read(sc, &l, 0, to, op[i].number))
			goto none;
		from = i + 1;
	}
	out = (struct loc){ LOC_BYTES, 0, arena_dup(sc->a, all.p, all.len),
			    all.len };
none:
	buf_free(&all);
	return out;
}

struct loc
location_of(const struct scope *sc, Dwarf_Attribute *attr)
{
	struct machine m = { .sc = sc, .attr = attr };
	uint64_t at = sc->frame ? sc->frame->at - sc->bias : 0;
	Dwarf_Op *op;
	size_t n;

	if (dwarf_getlocation_addr(attr, at, &op, &n, 1) != 1 || !n)
		return (struct loc){ 0 };
	for (size_t i = 0; i < n; i++)
		if (op[i].atom == DW_OP_piece || op[i].atom == DW_OP_bit_piece)
			return pieces(sc, attr, op, n);
	return run(&m, op, n) ? result(&m) : (struct loc){ 0 };
}

bool
loc_read(const struct scope *sc, const struct loc *l, uint64_t offset,
	 void *out, size_t len)
{
	switch (l->kind) {
	case LOC_MEMORY:
		return symbols_read(sc->s, l->addr + offset, out, len) ==
		       (int64_t)len;
	case LOC_BYTES:
		if (offset > l->len || len > l->len - offset)
			return false;
		memcpy(out, l->bytes + offset, len);
		return true;
	case LOC_NONE:
		break;
	}
	return false;
}

struct loc
loc_part(const struct loc *l, uint64_t offset)
{
	struct loc p = *l;

	if (l->kind == LOC_MEMORY) {
		p.addr += offset;
	} else if (l->kind == LOC_BYTES) {
		if (offset > l->len)
			return (struct loc){ 0 };
		p.bytes += offset;
		p.len -= offset;
	}
	return p;
}

/* ---- frames */

static Dwarf_Frame *
find_frame(const struct sym_module *m, uint64_t pc)
{
	Dwarf_Frame *frame = NULL;
	Dwarf_Addr bias;
	Dwarf_CFI *cfi = dwfl_module_eh_cfi(m->dwfl, &bias);

	if (cfi && dwarf_cfi_addrframe(cfi, pc - bias, &frame) == 0)
		return frame;
	cfi = dwfl_module_dwarf_cfi(m->dwfl, &bias);
	if (cfi && dwarf_cfi_addrframe(cfi, pc - bias, &frame) == 0)
		return frame;
	return NULL;
}

bool
symbols_frame(struct symbols *s, const struct regs *regs, uint64_t *cfa,
	      uint64_t *caller)
{
	struct sym_frame f = { .pc = regs->rip,
			       .at = regs->rip,
			       .regs = *regs };
	struct scope sc = { .s = s, .frame = &f };
	struct machine m = { .sc = &sc };
	Dwarf_Op *ops, mem[3];
	Dwarf_Frame *frame;
	bool signal = true, ok;
	size_t n;

	sc.m = symbols_module(s, regs->rip);
	frame = sc.m && sc.m->dwfl ? find_frame(sc.m, regs->rip) : NULL;
	if (!frame)
		return false;
	dwarf_frame_info(frame, NULL, NULL, &signal);
	ok = !signal && dwarf_frame_cfa(frame, &ops, &n) == 0 &&
	     run(&m, ops, n);
	*cfa = ok ? pop(&m) : 0;
	*caller = 0;
	/* Without a rule for it nobody has called this. */
	if (ok && dwarf_frame_register(frame, DWARF_RA, mem, &ops, &n) == 0 &&
	    n > 0)
		symbols_read(s, *cfa - 8, caller, sizeof(*caller));
	free(frame);
	return ok;
}
