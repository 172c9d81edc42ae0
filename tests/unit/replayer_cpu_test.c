#include "replayer/internal.h"

#include <cpuid.h>
#include <criterion/criterion.h>
#include <string.h>

static int
check(const char *key, const void *value, size_t len, struct err *err)
{
	struct event ev = { .kind = EV_header };
	struct buf items = { 0 };
	int ret;

	item_put_kv(&items, key, span_of(value, len));
	ev.payload = buf_span(&items);
	ret = cpu_check(&ev, err);
	buf_free(&items);
	return ret;
}

Test(replayer_cpu, this_processor_can_do_what_it_can_do)
{
	uint32_t rec[2][6] = { { 1, 0 }, { 7, 0 } };
	struct err err = { 0 };

	for (int i = 0; i < 2; i++)
		__get_cpuid_count(rec[i][0], 0, &rec[i][2], &rec[i][3],
				  &rec[i][4], &rec[i][5]);
	cr_assert_eq(check("cpuid", rec, sizeof(rec), &err), 0, "%s", err.text);
}

Test(replayer_cpu, a_feature_that_is_lacking_is_named)
{
	/* AVX512_4VNNIW and the like: no processor has all of these. */
	uint32_t rec[6] = { 7, 0, 0, 0xffffffff, 0xffffffff, 0xffffffff };
	struct err err = { 0 };

	cr_assert_eq(check("cpuid", rec, sizeof(rec), &err), -E_CPU);
	cr_assert_not_null(strstr(err.text, "leaf-0x7.0"), "%s", err.text);
	cr_assert_not_null(strstr(err.hint, "Replay it on"), "%s", err.hint);
}

Test(replayer_cpu, what_no_program_uses_does_not_matter)
{
	uint32_t rec[6] = { 1, 0, 0xffffffff, 0xffffffff, 0x80000000, 0 };
	struct err err = { 0 };

	cr_assert_eq(check("cpuid", rec, sizeof(rec), &err), 0, "%s", err.text);
}

Test(replayer_cpu, extended_states_must_be_there)
{
	uint64_t all = ~0ull, x87 = 1;
	struct err err = { 0 };

	cr_assert_eq(check("xcr0", &x87, sizeof(x87), &err), 0, "%s", err.text);
	cr_assert_eq(check("xcr0", &all, sizeof(all), &err), -E_CPU);
	cr_assert_not_null(strstr(err.text, "XCR0"), "%s", err.text);
}
