/*
 * The agent page. Its first bytes are the gadget whose calls the seccomp
 * filter lets pass (agent/abi.h); the trap after it catches a tracer that lets
 * go of the task too early.
 */
	.section .text.entry, "ax"
	.globl	agent_gadget
	.type	agent_gadget, @function
agent_gadget:
	syscall
	int3
	.size	agent_gadget, . - agent_gadget

	.section .note.GNU-stack, "", @progbits
