/* The texts of sql/, as bytes with names: sql_tables, sql_tables_end. */
	.section .rodata
#define SQL_FILE(version, name, path)  \
	.global sql_##name;            \
	.global sql_##name##_end;      \
sql_##name:                            \
	.incbin path;                  \
sql_##name##_end:                      \
	.byte 0;
#include "store/sqlfiles.def"
	.section .note.GNU-stack, "", @progbits
