#ifndef SYM_SYM_H
#define SYM_SYM_H

/*
 * From addresses to names, source lines, frames and instructions. Memory and
 * mappings come through callbacks, so a live task, a replay and a snapshot
 * look the same. One struct symbols per space and moment of its mappings; the
 * modules behind it are cached by file path. Not thread-safe: one thread each.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "event/regs.h"
#include <stdbool.h>

struct sym_map {
	uint64_t start, end, offset;
	uint32_t prot;
	const char *path;	/* a file that can be opened now, or NULL */
	const char *shown;	/* the path to show people */
};

struct sym_ops {
	/* Bytes read (may be short) or negative. */
	int64_t (*read)(void *ctx, uint64_t addr, void *out, size_t n);
	void *ctx;
};

struct symbols;

struct symbols *symbols_new(const struct sym_ops *ops);
void symbols_free(struct symbols *s);
/* Tell the mappings (copied); modules that stay are kept. */
int symbols_set_maps(struct symbols *s, const struct sym_map *maps, size_t n, struct err *err);

struct sym_place {
	const char *module;	/* shown path, NULL = unknown */
	const char *function;	/* demangled where possible; NULL = unknown */
	uint64_t offset;	/* from the function's start */
	const char *file;	/* source file, NULL = no line information */
	int line;
};

/* Strings live in a. Always succeeds; fields may be NULL. */
void symbols_lookup(struct symbols *s, uint64_t addr, struct arena *a, struct sym_place *out);
/* Address of a function or variable by name ("main", "libc.so.6:write"). */
int symbols_by_name(struct symbols *s, const char *name, uint64_t *out, uint64_t *out_size, struct err *err);

struct sym_frame {
	uint64_t pc, sp, cfa; /* cfa 0 = unknown */
	uint64_t at; /* an address of the instruction that it stands in */
	struct sym_place place;
	bool signal_frame;
	bool outer; /* of regs only what callees keep, rsp and rip are its own
		     */
	struct regs regs;
	struct span xstate; /* as target.h's; empty = not known */
};

/* Unwind from regs (libunwind; frame pointers as the fallback), innermost first. */
int symbols_backtrace(struct symbols *s, const struct regs *regs, size_t max,
		      struct arena *a, struct sym_frame **out, size_t *n, struct err *err);

struct sym_insn {
	uint64_t addr;
	uint8_t len;
	uint8_t bytes[15];
	char text[96];
};

/* n instructions from addr (capstone); *out_n may be less at unreadable memory. */
int symbols_disasm(struct symbols *s, uint64_t addr, size_t n, struct sym_insn *out, size_t *out_n, struct err *err);
/* The n instructions before addr, found by decoding from the function's start. */
int symbols_disasm_before(struct symbols *s, uint64_t addr, size_t n, struct sym_insn *out, size_t *out_n, struct err *err);

/* Lines [from, to] of a source file as the program was built from it; text
 * borrowed from a. Searches the recorded path, then PASTIME_SOURCE_PATH. */
int sym_source_lines(const char *file, int from, int to, struct arena *a, const char ***out, size_t *n, struct err *err);

#endif
