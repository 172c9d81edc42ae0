#include <cpuid.h>
#include <criterion/criterion.h>
#include <string.h>

#include "tracee/cpuid.h"

static struct cpuid_table table;

static void
setup(void)
{
	cpuid_capture(&table);
}

static void
teardown(void)
{
	cpuid_free(&table);
}

TestSuite(tracee_cpuid, .init = setup, .fini = teardown);

Test(tracee_cpuid, the_vendor_is_the_machines_own)
{
	uint32_t v[4], a, b, c, d;

	__cpuid(0, a, b, c, d);
	cpuid_answer(&table, 0, 99, v);
	cr_assert_eq(v[0], a);
	cr_assert_eq(v[1], b);
	cr_assert_eq(v[2], c);
	cr_assert_eq(v[3], d);
}

Test(tracee_cpuid, what_cannot_be_recorded_is_hidden)
{
	uint32_t v[4];

	cpuid_answer(&table, 1, 0, v);
	cr_assert_eq(v[1] >> 24, 0u, "the APIC id is this CPU's");
	cr_assert_eq(v[2] & bit_RDRND, 0u);
	cr_assert_neq(v[3] & bit_SSE2, 0u);
	cpuid_answer(&table, 7, 0, v);
	cr_assert_eq(v[1] & (bit_RDSEED | bit_RTM), 0u);
	cr_assert_eq(v[2] & (bit_RDPID | bit_SHSTK | bit_WAITPKG), 0u);
	cr_assert_eq(v[3] & ((1u << 24) | bit_IBT), 0u);
	cpuid_answer(&table, 0xd, 0, v);
	cr_assert_eq(v[1], 0u);
	cpuid_answer(&table, 0xd, 1, v);
	cr_assert_eq(v[0] & 7, 0u);
	cpuid_answer(&table, 0xb, 0, v);
	cr_assert_eq(v[3], 0u, "the x2APIC id is this CPU's");
}

Test(tracee_cpuid, other_bits_are_the_machines_own)
{
	uint32_t v[4], a, b, c, d;

	__cpuid_count(7, 0, a, b, c, d);
	cpuid_answer(&table, 7, 0, v);
	cr_assert_eq(v[1] & (bit_AVX2 | bit_BMI2 | bit_AVX512F),
		     b & (bit_AVX2 | bit_BMI2 | bit_AVX512F));
	__cpuid_count(0xd, 2, a, b, c, d);
	cpuid_answer(&table, 0xd, 2, v);
	cr_assert_eq(v[0], a);
	cr_assert_eq(v[1], b);
}

Test(tracee_cpuid, the_index_counts_only_where_there_is_one)
{
	uint32_t v[4], w[4];

	cpuid_answer(&table, 1, 0, v);
	cpuid_answer(&table, 1, 0xdeadbeef, w);
	cr_assert_eq(memcmp(v, w, sizeof(v)), 0);
	cpuid_answer(&table, 7, 0, v);
	cpuid_answer(&table, 7, 0xdead, w);
	cr_assert_neq(memcmp(v, w, sizeof(v)), 0);
	/* Levels that do not exist repeat their number. */
	cpuid_answer(&table, 0xb, 9, w);
	cr_assert_eq(w[0], 0u);
	cr_assert_eq(w[2], 9u);
}

Test(tracee_cpuid, beyond_the_last_leaf_each_vendor_has_its_way)
{
	uint32_t last[4], v[4], top;

	cpuid_answer(&table, 0, 0, v);
	top = v[0];
	cpuid_answer(&table, 0x3000, 0, last);
	if (v[1] == signature_INTEL_ebx) {
		cpuid_answer(&table, top, 0, v);
		cr_assert_eq(memcmp(v, last, sizeof(v)), 0);
	} else {
		cr_assert_eq(last[0] | last[1] | last[2] | last[3], 0u);
	}
	cpuid_answer(&table, 0x8fffffff, 0, v);
	cr_assert_eq(memcmp(v, last, sizeof(v)), 0);
}

Test(tracee_cpuid, a_saved_table_answers_alike)
{
	struct cpuid_table back;
	struct buf bytes = { 0 };
	uint32_t v[4], w[4];

	cpuid_save(&table, &bytes);
	cr_assert_eq(bytes.len, table.len * 24);
	cr_assert_eq(cpuid_load(&back, buf_span(&bytes), NULL), 0);
	for (uint32_t leaf = 0; leaf < 0x20; leaf++)
		for (uint32_t sub = 0; sub < 4; sub++) {
			cpuid_answer(&table, leaf, sub, v);
			cpuid_answer(&back, leaf, sub, w);
			cr_assert_eq(memcmp(v, w, sizeof(v)), 0);
		}
	cpuid_free(&back);
	cr_assert_eq(cpuid_load(&back, span_of(bytes.p, 23), NULL), -E_FORMAT);
	cr_assert_eq(cpuid_load(&back, span_of(bytes.p, 0), NULL), -E_FORMAT);
	buf_free(&bytes);
}

/* A damaged table must not lead anywhere. */
Test(tracee_cpuid, an_odd_table_is_only_odd)
{
	static const uint32_t rows[12] = { 0, 0, 0xffffffff, 0, 0, 0,
					   5, 7, 1,	     2, 3, 4 };
	struct cpuid_table odd;
	uint32_t v[4];

	cr_assert_eq(cpuid_load(&odd, span_of(rows, sizeof(rows)), NULL), 0);
	cpuid_answer(&odd, 5, 7, v);
	cr_assert_eq(v[0] | v[1] | v[2] | v[3], 0u);
	cpuid_answer(&odd, 0xffffffff, 0, v);
	cr_assert_eq(v[0], 0u);
	cpuid_free(&odd);
}

Test(tracee_cpuid, the_model_names_vendor_and_numbers)
{
	struct buf out = { 0 };

	cpuid_model(&out);
	cr_assert_gt(out.len, 12u);
	cr_assert_not_null(strchr(buf_cstr(&out), '/'));
	buf_free(&out);
}
