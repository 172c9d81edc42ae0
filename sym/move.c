#include "sym/move.h"

#include <Zydis/Zydis.h>
#include <string.h>

#include "base/mem.h"

/* A sweep that starts this far before a place is in step when it gets there. */
#define SYNC_WINDOW 192u

static void
decoder_init(ZydisDecoder *d)
{
	ZydisDecoderInit(d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
}

static bool
is_event(const ZydisDecodedInstruction *in)
{
	switch ((int)in->mnemonic) {
	case ZYDIS_MNEMONIC_SYSCALL:
	case ZYDIS_MNEMONIC_SYSENTER:
	case ZYDIS_MNEMONIC_SYSEXIT:
	case ZYDIS_MNEMONIC_SYSRET:
	case ZYDIS_MNEMONIC_INT:
	case ZYDIS_MNEMONIC_INT1:
	case ZYDIS_MNEMONIC_INT3:
	case ZYDIS_MNEMONIC_IRET:
	case ZYDIS_MNEMONIC_IRETD:
	case ZYDIS_MNEMONIC_IRETQ:
	case ZYDIS_MNEMONIC_UD0:
	case ZYDIS_MNEMONIC_UD1:
	case ZYDIS_MNEMONIC_UD2:
	case ZYDIS_MNEMONIC_HLT:
	case ZYDIS_MNEMONIC_RDTSC:
	case ZYDIS_MNEMONIC_RDTSCP:
	case ZYDIS_MNEMONIC_RDPMC:
	case ZYDIS_MNEMONIC_RDPRU:
	case ZYDIS_MNEMONIC_CPUID:
	case ZYDIS_MNEMONIC_RDRAND:
	case ZYDIS_MNEMONIC_RDSEED:
	case ZYDIS_MNEMONIC_RDPID:
	case ZYDIS_MNEMONIC_XBEGIN:
	case ZYDIS_MNEMONIC_XABORT:
	case ZYDIS_MNEMONIC_UMWAIT:
	case ZYDIS_MNEMONIC_TPAUSE:
	case ZYDIS_MNEMONIC_MWAITX:
		return true;
	}
	return in->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;
}

static enum code_flow
flow_of(const ZydisDecodedInstruction *in)
{
	bool direct = in->raw.imm[0].is_relative && in->raw.imm[0].size != 0;

	if (is_event(in))
		return FLOW_EVENT;
	switch ((int)in->mnemonic) {
	case ZYDIS_MNEMONIC_RET:
		return FLOW_RET;
	case ZYDIS_MNEMONIC_CALL:
		return direct ? FLOW_CALL : FLOW_CALL_IND;
	case ZYDIS_MNEMONIC_JMP:
		return direct ? FLOW_JMP : FLOW_JMP_IND;
	}
	if (!direct)
		return FLOW_NEXT;
	return in->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT &&
			       in->opcode >= 0xe0 && in->opcode <= 0xe3
		       ? FLOW_LOOP
		       : FLOW_JCC;
}

/* The number of the general register that holds r, or -1. */
static int
general(ZydisRegister r)
{
	ZydisRegister full =
		ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, r);

	if (full < ZYDIS_REGISTER_RAX || full > ZYDIS_REGISTER_R15)
		return -1;
	return (int)full - ZYDIS_REGISTER_RAX;
}

static void
look_at_operands(const ZydisDecodedInstruction *in,
		 const ZydisDecodedOperand *ops, struct code *out)
{
	bool ind = out->flow == FLOW_CALL_IND || out->flow == FLOW_JMP_IND;

	for (unsigned i = 0; i < in->operand_count; i++) {
		const ZydisDecodedOperand *o = &ops[i];

		if (o->type == ZYDIS_OPERAND_TYPE_REGISTER) {
			int n = general(o->reg.value);

			if (n < 0)
				continue;
			if (o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
				out->writes |= (uint16_t)(1u << n);
			if (ind && n == 4 &&
			    o->visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT)
				out->rsp_operand = true;
		} else if (ind && o->type == ZYDIS_OPERAND_TYPE_MEMORY &&
			   o->visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT &&
			   general(o->mem.base) == 4) {
			out->rsp_operand = true;
		}
	}
}

bool
code_decode(struct span bytes, uint64_t pc, struct code *out)
{
	ZydisDecoder d;
	ZydisDecodedInstruction in;
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];

	*out = (struct code){ .pc = pc, .flow = FLOW_EVENT };
	decoder_init(&d);
	if (!ZYAN_SUCCESS(
		    ZydisDecoderDecodeFull(&d, bytes.p, bytes.len, &in, ops)))
		return false;
	out->len = in.length;
	memcpy(out->bytes, bytes.p, in.length);
	out->flow = (uint8_t)flow_of(&in);
	out->opcode = in.opcode;
	out->modrm_at = in.raw.modrm.offset;
	out->rep =
		(in.attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE |
				  ZYDIS_ATTRIB_HAS_REPNE)) != 0;
	out->gather = in.meta.category == ZYDIS_CATEGORY_GATHER ||
		      in.meta.category == ZYDIS_CATEGORY_AVX2GATHER ||
		      in.meta.category == ZYDIS_CATEGORY_SCATTER;
	out->pushf = in.mnemonic == ZYDIS_MNEMONIC_PUSHFQ ||
		     in.mnemonic == ZYDIS_MNEMONIC_PUSHF;
	out->nop = in.mnemonic == ZYDIS_MNEMONIC_NOP;
	look_at_operands(&in, ops, out);
	if (out->flow == FLOW_EVENT ||
	    (in.attributes & ZYDIS_ATTRIB_IS_RELATIVE) == 0)
		return true;
	if (in.raw.imm[0].is_relative && in.raw.imm[0].size != 0)
		out->target = pc + in.length + (uint64_t)in.raw.imm[0].value.s;
	else if (in.raw.disp.size == 32 && in.address_width == 64)
		out->disp_at = in.raw.disp.offset;
	else
		out->flow = FLOW_EVENT; /* no form that we know how to move */
	return true;
}

/* ---- windows */

/* What trails after a jump or return up to the window's end runs nowhere. */
static bool
is_padding(struct span bytes, size_t at)
{
	while (at < WINDOW_JUMP) {
		struct code c;

		if (at >= bytes.len)
			return false;
		if (bytes.p[at] == 0xcc) {
			at++;
			continue;
		}
		if (!code_decode(span_of(bytes.p + at, bytes.len - at), at,
				 &c) ||
		    !c.nop)
			return false;
		at += c.len;
	}
	return true;
}

bool
window_at(struct span bytes, uint64_t pc, struct window *out)
{
	*out = (struct window){ .pc = pc };
	while (out->len < WINDOW_JUMP) {
		struct code *c = &out->insn[out->count];
		size_t left = bytes.len - out->len;

		if (out->len >= bytes.len || out->count == WINDOW_INSNS ||
		    !code_decode(
			    span_of(bytes.p + out->len,
				    left < CODE_LEN_MAX ? left : CODE_LEN_MAX),
			    pc + out->len, c) ||
		    c->flow == FLOW_EVENT)
			return false;
		if (out->len > 0)
			out->inner |= (uint8_t)(1u << out->len);
		out->len = (uint8_t)(out->len + c->len);
		out->count++;
		switch ((enum code_flow)c->flow) {
		case FLOW_NEXT:
		case FLOW_JCC:
		case FLOW_LOOP:
		case FLOW_EVENT:
			break;
		case FLOW_JMP:
		case FLOW_JMP_IND:
		case FLOW_RET:
			return out->len >= WINDOW_JUMP ||
			       is_padding(bytes, out->len);
		case FLOW_CALL:
		case FLOW_CALL_IND:
			/* It returns behind itself: not into the jump. And
			 * the pushed address moves rsp. */
			return out->len >= WINDOW_JUMP && !c->rsp_operand;
		}
	}
	return true;
}

static bool
is_inner(const struct window *w, uint64_t addr)
{
	uint64_t n = addr - w->pc;

	return n < 8 && (w->inner >> n & 1) != 0;
}

/* Is the byte at at the first of an instruction? Decided by decoding from
 * somewhat before it. */
static bool
is_start(const ZydisDecoder *d, struct span code, size_t at)
{
	size_t from = at > SYNC_WINDOW ? at - SYNC_WINDOW : 0;

	while (from < at) {
		ZydisDecodedInstruction in;
		size_t len = 1;

		if (ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(
			    d, NULL, code.p + from, code.len - from, &in)))
			len = in.length;
		from += len;
	}
	return from == at;
}

/* Where the bytes at p, if they are a direct branch, lead to; 0 = they are
 * none. */
static uint64_t
branch_target(const uint8_t *p, size_t left, uint64_t pc)
{
	int32_t rel;

	if (left >= 2 &&
	    ((p[0] & 0xf0) == 0x70 || p[0] == 0xeb || (p[0] & 0xfc) == 0xe0))
		return pc + 2 + (uint64_t)(int64_t)(int8_t)p[1];
	if (left >= 5 && (p[0] == 0xe8 || p[0] == 0xe9)) {
		memcpy(&rel, p + 1, sizeof(rel));
		return pc + 5 + (uint64_t)(int64_t)rel;
	}
	if (left >= 6 && p[0] == 0x0f && (p[1] & 0xf0) == 0x80) {
		memcpy(&rel, p + 2, sizeof(rel));
		return pc + 6 + (uint64_t)(int64_t)rel;
	}
	return 0;
}

bool
window_has_target(const struct window *w, struct span code, uint64_t code_pc)
{
	ZydisDecoder d;

	if (w->inner == 0)
		return false;
	decoder_init(&d);
	for (size_t at = 0; at < code.len; at++) {
		uint64_t pc = code_pc + at;

		if (pc - w->pc < w->len)
			continue;
		if (is_inner(w,
			     branch_target(code.p + at, code.len - at, pc)) &&
		    is_start(&d, code, at))
			return true;
	}
	return false;
}

bool
window_next(struct span bytes, uint64_t pc, struct window *out)
{
	size_t at = 0;

	while (at < bytes.len) {
		struct span rest = span_of(bytes.p + at, bytes.len - at);
		struct code c;

		if (window_at(rest, pc + at, out))
			return true;
		if (!code_decode(rest, pc + at, &c) || c.flow == FLOW_EVENT ||
		    c.flow == FLOW_JMP || c.flow == FLOW_JMP_IND ||
		    c.flow == FLOW_RET)
			return false;
		at += c.len;
	}
	return false;
}

int
window_trap_byte(unsigned i)
{
	/* int3; what 64-bit mode took away (SIGILL); what needs privileges
	 * (SIGSEGV). Not 62, c4, c5 and d5: they begin newer instructions. */
	static const uint8_t v[] = { 0xcc, 0xce, 0xd4, 0xd6, 0xea, 0xf4,
				     0xfa, 0xfb, 0xec, 0xed, 0xee, 0xef,
				     0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e,
				     0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x60,
				     0x61, 0x6c, 0x6d, 0x6e, 0x6f };

	return i < ARRAY_LEN(v) ? v[i] : -1;
}

/* ---- flags */

#define ARITHMETIC                                                             \
	(ZYDIS_CPUFLAG_CF | ZYDIS_CPUFLAG_PF | ZYDIS_CPUFLAG_AF |              \
	 ZYDIS_CPUFLAG_ZF | ZYDIS_CPUFLAG_SF | ZYDIS_CPUFLAG_OF)
#define WAYS_MAX 16u  /* branches not followed yet */
#define WAY_INSNS 48u /* on all ways together */

/* A place from where some flags still hold what they held in the beginning. */
struct way {
	uint64_t pc;
	uint32_t flags;
};

/* May leave all flags as they are (a count of zero). */
static bool
may_not_write(const ZydisDecodedInstruction *in)
{
	switch ((int)in->mnemonic) {
	case ZYDIS_MNEMONIC_SHL:
	case ZYDIS_MNEMONIC_SHR:
	case ZYDIS_MNEMONIC_SAR:
	case ZYDIS_MNEMONIC_ROL:
	case ZYDIS_MNEMONIC_ROR:
	case ZYDIS_MNEMONIC_RCL:
	case ZYDIS_MNEMONIC_RCR:
	case ZYDIS_MNEMONIC_SHLD:
	case ZYDIS_MNEMONIC_SHRD:
		return true;
	}
	return (in->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE |
				  ZYDIS_ATTRIB_HAS_REPNE)) != 0;
}

/* Of flags, those that still hold after the instruction. */
static uint32_t
flags_after(const ZydisDecodedInstruction *in, uint32_t flags)
{
	const ZydisAccessedFlags *f = in->cpu_flags;
	uint32_t written;

	if (f == NULL || may_not_write(in))
		return flags;
	written = f->modified | f->set_0 | f->set_1;
	switch ((int)in->mnemonic) {
	case ZYDIS_MNEMONIC_AND:
	case ZYDIS_MNEMONIC_OR:
	case ZYDIS_MNEMONIC_XOR:
	case ZYDIS_MNEMONIC_TEST:
		written |= ZYDIS_CPUFLAG_AF; /* "undefined": zero */
		break;
	}
	return flags & ~written;
}

/* One step along a way; other: where a branch leads, pc 0 = none. False: the
 * flags are read, or may be. */
static bool
follow(const ZydisDecoder *d, struct span code, uint64_t code_pc, struct way *w,
       struct way *other)
{
	uint64_t at = w->pc - code_pc;
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction in;

	*other = (struct way){ 0 };
	if (at >= code.len || !ZYAN_SUCCESS(ZydisDecoderDecodeFull(
				      d, code.p + at, code.len - at, &in, ops)))
		return false;
	if (in.cpu_flags != NULL && (in.cpu_flags->tested & w->flags) != 0)
		return false;
	w->flags = flags_after(&in, w->flags);
	w->pc += in.length;
	switch (flow_of(&in)) {
	case FLOW_NEXT:
		return true;
	case FLOW_JCC:
	case FLOW_LOOP:
		other->pc = w->pc + (uint64_t)in.raw.imm[0].value.s;
		other->flags = w->flags;
		return true;
	case FLOW_JMP:
		w->pc += (uint64_t)in.raw.imm[0].value.s;
		return true;
	case FLOW_JMP_IND:
	case FLOW_CALL:
	case FLOW_CALL_IND:
	case FLOW_RET:
	case FLOW_EVENT:
		break;
	}
	return false;
}

/* Was it followed before, with the same flags or more? */
static bool
is_seen(const struct way *seen, unsigned n, const struct way *w)
{
	for (unsigned i = 0; i < n; i++)
		if (seen[i].pc == w->pc && (w->flags & ~seen[i].flags) == 0)
			return true;
	return false;
}

bool
code_flags_dead(struct span code, uint64_t code_pc, uint64_t pc)
{
	struct way ways[WAYS_MAX] = { { pc, ARITHMETIC } };
	struct way seen[WAY_INSNS];
	unsigned n = 1, insns = 0;
	ZydisDecoder d;

	decoder_init(&d);
	while (n > 0) {
		struct way w = ways[--n], other;

		while (w.flags != 0 && !is_seen(seen, insns, &w)) {
			if (insns == WAY_INSNS)
				return false;
			seen[insns++] = w;
			if (!follow(&d, code, code_pc, &w, &other))
				return false;
			if (other.flags == 0)
				continue;
			if (n == WAYS_MAX)
				return false;
			ways[n++] = other;
		}
	}
	return true;
}
