#ifndef TRACEE_PATCH_H
#define TRACEE_PATCH_H

/*
 * Instructions in files that must trap where the CPU has no trap for them, or
 * only a dear one: CPUID (without faulting), RDRAND, RDSEED, RDPID; RDTSC and
 * RDTSCP, whose trap (PR_SET_TSC) makes every switch to and from the task
 * change CR4, which virtual machines pay for. Their first byte is replaced by
 * int3 in private executable mappings.
 *
 * A byte that is data must never be replaced, and libcrypto has tables of
 * 150 KB among its code, so a pattern counts only inside a function that
 * .eh_frame describes, decoded from its start; in files without .eh_frame, when
 * the instructions around it make sense.
 */
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As in the args of insn events. */
enum patch_class {
	PATCH_RDTSC = 1,
	PATCH_RDTSCP = 2,
	PATCH_CPUID = 3,
	PATCH_RDRAND = 4,
	PATCH_RDSEED = 5,
	PATCH_RDPID = 6,
};

#define PATCH_PRE_MAX 24u

struct patch_site {
	uint64_t offset; /* in the file */
	uint8_t len;	 /* of the instruction */
	uint8_t cls;	 /* enum patch_class */
	uint8_t reg;	 /* RDRAND, RDSEED, RDPID: destination, 0 rax ... 15 r15 */
	uint8_t bits;	 /* its width: 16, 32, 64 */
	uint8_t first;	 /* the byte that int3 replaces */
	/* CPUID: so many bytes before it make room for a jump, 0 = none; they
	 * and the instruction. */
	uint8_t pre;
	uint8_t room[PATCH_PRE_MAX + 2];
};

struct patch_list {
	struct patch_site *v; /* by offset */
	size_t len;
	bool unsure; /* there may be an RDTSC that is not among them */
};

#define PATCH_INT3 0xccu

/* The instruction at the start of code, when it is one of enum patch_class. */
bool patch_decode(struct span code, struct patch_site *out);

/* The sites of an ELF file; none, and unsure, for what is not one (no error).
 */
int patch_scan(int fd, struct patch_list *out, struct err *err);
void patch_free(struct patch_list *l);
/* The list as bytes, and back; false: these are not such bytes. */
void patch_save(const struct patch_list *l, struct buf *out);
bool patch_load(struct patch_list *out, struct span bytes);
/* The first site at or after offset, or NULL. */
const struct patch_site *patch_from(const struct patch_list *l, uint64_t offset);

#endif
