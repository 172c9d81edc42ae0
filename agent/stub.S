/*
 * Code of the comparing stub; agent/stub.h says what it is for. Flags must
 * come out as they went in, so there is no add, cmp or inc on the way: values are
 * compared by adding the negative with lea and testing rcx with jrcxz.
 * Nothing of the program's stack is touched.
 */
#include "agent/stub.h"

	.macro	D_LOAD off, reg
	mov	stub_base + STUB_DATA + \off(%rip), %\reg
	.endm
	.macro	D_STORE reg, off
	mov	%\reg, stub_base + STUB_DATA + \off(%rip)
	.endm

	.section .text.entry, "ax"
stub_base:
	/* struct stub_head */
	.long	entry - stub_base
	.long	word_dead - stub_base
	.long	word - stub_base
	.long	word_end - stub_base
	.long	out - stub_base
	.long	out_jump - stub_base
	.long	slow - stub_base
	.long	rest - stub_base
	.long	stop - stub_base
	.long	hit - stub_base

	.skip	STUB_LEAD, 0xcc
	.balign	64
entry:	.skip	STUB_HOT, 0xcc

out:	D_LOAD	STUB_RCX, rcx
out_jump:
	.byte	0xe9	/* to the moved instructions: patched */
	.long	0

	.macro	KILLED n
	D_LOAD	(STUB_KILLS+8*\n), rcx
	lea	1(%rcx), %rcx
	D_STORE	rcx, (STUB_KILLS+8*\n)
	jmp	out
	.endm

/* The word of memory that differed last. */
	.balign	16
word_dead:
	D_STORE	rcx, STUB_RCX
word:
	D_LOAD	STUB_WORD, rcx
	mov	(%rcx), %rcx
	D_STORE	rax, STUB_RAX
	D_LOAD	STUB_WORD_NEG, rax
	lea	(%rcx,%rax), %rcx
	D_LOAD	STUB_RAX, rax
	jrcxz	word_end
	KILLED	STUB_WORD_KILLS
word_end:

/* Then the registers one after the other. */
	.macro	COMPARE n, reg
	D_LOAD	(STUB_NEG+8*\n), rcx
	lea	(%\reg,%rcx), %rcx
	jrcxz	9f
	KILLED	\n
9:
	.endm

	D_STORE	rax, STUB_RAX
	D_LOAD	STUB_RCX, rax
	D_LOAD	(STUB_NEG+8), rcx
	lea	(%rcx,%rax), %rcx
	D_LOAD	STUB_RAX, rax
	jrcxz	2f
	KILLED	1
2:	COMPARE	0, rax
	COMPARE	2, rdx
	COMPARE	3, rbx
	COMPARE	4, rsp
	COMPARE	5, rbp
	COMPARE	6, rsi
	COMPARE	7, rdi
	COMPARE	8, r8
	COMPARE	9, r9
	COMPARE	10, r10
	COMPARE	11, r11
	COMPARE	12, r12
	COMPARE	13, r13
	COMPARE	14, r14
	COMPARE	15, r15

/* All agree: flags and memory, in C on a stack of our own. */
	.macro	EACH what
	\what	rax, 0
	\what	rdx, 2
	\what	rbx, 3
	\what	rbp, 5
	\what	rsi, 6
	\what	rdi, 7
	\what	r8, 8
	\what	r9, 9
	\what	r10, 10
	\what	r11, 11
	\what	r12, 12
	\what	r13, 13
	\what	r14, 14
	\what	r15, 15
	.endm
	.macro	SAVE reg, n
	D_STORE	\reg, (STUB_SAVED+8*\n)
	.endm
	.macro	RESTORE reg, n
	D_LOAD	(STUB_SAVED+8*\n), \reg
	.endm

slow:
	EACH	SAVE
	SAVE	rsp, 4
	lea	stub_base + STUB_STACK(%rip), %rsp
	pushfq
	mov	(%rsp), %rax
	D_STORE	rax, STUB_FLAGS
	/* No alignment checks, string instructions upwards. */
	and	$~0x40400, %rax
	push	%rax
	popfq
	/* Vector registers into memory, where check.c sees them. */
	D_LOAD	STUB_XSAVE, rcx
	test	%rcx, %rcx
	jz	1f
	D_LOAD	STUB_XSAVE_MASK, rax
	xor	%edx, %edx
	xsave64	(%rcx)
1:	lea	stub_base + STUB_DATA(%rip), %rdi
	call	stub_check
	mov	%eax, %eax
	D_STORE	rax, STUB_RESULT
rest:
	lea	stub_base + STUB_STACK - 8(%rip), %rsp
	popfq
	RESTORE	rsp, 4
	EACH	RESTORE
	D_LOAD	STUB_RESULT, rcx
	jrcxz	no_match
stop:	D_LOAD	STUB_RCX, rcx
hit:	int3
	jmp	out_jump
no_match:
	jmp	out

	.section .note.GNU-stack, "", @progbits
