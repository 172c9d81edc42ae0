/* The server's library, as bytes: fdw_library, fdw_library_end. */
	.section .rodata
	.global fdw_library
	.global fdw_library_end
fdw_library:
	.incbin "sql/fdw/pastime_fdw.bin"
fdw_library_end:
	.byte 0
	.section .note.GNU-stack, "", @progbits
