#include "agent/abi.h"

#define BATCH_ANY -4096 /* tracee/batch.h */

/*
 * The agent page. It has the gadgets whose calls the seccomp filter lets pass
 * (agent/abi.h); the trap after the first catches a tracer that lets
 * go of the task too early.
 */
	.section .text.entry, "ax"
	.globl	agent_gadget
	.type	agent_gadget, @function
agent_gadget:
	syscall
	int3
	.size	agent_gadget, . - agent_gadget

	/* For the agent's own calls, which are let pass, too. */
	.balign	16, 0xcc
	.globl	agent_call
	.type	agent_call, @function
agent_call:
	syscall
	ret
	.size	agent_call, . - agent_call

	/* Calls of struct batch, until one does not say what it should. */
	.org	agent_gadget + AGENT_BATCH, 0xcc
agent_batch:
	mov	(%rbx), %rax
	mov	8(%rbx), %rdi
	mov	16(%rbx), %rsi
	mov	24(%rbx), %rdx
	mov	32(%rbx), %r10
	mov	40(%rbx), %r8
	mov	48(%rbx), %r9
	.org	agent_gadget + AGENT_BATCH_CALL, 0x90
	syscall
	mov	56(%rbx), %rdx
	cmp	%rdx, %rax
	je	1f
	cmp	$BATCH_ANY, %rdx
	jne	2f
1:	add	$64, %rbx
	cmpq	$-1, (%rbx)
	jne	agent_batch
	int3
	/* Its number is told by rbx, its result by rax. */
2:	int3

	/* The filter lets these two calls pass (tracee/filter.c). */
	.org	agent_gadget + AGENT_BOOT, 0xcc
agent_boot:
	mov	$9, %eax	/* mmap */
	mov	$AGENT_BASE, %edi
	mov	$AGENT_SIZE, %esi
	mov	$3, %edx
	mov	$AGENT_BOOT_MAP, %r10d
	mov	$-1, %r8
	xor	%r9d, %r9d
	syscall
	lea	agent_gadget(%rip), %rbx
	cmp	%rdi, %rax
	jne	1f
	mov	%rbx, %rsi
	mov	$AGENT_BOOT_SIZE, %ecx
	cld
	rep movsb
	mov	$10, %eax	/* mprotect */
	mov	$AGENT_BASE, %edi
	mov	$AGENT_SIZE, %esi
	mov	$5, %edx
	syscall
	test	%rax, %rax
	jne	1f
	add	$AGENT_BOOT_SIZE, %rbx
	mov	$(AGENT_BASE + AGENT_BATCH), %eax
	jmp	*%rax
1:	int3
	.org	agent_gadget + AGENT_BOOT_SIZE, 0xcc

	.section .note.GNU-stack, "", @progbits
