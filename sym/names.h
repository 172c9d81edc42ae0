#ifndef SYM_NAMES_H
#define SYM_NAMES_H

/*
 * Names that begin so, for completion. The list of a module's names is made
 * once, sorted, and kept as long as the symbols: libraries have thousands.
 */
#include "sym/sym.h"

enum sym_names_kind {
	SYM_FUNCTIONS = 1u << 0,
	SYM_VARIABLES = 1u << 1, /* in memory: global and static ones */
	SYM_FILES = 1u << 2,	 /* of source, without their folders */
	SYM_MODULES = 1u << 3,	 /* "libc.so.6:", to be followed by a name */
};

/*
 * Up to max names of those kinds that begin with prefix, the program's own
 * first, then those of libraries, each in order and once. "libc.so.6:ma" asks
 * for those of that library. Names with a dot (parts that compilers made) only
 * when prefix has one. Strings live in a. *out_all: how many there are.
 */
void symbols_names(struct symbols *s, unsigned kinds, const char *prefix,
		   size_t max, struct arena *a, const char ***out, size_t *n,
		   size_t *out_all);

#endif
