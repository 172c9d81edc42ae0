#include "sym/decode.h"

#include "base/mem.h"

#include <criterion/criterion.h>
#include <stdlib.h>

Test(sym_decode, tells_special_instructions_and_lengths)
{
	static const struct {
		uint8_t code[8];
		size_t len;
		uint8_t cls, reg, bits;
	} want[] = {
		{ { 0x0f, 0x05 }, 2, INSN_SYSCALL, 0, 0 },
		{ { 0x0f, 0x31 }, 2, INSN_RDTSC, 0, 0 },
		{ { 0x0f, 0x01, 0xf9 }, 3, INSN_RDTSCP, 0, 0 },
		{ { 0x0f, 0xa2 }, 2, INSN_CPUID, 0, 0 },
		{ { 0x0f, 0xc7, 0xf0 }, 3, INSN_RDRAND, 0, 32 },
		{ { 0x49, 0x0f, 0xc7, 0xf1 }, 4, INSN_RDRAND, 9, 64 },
		{ { 0x48, 0x0f, 0xc7, 0xfa }, 4, INSN_RDSEED, 2, 64 },
		{ { 0xf3, 0x0f, 0xc7, 0xf8 }, 4, INSN_RDPID, 0, 64 },
		{ { 0x90 }, 1, INSN_OTHER, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct insn in;

		decode_insn(span_of(want[i].code, want[i].len), &in);
		cr_assert_eq(in.len, want[i].len, "case %zu", i);
		cr_assert_eq(in.cls, want[i].cls, "case %zu", i);
		cr_assert_eq(in.reg, want[i].reg, "case %zu", i);
		cr_assert_eq(in.bits, want[i].bits, "case %zu", i);
	}
}

Test(sym_decode, a_bad_byte_is_one_byte_long)
{
	static const uint8_t bad[] = { 0x06, 0x90 };
	struct insn in;

	decode_insn(span_of(bad, sizeof(bad)), &in);
	cr_assert_eq(in.cls, INSN_INVALID);
	cr_assert_eq(in.len, 1);
}

Test(sym_decode, finds_sites_and_not_their_look_alikes)
{
	/* nop; mov $0xa20f, %eax (no CPUID); cpuid; rex.w rdrand %rbx; ret */
	static const uint8_t code[] = { 0x90, 0xb8, 0x0f, 0xa2, 0, 0, 0x0f,
					0xa2, 0x48, 0x0f, 0xc7, 0xf3, 0xc3 };
	struct insn_site *s;
	size_t n;

	decode_find_sites(span_of(code, sizeof(code)), NULL, 0, &s, &n);
	cr_assert_eq(n, 2);
	cr_assert_eq(s[0].offset, 6);
	cr_assert_eq(s[0].insn.cls, INSN_CPUID);
	cr_assert_eq(s[1].offset, 8);
	cr_assert_eq(s[1].insn.cls, INSN_RDRAND);
	cr_assert_eq(s[1].insn.reg, 3);
	mem_free(s);
}

Test(sym_decode, starts_put_the_sweep_in_step)
{
	/* data that would swallow the CPUID if it were decoded from 0 */
	static const uint8_t code[] = { 0xb8, 0x0f, 0xa2, 0x90, 0x90, 0xc3 };
	static const uint64_t starts[] = { 1 };
	struct insn_site *s;
	size_t n;

	decode_find_sites(span_of(code, sizeof(code)), starts, 1, &s, &n);
	cr_assert_eq(n, 1);
	cr_assert_eq(s[0].offset, 1);
	mem_free(s);
}
