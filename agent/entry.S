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

	.section .note.GNU-stack, "", @progbits
