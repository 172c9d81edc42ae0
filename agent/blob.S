/* The linked agent, as data of the tracer. */
	.section .rodata
	.balign	16
	.globl	agent_blob
	.type	agent_blob, @object
agent_blob:
	.incbin "agent/agent.bin"
1:	.size	agent_blob, 1b - agent_blob

	.balign	8
	.globl	agent_blob_len
	.type	agent_blob_len, @object
	.size	agent_blob_len, 8
agent_blob_len:
	.quad	1b - agent_blob

	.section .note.GNU-stack, "", @progbits
