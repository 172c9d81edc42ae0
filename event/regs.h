#ifndef EVENT_REGS_H
#define EVENT_REGS_H

/*
 * The general registers of a task, in the order and layout of the kernel's
 * struct user_regs_struct (sys/user.h, x86-64), so that one copy does.
 */
#include <stddef.h>
#include <stdint.h>

struct regs {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
	uint64_t rax, rcx, rdx, rsi, rdi, orig_rax, rip, cs, eflags;
	uint64_t rsp, ss, fs_base, gs_base, ds, es, fs, gs;
};

/* Names and offsets, for printing and comparing; name NULL ends it. */
struct reg_desc {
	const char *name;
	size_t offset;
};
extern const struct reg_desc reg_table[];

/*
 * A 32-bit hash, never 0, of what a program computes with: all but rip and rsp,
 * which events carry, rax, which a call replaces, rcx and r11, which a call
 * clobbers, orig_rax and the segment selectors; of eflags only the status flags
 * and DF (0xcd5), because TF and RF depend on the tracer.
 */
uint32_t regs_hash(const struct regs *r);
/* The same of rbx rdx rsi rdi rbp r8 r9 r10 r12 r13 r14 r15 eflags fs_base
 * gs_base, for who has no others; changes v. */
#define REGS_HASHED 15u
uint32_t regs_hash_of(uint64_t v[REGS_HASHED]);
/* The value of register i of reg_table. */
uint64_t regs_get(const struct regs *r, size_t i);

#endif
