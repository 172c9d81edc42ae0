#include "sym/operand.h"

#include <Zydis/Zydis.h>

static void
registers(const struct regs *r, ZydisRegisterContext *out)
{
	const uint64_t general[] = {
		r->rax, r->rcx, r->rdx, r->rbx, r->rsp, r->rbp, r->rsi, r->rdi,
		r->r8,	r->r9,	r->r10, r->r11, r->r12, r->r13, r->r14, r->r15,
	};

	*out = (ZydisRegisterContext){ 0 };
	for (unsigned i = 0; i < 16; i++)
		out->values[ZYDIS_REGISTER_RAX + i] = general[i];
	out->values[ZYDIS_REGISTER_RIP] = r->rip;
}

static bool
is_segment_own(ZydisRegister segment)
{
	return segment == ZYDIS_REGISTER_FS || segment == ZYDIS_REGISTER_GS;
}

static bool
touch(const ZydisDecodedInstruction *in, const ZydisDecodedOperand *o,
      const struct regs *regs, const ZydisRegisterContext *context,
      struct operand *out)
{
	uint64_t addr;

	if (o->mem.type != ZYDIS_MEMOP_TYPE_MEM ||
	    !ZYAN_SUCCESS(ZydisCalcAbsoluteAddressEx(in, o, regs->rip, context,
						     &addr)))
		return false;
	if (o->mem.segment == ZYDIS_REGISTER_FS)
		addr += regs->fs_base;
	else if (o->mem.segment == ZYDIS_REGISTER_GS)
		addr += regs->gs_base;
	out->addr = addr;
	out->size = o->size / 8;
	out->read = (o->actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0;
	out->write = (o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
	out->private = is_segment_own(o->mem.segment);
	return true;
}

/* Is o a general register, flags, or the program counter? */
static bool
is_general(const ZydisDecodedOperand *o)
{
	switch (ZydisRegisterGetClass(o->reg.value)) {
	case ZYDIS_REGCLASS_GPR8:
	case ZYDIS_REGCLASS_GPR16:
	case ZYDIS_REGCLASS_GPR32:
	case ZYDIS_REGCLASS_GPR64:
	case ZYDIS_REGCLASS_FLAGS:
	case ZYDIS_REGCLASS_IP:
		return true;
	default:
		return false;
	}
}

static bool
is_plain(const ZydisDecodedInstruction *in, const ZydisDecodedOperand *ops)
{
	for (unsigned i = 0; i < in->operand_count; i++) {
		bool hidden = i >= in->operand_count_visible;

		if (ops[i].type == ZYDIS_OPERAND_TYPE_MEMORY && hidden)
			return false; /* push, call, strings */
		if (ops[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    !is_general(&ops[i]))
			return false;
	}
	return true;
}

bool
operand_find(struct span bytes, const struct regs *regs, struct operand *out)
{
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction in;
	ZydisRegisterContext context;
	ZydisDecoder d;
	bool jumps;

	*out = (struct operand){ 0 };
	ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	if (!ZYAN_SUCCESS(
		    ZydisDecoderDecodeFull(&d, bytes.p, bytes.len, &in, ops)))
		return false;
	registers(regs, &context);
	jumps = in.mnemonic == ZYDIS_MNEMONIC_CALL ||
		in.mnemonic == ZYDIS_MNEMONIC_JMP;
	for (unsigned i = 0; i < in.operand_count_visible; i++) {
		const ZydisDecodedOperand *o = &ops[i];

		if (o->type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    touch(&in, o, regs, &context, out))
			out->indirect = jumps;
		else if (o->type == ZYDIS_OPERAND_TYPE_REGISTER && jumps)
			out->target =
				context.values[ZydisRegisterGetLargestEnclosing(
					ZYDIS_MACHINE_MODE_LONG_64,
					o->reg.value)];
	}
	out->locked = (in.attributes & ZYDIS_ATTRIB_HAS_LOCK) != 0 ||
		      (in.mnemonic == ZYDIS_MNEMONIC_XCHG && out->addr != 0);
	out->compares = in.mnemonic == ZYDIS_MNEMONIC_CMPXCHG && out->addr != 0;
	out->plain = is_plain(&in, ops);
	out->expect = regs->rax;
	if (out->size < 8)
		out->expect &= (1ull << (8 * out->size)) - 1;
	return true;
}
