/* The texts of man/, with names: page_record, page_record_end. */
	.section .rodata
#define PAGE(symbol, name, file)         \
	.global page_##symbol;           \
	.global page_##symbol##_end;     \
page_##symbol:                           \
	.incbin file;                    \
page_##symbol##_end:                     \
	.byte 0;
#include "cli/pages.def"
	.section .note.GNU-stack, "", @progbits
