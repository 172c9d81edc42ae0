/*
 * From a patched call site into the agent and back. rcx is the address of the
 * stub's own syscall instruction, r11 is free, everything else is the program's and
 * comes out as a syscall instruction would leave it. No instruction before pushfq and
 * none after popfq changes a flag. The program's stack is not touched.
 */
#include "agent/abi.h"

	.section .text.entry, "ax"
	.globl	agent_enter
	.type	agent_enter, @function
agent_enter:
	mov	%rsp, AGENT_DATA + AGENT_DATA_RSP
	mov	$(AGENT_DATA + AGENT_STACK), %esp
	pushfq
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%rbp
	push	%rbx
	push	%r9
	push	%r8
	push	%r10
	push	%rdx
	push	%rsi
	push	%rdi
	push	%rax
	push	%rcx
	mov	%rsp, %rdi
	cld
	call	agent_main
	pop	%rcx	/* where to go on: after the site, or the stub's syscall */
	pop	%rax
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%r10
	pop	%r8
	pop	%r9
	pop	%rbx
	pop	%rbp
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	popfq
	mov	AGENT_DATA + AGENT_DATA_RSP, %rsp
	mov	$AGENT_R11, %r11d
	jmp	*%rcx
	.size	agent_enter, . - agent_enter

	.section .note.GNU-stack, "", @progbits
