#ifndef TRACEE_SITE_H
#define TRACEE_SITE_H

/*
 * Where a 7-byte jump can stand in for a syscall instruction and what is before
 * it, or, by way of a short jump, in the padding between functions nearby.
 * Nothing behind the instruction is moved: a task that has made its call, by
 * whichever way, stands behind it in code that is the file's own.
 *
 *	b8 xx xx xx xx	mov $nr, %eax	|  ff 24 25 ...  jmp *[stub]
 *	0f 05		syscall		|
 *
 *	0f 05		syscall		|  eb ..	 jmp 1f
 *	c3 66 90 ...	ret; padding	|  c3 ff 24 25 ...  ret; 1: jmp *[stub]
 */
#include "base/err.h"
#include "base/span.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SITE_MOVED 8u	 /* where in a stub the moved instructions begin */
#define SITE_JUMP 7u	 /* bytes of the jump */
#define SITE_PRE_MAX 24u /* bytes that are moved, at most */
#define SITE_NEAR 192u	 /* of code before the instruction, to be looked at */
#define SITE_AFTER 144u	 /* and behind it */

/* Places in a file's code that direct branches lead to, as far as they are a
 * few bytes before a syscall instruction. Offsets in the file, in order. */
struct site_targets {
	uint64_t *v;
	size_t len;
};

/* None for what is no ELF file. */
int site_scan(int fd, struct site_targets *out, struct err *err);
void site_free(struct site_targets *t);

struct site_plan {
	unsigned pre; /* bytes before the syscall instruction that move */
	int hole; /* with pre 0: where the jump goes, from the instruction on */
};

/*
 * How the syscall instruction at code.p[at] can be patched; false: it cannot.
 * code: at least SITE_NEAR bytes before it and SITE_AFTER behind it, fewer only
 * at the ends of a mapping. offset: at, in the file.
 */
bool site_plan(struct span code, size_t at, uint64_t offset,
	       const struct site_targets *t, struct site_plan *out);

/* The short jump of a plan with a hole. */
void site_short(const struct site_plan *p, uint8_t out[2]);
/* The jump through the word at stub, below 2 GB, and traps up to len. */
void site_jump(uint32_t stub, uint8_t *out, unsigned len);
/* The stub at address at for a site whose moved bytes are pre, and which goes
 * on at after. out has AGENT_SITE_SIZE bytes. Returns the stub's syscall
 * instruction. */
uint64_t site_stub(uint64_t at, struct span pre, uint64_t after, uint8_t *out);

#endif
