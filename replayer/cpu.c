#include "replayer/internal.h"

#include "tracee/cpuid.h"
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
check_leaf(const struct cpuid_row *row, struct err *err)
{
	static const char *const reg[4] = { "eax", "ebx", "ecx", "edx" };
	const uint32_t had[4] = { row->eax, row->ebx, row->ecx, row->edx };
	const struct feature_leaf *f = find_leaf(row->leaf, row->subleaf);
	uint32_t here[4] = { 0 };

	if (!f)
		return 0;
	__get_cpuid_count(row->leaf, row->subleaf, &here[0], &here[1], &here[2],
			  &here[3]);
	for (int i = 0; i < 4; i++) {
		uint32_t lacking = had[i] & f->mask[i] & ~here[i];

		if (lacking)
			return err_set(err, E_CPU,
				       "this processor lacks features that the "
				       "recording's had (CPUID leaf 0x%x.%u, "
				       "bits 0x%x of %s)",
				       row->leaf, row->subleaf, lacking,
				       reg[i]);
	}
	return 0;
}

static int
check_cpuid(struct span v, struct err *err)
{
	struct cpuid_table t;
	int ret = cpuid_load(&t, v, err);

	if (ret < 0)
		return ret;
	for (size_t i = 0; ret == 0 && i < t.len; i++)
		ret = check_leaf(&t.rows[i], err);
	cpuid_free(&t);
	return ret;
}

static int
check_xcr0(struct span v, struct err *err)
{
	uint64_t want, have = cpuid_xcr0();

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
		else if (strcmp(key, "cpuid") == 0)
			ret = check_cpuid(v, err);
		if (ret < 0)
			return ret;
	}
	return ret;
}
