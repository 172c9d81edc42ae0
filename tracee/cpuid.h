#ifndef TRACEE_CPUID_H
#define TRACEE_CPUID_H

/*
 * CPUID as programs see it while they are recorded and replayed: one table,
 * read once and masked, answers on both sides. Masked is what cannot be
 * recorded (RDRAND, RDPID, TSX, AMX, shadow stacks), what differs from CPU to CPU
 * (APIC ids), and the size of the XSAVE area: with it ld.so would save
 * registers by XSAVE, whose header tells which parts are in use, and that varies
 * from run to run on AMD (seen: the SSE bit of an all-zero state
 * across a context switch). Without it ld.so uses FXSAVE.
 */
#include "base/buf.h"
#include "base/err.h"
#include <stdbool.h>

struct cpuid_row {
	uint32_t leaf, subleaf, eax, ebx, ecx, edx;
};

struct cpuid_table {
	struct cpuid_row *rows;
	size_t len;
};

/* Read this machine's. */
void cpuid_capture(struct cpuid_table *out);
/* The form of the header's KV "cpuid": six u32 per row, little endian. */
void cpuid_save(const struct cpuid_table *t, struct buf *out);
int cpuid_load(struct cpuid_table *t, struct span bytes, struct err *err);
void cpuid_free(struct cpuid_table *t);
/* What CPUID answers: eax, ebx, ecx, edx. */
void cpuid_answer(const struct cpuid_table *t, uint32_t leaf, uint32_t subleaf,
		  uint32_t out[4]);
/* The leaf looks at the subleaf; for others it does not matter. */
bool cpuid_is_indexed(uint32_t leaf);
/* Subleaves that are not there show their number in ecx. */
bool cpuid_is_topology(uint32_t leaf);
/* The leaf that answers for one that is out of range. */
uint32_t cpuid_out_of_range(const struct cpuid_table *t);
/* This machine's XCR0, which cannot be trapped. 0 without XSAVE. */
uint64_t cpuid_xcr0(void);
/* "AuthenticAMD AMD EPYC ... 25/17/1": vendor, brand, family/model/stepping. */
void cpuid_model(struct buf *out);

#endif
