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
#define EFLAGS_WORD 12u /* of what is hashed */

/* The order of the words is stored in every recording: do not change it. */
uint32_t
regs_hash_of(uint64_t v[REGS_HASHED])
{
	uint64_t h;
	uint32_t h32;

	v[EFLAGS_WORD] &= EFLAGS_COMPARED;
	h = XXH3_64bits(v, REGS_HASHED * sizeof(*v));
	h32 = (uint32_t)(h ^ (h >> 32));
	return h32 ? h32 : 1; /* 0 means "not checked" */
}

uint32_t
regs_hash(const struct regs *r)
{
	/* clang-format off */
	uint64_t v[REGS_HASHED] = {
		r->rbx, r->rdx, r->rsi, r->rdi, r->rbp,
		r->r8,	r->r9,	r->r10, r->r12, r->r13,
		r->r14, r->r15, r->eflags, r->fs_base, r->gs_base,
	};
	/* clang-format on */

	return regs_hash_of(v);
}

uint64_t
regs_get(const struct regs *r, size_t i)
{
	uint64_t v;

	memcpy(&v, (const char *)r + reg_table[i].offset, sizeof(v));
	return v;
}
