#ifndef TRACEE_PATCH_ROOM_H
#define TRACEE_PATCH_ROOM_H

/*
 * Room for a jump in place of an instruction: whole instructions before it that
 * do the same elsewhere, so many that with it they have the jump's length, and
 * that nobody branches into. Known for functions that decode from end to end.
 */
#include "base/span.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The file's bytes at vaddr, at least n of them, or NULL. */
typedef const uint8_t *room_bytes(const void *ctx, uint64_t vaddr, size_t n);

struct room {
	struct span code; /* of the segment, at vaddr */
	uint64_t vaddr;
	room_bytes *bytes;
	const void *ctx;
	/* The function. */
	size_t start, end;
	uint8_t *begins;  /* bit per byte: an instruction begins there */
	uint8_t *entered; /* a branch or a table of branches leads there */
	bool clear;	  /* all of it is understood */
};

/* Look at the function [start, end) of the segment. */
void room_function(struct room *r, size_t start, size_t end);
void room_free(struct room *r);
/*
 * How many bytes before the instruction of len bytes at at make room for a jump
 * of jump bytes; 0: none do.
 */
unsigned room_before(const struct room *r, size_t at, unsigned len,
		     unsigned jump, unsigned max);
/* Is byte i of code where a branch or call with a displacement of 32 bits may
 * have its last byte of opcode? *out: where in code it leads. */
bool room_branch_to(struct span code, size_t i, size_t *out);
/*
 * Marks, a bit per byte of code: of (from, to]; taken away wherever a branch
 * from anywhere in code leads by a displacement of 32 bits; still all there?
 */
void room_mark(uint8_t *marks, size_t from, size_t to);
void room_unmark(struct span code, uint8_t *marks);
bool room_is_marked(const uint8_t *marks, size_t from, size_t to);

#endif
