#ifndef SYM_LINES_H
#define SYM_LINES_H

/*
 * A function as source lines, for stepping. A step ends where the code of
 * another line begins, at a statement; what the compiler wrote for no line
 * belongs to the line before it.
 */
#include "sym/sym.h"

/* Code of one line. Rows of one function, by address. */
struct sym_row {
	uint64_t start, end;
	uint64_t id; /* equal: the same line */
	bool entry;  /* what makes the frame: a step never ends in it */
	const char *file;
	int line;
};

struct sym_lines {
	uint64_t entry; /* the function's first instruction */
	uint64_t body;	/* where its lines begin for one who steps into it */
	struct sym_row *rows;
	size_t n;
};

/*
 * The function around pc. over: for one who stands at pc and steps over calls:
 * code that was inlined there is of the line that calls it. 1, or 0: nothing is
 * known of lines there. Strings live in a.
 */
int symbols_lines(struct symbols *s, uint64_t pc, bool over, struct arena *a,
		  struct sym_lines *out);
/* The row that covers pc, or NULL. */
const struct sym_row *lines_row(const struct sym_lines *l, uint64_t pc);
/* Does the code at pc have lines? */
bool symbols_has_lines(struct symbols *s, uint64_t pc);
/*
 * Where code of a source line begins, of each function that has some; the next
 * line that has code stands for one that has none. file: its path, or the end
 * of it. Returns how many, at most max.
 */
size_t symbols_places(struct symbols *s, const char *file, int line,
		      uint64_t *out, size_t max);
/*
 * Where the code is that spec names: FUNCTION (behind what makes its frame),
 * FILE:LINE as above, or 0xADDRESS as the file of a module has it; "MODULE:"
 * may stand before a function or address. Returns how many, at most max.
 */
size_t symbols_named(struct symbols *s, const char *spec, uint64_t *out,
		     size_t max);
/* Where a step into the function at pc ends; pc itself without lines. */
uint64_t symbols_body(struct symbols *s, uint64_t pc);
/*
 * The frame of the function at regs: the stack pointer in its caller, and the
 * pc there (0: nobody called it). False: no tables tell, or the kernel called
 * it, for a signal.
 */
bool symbols_frame(struct symbols *s, const struct regs *regs, uint64_t *cfa,
		   uint64_t *caller);

#endif
