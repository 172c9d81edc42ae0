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

	.balign	16
	.globl	agent_code
	.type	agent_code, @object
agent_code:
	.incbin "agent/code.bin"
1:	.size	agent_code, 1b - agent_code

	.balign	8
	.globl	agent_code_len
	.type	agent_code_len, @object
	.size	agent_code_len, 8
agent_code_len:
	.quad	1b - agent_code

	.balign	16
	.globl	agent_stub
	.type	agent_stub, @object
agent_stub:
	.incbin "agent/stub.bin"
1:	.size	agent_stub, 1b - agent_stub

	.balign	8
	.globl	agent_stub_len
	.type	agent_stub_len, @object
	.size	agent_stub_len, 8
agent_stub_len:
	.quad	1b - agent_stub

	.section .note.GNU-stack, "", @progbits
