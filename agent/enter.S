/*
 * From a patched call site into the agent and back. rcx is the address of the
 * stub's own syscall instruction, r11 is free, everything else is the program's and
 * comes out as a syscall instruction would leave it. No instruction before pushfq and
 * none after popfq changes a flag. The program's stack is not touched. What the
 * tracer moves a task to or from has a fixed place (agent/abi.h).
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
	.org	agent_enter + (AGENT_LEAVE - AGENT_CODE), 0x90
	.globl	agent_leave
agent_leave:
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

	/*
	 * A call like agent_call's, number and arguments in their registers,
	 * the flag that it needs in r11. Whoever takes that flag away looks at
	 * "inside" afterwards: either the flag is seen here, or they see a
	 * task that may be about to wait, and break it off.
	 */
	.org	agent_enter + (AGENT_WAIT - AGENT_CODE), 0xcc
	.globl	agent_wait
	.type	agent_wait, @function
agent_wait:
	mov	$1, %ecx
	xchg	%rcx, AGENT_DATA + AGENT_DATA_INSIDE
	test	%r11, AGENT_DATA + AGENT_DATA_FLAGS
	jz	agent_wait_out
	.org	agent_enter + (AGENT_WAIT_DONE - AGENT_CODE) - 5, 0x90
	call	agent_call
	movq	$0, AGENT_DATA + AGENT_DATA_INSIDE
	ret
	.org	agent_enter + (AGENT_WAIT_OUT - AGENT_CODE), 0xcc
agent_wait_out:
	movq	$0, AGENT_DATA + AGENT_DATA_INSIDE
	mov	$-AGENT_EINTR, %rax
	ret
	.size	agent_wait, . - agent_wait

	.section .note.GNU-stack, "", @progbits
