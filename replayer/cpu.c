#include "replayer/internal.h"

#include <cpuid.h>
#include <string.h>

/*
 * Programs chose their code by what CPUID told them when they were recorded.
 * Leaves with feature bits, and the bits of each register that name
 * instructions or state that user code can use; the rest is the system's
 * business.
 */
struct feature_leaf {
	uint32_t leaf, subleaf;
	uint32_t mask[4]; /* eax, ebx, ecx, edx */
};

static const struct feature_leaf leaves[] = {
	/* not: MONITOR, DS, VMX, SMX, TM2, DCA, x2APIC, TSC deadline, OSXSAVE,
	   hypervisor */
	{ 1, 0, { 0, 0, 0x76d83203, 0x07808111 } },
	/* AVX2, BMI, AVX-512, SHA, ADX, CLFLUSHOPT, CLWB */
	{ 7, 0, { 0, 0xfdab0129, 0x00005f42, 0x03c0010c } },
	{ 7, 1, { 0x00000030, 0, 0, 0 } },
	{ 0x80000001, 0, { 0, 0, 0x00210961, 0x00000000 } },
};

static const struct feature_leaf *
find_leaf(uint32_t leaf, uint32_t subleaf)
{
	for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		if (leaves[i].leaf == leaf && leaves[i].subleaf == subleaf)
			return &leaves[i];
	}
	return NULL;
}

static int
check_leaf(const uint32_t rec[6], struct err *err)
{
	static const char *const reg[4] = { "eax", "ebx", "ecx", "edx" };
	const struct feature_leaf *f = find_leaf(rec[0], rec[1]);
	uint32_t here[4] = { 0 };

	if (!f)
		return 0;
	__get_cpuid_count(rec[0], rec[1], &here[0], &here[1], &here[2],
			  &here[3]);
	for (int i = 0; i < 4; i++) {
		uint32_t lacking = rec[2 + i] & f->mask[i] & ~here[i];

		if (lacking)
			return err_set(err, E_CPU,
				       "this processor lacks features that the "
				       "recording's had (CPUID leaf 0x%x.%u, "
				       "bits 0x%x of %s)",
				       rec[0], rec[1], lacking, reg[i]);
	}
	return 0;
}

static uint64_t
read_xcr0(void)
{
	uint32_t lo, hi, a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return 0;
	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (uint64_t)hi << 32 | lo;
}

static int
check_xcr0(struct span v, struct err *err)
{
	uint64_t want, have = read_xcr0();

	if (v.len != sizeof(want))
		return 0;
	memcpy(&want, v.p, sizeof(want));
	if (want & ~have)
		return err_set(err, E_CPU,
			       "this machine lacks extended states that the "
			       "recording's had (XCR0 0x%lx there, 0x%lx here)",
			       want, have);
	return 0;
}

int
cpu_check(const struct event *header, struct err *err)
{
	struct item_reader ir;
	const char *key;
	struct item it;
	struct span v;
	int ret;

	item_reader_init(&ir, header->payload);
	while ((ret = item_next(&ir, &it, err)) > 0) {
		if (it.kind != ITEM_KV)
			continue;
		ret = item_get_kv(&it, &key, &v);
		if (ret < 0)
			return err_set(err, E_FORMAT, "a damaged header");
		if (strcmp(key, "xcr0") == 0)
			ret = check_xcr0(v, err);
		for (size_t at = 0;
		     ret == 0 && strcmp(key, "cpuid") == 0 && at + 24 <= v.len;
		     at += 24) {
			uint32_t rec[6];

			memcpy(rec, v.p + at, sizeof(rec));
			ret = check_leaf(rec, err);
		}
		if (ret < 0)
			return ret;
	}
	return ret;
}
