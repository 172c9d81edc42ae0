#include "replayer/internal.h"

#include "base/mem.h"
#include "tracee/cpuid.h"
#include "tracee/probe.h"
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
	for (size_t i = 0; i < ARRAY_LEN(leaves); i++) {
		if (leaves[i].leaf == leaf && leaves[i].subleaf == subleaf)
			return &leaves[i];
	}
	return NULL;
}

/* Names for messages, and for PASTIME_PROBE="-avx2". */
struct feature {
	uint32_t leaf, subleaf;
	unsigned reg, bit;
	const char *name;
};

/* clang-format off */
static const struct feature features[] = {
	{ 1, 0, 2, 0, "sse3" },		{ 1, 0, 2, 1, "pclmulqdq" },
	{ 1, 0, 2, 9, "ssse3" },	{ 1, 0, 2, 12, "fma" },
	{ 1, 0, 2, 13, "cx16" },	{ 1, 0, 2, 19, "sse4_1" },
	{ 1, 0, 2, 20, "sse4_2" },	{ 1, 0, 2, 22, "movbe" },
	{ 1, 0, 2, 23, "popcnt" },	{ 1, 0, 2, 25, "aes" },
	{ 1, 0, 2, 26, "xsave" },	{ 1, 0, 2, 28, "avx" },
	{ 1, 0, 2, 29, "f16c" },
	{ 7, 0, 1, 0, "fsgsbase" },	{ 7, 0, 1, 3, "bmi1" },
	{ 7, 0, 1, 5, "avx2" },		{ 7, 0, 1, 8, "bmi2" },
	{ 7, 0, 1, 16, "avx512f" },	{ 7, 0, 1, 17, "avx512dq" },
	{ 7, 0, 1, 19, "adx" },		{ 7, 0, 1, 21, "avx512ifma" },
	{ 7, 0, 1, 23, "clflushopt" },	{ 7, 0, 1, 24, "clwb" },
	{ 7, 0, 1, 28, "avx512cd" },	{ 7, 0, 1, 29, "sha_ni" },
	{ 7, 0, 1, 30, "avx512bw" },	{ 7, 0, 1, 31, "avx512vl" },
	{ 7, 0, 2, 1, "avx512vbmi" },	{ 7, 0, 2, 6, "avx512_vbmi2" },
	{ 7, 0, 2, 8, "gfni" },		{ 7, 0, 2, 9, "vaes" },
	{ 7, 0, 2, 10, "vpclmulqdq" },	{ 7, 0, 2, 11, "avx512_vnni" },
	{ 7, 0, 2, 12, "avx512_bitalg" }, { 7, 0, 2, 14, "avx512_vpopcntdq" },
	{ 7, 0, 3, 23, "avx512_fp16" },
	{ 7, 1, 0, 4, "avx_vnni" },	{ 7, 1, 0, 5, "avx512_bf16" },
	{ 0x80000001, 0, 2, 5, "abm" },	{ 0x80000001, 0, 2, 6, "sse4a" },
	{ 0x80000001, 0, 2, 8, "3dnowprefetch" },
	{ 0x80000001, 0, 2, 11, "xop" }, { 0x80000001, 0, 2, 16, "fma4" },
	{ 0x80000001, 0, 2, 21, "tbm" },
};
/* clang-format on */

static bool
is_of(const struct feature *f, const struct cpuid_row *row, unsigned reg)
{
	return f->leaf == row->leaf && f->subleaf == row->subleaf &&
	       f->reg == reg;
}

/* Register reg of that leaf on this machine. */
static uint32_t
bits_here(const struct cpuid_row *row, unsigned reg)
{
	uint32_t v[4] = { 0 };

	__get_cpuid_count(row->leaf, row->subleaf, &v[0], &v[1], &v[2], &v[3]);
	for (size_t i = 0; i < ARRAY_LEN(features); i++) {
		const struct feature *f = &features[i];

		if (is_of(f, row, reg) && probe_denied_name(f->name))
			v[reg] &= ~(1u << f->bit);
	}
	return v[reg];
}

static void
name_bits(const struct cpuid_row *row, unsigned reg, uint32_t bits,
	  struct buf *out)
{
	static const char *const names[4] = { "eax", "ebx", "ecx", "edx" };

	for (size_t i = 0; i < ARRAY_LEN(features); i++) {
		const struct feature *f = &features[i];

		if (!is_of(f, row, reg) || !(bits & 1u << f->bit))
			continue;
		buf_printf(out, "%s%s", out->len ? " " : "", f->name);
		bits &= ~(1u << f->bit);
	}
	if (bits)
		buf_printf(out, "%sCPUID-leaf-0x%x.%u-%s-bits-0x%x",
			   out->len ? " " : "", row->leaf, row->subleaf,
			   names[reg], bits);
}

/* Append the names of what this machine lacks. */
static void
lacking(const struct cpuid_row *row, struct buf *out)
{
	const uint32_t had[4] = { row->eax, row->ebx, row->ecx, row->edx };
	const struct feature_leaf *f = find_leaf(row->leaf, row->subleaf);

	for (unsigned i = 0; f && i < 4; i++) {
		uint32_t bits = had[i] & f->mask[i] & ~bits_here(row, i);

		if (bits)
			name_bits(row, i, bits, out);
	}
}

/* What can still be done, for both kinds of lack. */
static void
say_next(struct span model, struct err *err)
{
	struct buf here = { 0 };

	cpuid_model(&here);
	err_hint(err,
		 "recorded on: %.*s\n"
		 "this one is: %.*s\n"
		 "Replay it on a machine that has them. Its events can be read "
		 "here: pastime show, pastime sql, pastime tui",
		 (int)model.len, (const char *)model.p, (int)here.len,
		 (const char *)here.p);
	buf_free(&here);
}

static int
check_cpuid(struct span v, struct err *err)
{
	struct buf names = { 0 };
	struct cpuid_table t;
	int ret = cpuid_load(&t, v, err);

	if (ret < 0)
		return ret;
	for (size_t i = 0; i < t.len; i++)
		lacking(&t.rows[i], &names);
	if (names.len)
		ret = err_set(err, E_CPU,
			      "this processor lacks features that the "
			      "recording's had: %.*s",
			      (int)names.len, (const char *)names.p);
	buf_free(&names);
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
	struct span v, model = span_str("unknown");
	const char *key;
	struct item it;
	int ret, lack = 0;

	item_reader_init(&ir, header->payload);
	while ((ret = item_next(&ir, &it, err)) > 0) {
		if (it.kind != ITEM_KV)
			continue;
		if (item_get_kv(&it, &key, &v) < 0)
			return err_set(err, E_FORMAT, "a damaged header");
		if (strcmp(key, "cpu") == 0)
			model = v;
		else if (lack == 0 && strcmp(key, "xcr0") == 0)
			lack = check_xcr0(v, err);
		else if (lack == 0 && strcmp(key, "cpuid") == 0)
			lack = check_cpuid(v, err);
	}
	if (ret == 0 && lack == -E_CPU)
		say_next(model, err);
	return ret < 0 ? ret : lack;
}
