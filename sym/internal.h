#ifndef SYM_INTERNAL_H
#define SYM_INTERNAL_H

/* What the files of sym/ share. */
#include "base/vec.h"
#include "sym/sym.h"

#include <elfutils/libdwfl.h>

/* One file that is mapped somewhere in the space. */
struct sym_module {
	char *path;	 /* to open; "" = none */
	char *shown;	 /* to print */
	uint64_t start;	 /* of its lowest mapping */
	uint64_t end;	 /* of its highest one */
	uint64_t bias;	 /* run-time address - address in the file */
	uint64_t eh_hdr; /* run-time address of .eh_frame_hdr, 0 = none */
	uint64_t eh_hdr_len;
	uint64_t tls_size; /* of the main program's thread-local storage, up to
			    * where fs points; 0 = none, or not the program */
	Dwfl_Module *dwfl; /* NULL: no ELF file that can be read */
};

/* What was found for an address: libdwfl walks a whole symbol table for it. */
struct sym_known {
	uint64_t addr;	 /* 0 = nothing here */
	const char *raw; /* function, libdwfl's; NULL = none */
	uint64_t offset;
	const char *file; /* libdw's; NULL = none */
	int line;
};

#define SYM_KNOWN 4096u

struct sym_names; /* names.c */

struct symbols {
	struct sym_ops ops;
	VEC(struct sym_module) modules;
	VEC(struct sym_map) maps; /* paths are the modules' */
	Dwfl *dwfl;
	struct unwinder *unwinder; /* unwind.c */
	size_t capstone;	   /* csh, 0 = not open yet */
	VEC(struct sym_names *) names;
	struct sym_known *known;   /* SYM_KNOWN of them, by address; or NULL */
};

/* The module whose mappings cover addr, or NULL. */
struct sym_module *symbols_module(struct symbols *s, uint64_t addr);
int64_t symbols_read(struct symbols *s, uint64_t addr, void *out, size_t n);
bool symbols_tls_size(const struct sym_module *m, uint64_t *out);
void unwinder_free(struct unwinder *u);
void names_free(struct symbols *s);
void disasm_close(struct symbols *s);
/* The start of the function around addr, or 0. */
uint64_t symbols_function_start(struct symbols *s, uint64_t addr);

#endif
