#ifndef GDB_PROGRAM_H
#define GDB_PROGRAM_H

/* What a process consists of: files, libraries, thread-local storage, /proc. */
#include "gdb/session.h"

/* library.c */
/* What ld.so knows to be loaded. */
void libraries_xml(struct gdb_server *s, uint32_t task, struct buf *out);
/* The mapping of the executable that its entry point is in; false = none. */
bool executable_map(struct gdb_server *s, uint32_t task,
		    struct target_map *out);
/* That of ld.so, if the executable names it so. */
bool interpreter_map(struct gdb_server *s, uint32_t task, const char *name,
		     struct target_map *out);
bool read_exact(struct gdb_server *s, uint32_t task, uint64_t addr, void *out,
		size_t n);

/* path.c */
/* A path that can be opened for a recorded one, or NULL. */
const char *recorded_file(struct gdb_server *s, const char *path);
/* As the client is to open it. */
const char *path_shown(struct gdb_server *s, const struct target_map *m);

/* tls.c */
/* Where the thread's block of the module with that link map begins. */
int tls_address(struct gdb_server *s, uint32_t task, uint64_t lm, uint64_t *out,
		struct err *err);

/* proc.c */
int proc_open(struct gdb_server *s, const char *path);	       /* -1 = none */
const char *proc_link(struct gdb_server *s, const char *path); /* or NULL */

#endif
