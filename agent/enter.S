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
	mov	AGENT_DATA + AGENT_DATA_STACK, %rsp
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
	.globl	agent_again
agent_again:
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

	/* A call that the tracer sees. */
	.org	agent_enter + (AGENT_GATE - AGENT_CODE), 0xcc
	.globl	agent_gate
	.type	agent_gate, @function
agent_gate:
	syscall
	ret
	.size	agent_gate, . - agent_gate

	/*
	 * A call like agent_call's while another may have the baton. rbx is the
	 * task's slot, rcx what pos will be with the record that says so. Whoever
	 * takes AGENT_BATON away looks at the baton afterwards: either they see
	 * that it is free, or they are told. Without AGENT_BLOCKS nothing is
	 * done, and the phase is not AGENT_BACK.
	 */
	.org	agent_enter + (AGENT_BLOCK - AGENT_CODE), 0xcc
	.globl	agent_block, agent_block_told, agent_block_dropped
	.type	agent_block, @function
agent_block:
	testq	$AGENT_BLOCKS_FLAG, AGENT_DATA + AGENT_DATA_FLAGS
	jz	block_out
	movq	$AGENT_PHASE_WAITS, AGENT_SLOT_PHASE(%rbx)
	.org	agent_enter + (AGENT_BLOCK_TOLD - AGENT_CODE) - 8, 0x90
	mov	%rcx, AGENT_DATA + AGENT_DATA_POS
agent_block_told:
	mov	$AGENT_BATON_FREE, %ecx
	.org	agent_enter + (AGENT_BLOCK_DROPPED - AGENT_CODE) - 8, 0x90
	xchg	%rcx, AGENT_DATA + AGENT_DATA_BATON
agent_block_dropped:
	testq	$AGENT_BATON_FLAG, AGENT_DATA + AGENT_DATA_FLAGS
	jnz	1f
	push	%rax
	push	%rdi
	mov	$AGENT_GATE_CALL, %eax
	mov	$AGENT_SAYS_DROPPED, %edi
	call	agent_gate
	pop	%rdi
	pop	%rax
	jmp	1f
	/* Once more, when no signal of the program's has ended it. */
	.globl	agent_block_again
agent_block_again:
	movq	$AGENT_PHASE_WAITS, AGENT_SLOT_PHASE(%rbx)
	cmpq	$0, AGENT_SLOT_CALLED(%rbx)
	je	1f
	mov	$-AGENT_EINTR, %rax
	jmp	block_back
	.org	agent_enter + (AGENT_BLOCK_DONE - AGENT_CODE) - 5, 0x90
1:	call	agent_call
block_back:
	movq	$AGENT_PHASE_BACK, AGENT_SLOT_PHASE(%rbx)
block_out:
	ret
	.size	agent_block, . - agent_block

	/* rcx bytes from rsi to rdi; should there be no memory, the tracer moves
	 * the task behind the instruction. */
	.org	agent_enter + (AGENT_COPY - AGENT_CODE), 0xcc
	.globl	agent_copy
	.type	agent_copy, @function
agent_copy:
	rep movsb
	ret
	.size	agent_copy, . - agent_copy

	.section .note.GNU-stack, "", @progbits
