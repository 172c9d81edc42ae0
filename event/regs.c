#include "event/regs.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* clang-format off */
#define REG(name) { #name, offsetof(struct regs, name) }

const struct reg_desc reg_table[] = {
	REG(rax),    REG(rbx),	   REG(rcx), REG(rdx), REG(rsi),
	REG(rdi),    REG(rbp),	   REG(rsp), REG(r8),  REG(r9),
	REG(r10),    REG(r11),	   REG(r12), REG(r13), REG(r14),
	REG(r15),    REG(rip),	   REG(eflags), REG(cs), REG(ss),
	REG(ds),     REG(es),	   REG(fs),  REG(gs),  REG(fs_base),
	REG(gs_base), REG(orig_rax), { NULL, 0 },
};
/* clang-format on */

/* CF, PF, AF, ZF, SF, DF and OF: what a program computes with. */
#define EFLAGS_COMPARED 0xcd5u

/* The order of the words is stored in every recording: do not change it. */
uint32_t
regs_hash(const struct regs *r)
{
	/* clang-format off */
	const uint64_t v[] = {
		r->rbx, r->rdx, r->rsi, r->rdi, r->rbp,
		r->r8,	r->r9,	r->r10, r->r12, r->r13,
		r->r14, r->r15, r->eflags & EFLAGS_COMPARED,
		r->fs_base, r->gs_base,
	};
	/* clang-format on */
	uint64_t h = XXH3_64bits(v, sizeof(v));
	uint32_t h32 = (uint32_t)(h ^ (h >> 32));

	return h32 ? h32 : 1; /* 0 means "not checked" */
}

uint64_t
regs_get(const struct regs *r, size_t i)
{
	uint64_t v;

	memcpy(&v, (const char *)r + reg_table[i].offset, sizeof(v));
	return v;
}
