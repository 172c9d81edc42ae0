#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>

#include "agent/abi.h"
#include "tracee/cpuid_stub.h"

struct answer {
	uint64_t a, b, c, d, flags_in, flags_out;
	uint64_t rsi, rdi, r8, r15; /* as they were afterwards */
};

/* The stub in place, in this process. What it does before CPUID: mov %esi,
 * %eax.
 */
static void
map_stub(const struct cpuid_stubs *s, uint64_t after)
{
	static const uint8_t pre[2] = { 0x89, 0xf0 };
	struct buf b = { 0 };
	void *p =
		mmap((void *)AGENT_BASE, AGENT_SIZE,
		     PROT_READ | PROT_WRITE | PROT_EXEC,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	cr_assert_eq((uint64_t)p, AGENT_BASE);
	memcpy((void *)AGENT_CPUID_TABLE, s->table.p, s->table.len);
	cpuid_stub_put(s, 3, span_of(pre, sizeof(pre)), after, &b);
	cr_assert_eq(b.len, AGENT_CPUID_STUB_SIZE);
	memcpy((void *)(AGENT_CPUID_STUBS + 3 * AGENT_CPUID_STUB_SIZE), b.p,
	       b.len);
	buf_free(&b);
}

extern const char stub_test_after[];

static void
ask(uint32_t leaf, uint32_t subleaf, uint64_t flags, struct answer *out)
{
	uint64_t slot = AGENT_CPUID_STUBS + 3 * AGENT_CPUID_STUB_SIZE;
	register uint64_t r8 __asm__("r8") = 0x8888888888888888;
	register uint64_t r9 __asm__("r9") = slot;
	register uint64_t r10 __asm__("r10");
	register uint64_t r15 __asm__("r15") = flags;
	uint64_t a = 0xaaaaaaaaaaaaaaaa, b = 0xbbbbbbbbbbbbbbbb;
	uint64_t c = 0xcccccccc00000000 | subleaf, d = 0xdddddddddddddddd;
	uint64_t rsi = leaf, rdi = 0x7777777777777777;

	/* The pushes go below the red zone. */
	__asm__ volatile("lea	-128(%%rsp), %%rsp\n"
			 "	push	%%r15\n"
			 "	popfq\n"
			 "	jmp	*(%%r9)\n"
			 ".globl stub_test_after\n"
			 "stub_test_after:\n"
			 "	pushfq\n"
			 "	pop	%%r10\n"
			 "	lea	128(%%rsp), %%rsp\n"
			 : "+a"(a), "+b"(b), "+c"(c), "+d"(d), "+S"(rsi),
			   "+D"(rdi), "+r"(r8), "+r"(r9), "=r"(r10), "+r"(r15)
			 :
			 : "memory", "cc");
	*out = (struct answer){ a, b, c, d, flags, r10, rsi, rdi, r8, r15 };
}

/* Status flags, in all of their combinations, and the direction flag. */
static uint64_t
flags_of(unsigned i)
{
	return 0x202u | (i & 1) | (i & 2) << 1 | (i & 4) << 2 | (i & 8) << 3 |
	       (i & 16) << 3 | (i & 32) << 6 | (i & 64) << 4;
}

static void
check(const struct cpuid_table *t, uint32_t leaf, uint32_t subleaf, unsigned i)
{
	struct answer got;
	uint32_t v[4];

	ask(leaf, subleaf, flags_of(i), &got);
	cpuid_answer(t, leaf, subleaf, v);
	cr_assert(got.a == v[0] && got.b == v[1] && got.c == v[2] &&
			  got.d == v[3],
		  "%x.%x: %lx %lx %lx %lx, expected %x %x %x %x", leaf, subleaf,
		  got.a, got.b, got.c, got.d, v[0], v[1], v[2], v[3]);
	cr_assert_eq(got.flags_out, got.flags_in, "%lx became %lx",
		     got.flags_in, got.flags_out);
	cr_assert_eq(got.rsi, leaf);
	cr_assert_eq(got.rdi, 0x7777777777777777);
	cr_assert_eq(got.r8, 0x8888888888888888);
	cr_assert_eq(got.r15, got.flags_in);
}

static void
check_all(const struct cpuid_table *t)
{
	static const uint32_t bases[] = { 0,	      0x40000000, 0x40000100,
					  0x80000000, 0x80860000, 0x1234,
					  0xffffffc0 };
	struct cpuid_stubs s;
	unsigned n = 0;

	cr_assert(cpuid_stubs_init(&s, t));
	map_stub(&s, (uint64_t)stub_test_after);
	for (size_t k = 0; k < sizeof(bases) / sizeof(bases[0]); k++)
		for (uint32_t l = bases[k]; l - bases[k] < 0x40; l++)
			for (uint32_t i = 0; i < 70; i++)
				check(t, l, i, n++);
	check(t, UINT32_MAX, UINT32_MAX, 0);
	check(t, 0xb, 0x1234567, 0);
	check(t, 4, 0x80000000, 0);
	munmap((void *)AGENT_BASE, AGENT_SIZE);
	cpuid_stubs_free(&s);
}

Test(tracee_cpuid_stub, answers_as_the_tracer_does)
{
	struct cpuid_table t;

	cpuid_capture(&t);
	check_all(&t);
	cpuid_free(&t);
}

/* Beyond its last leaf Intel repeats the last basic one. */
Test(tracee_cpuid_stub, of_the_other_vendor_too)
{
	static struct cpuid_row rows[] = {
		{ 0, 0, 0xb, 0x756e6547, 0x6c65746e, 0x49656e69 },
		{ 1, 0, 1, 2, 3, 4 },
		{ 4, 0, 0x21, 5, 6, 7 },
		{ 4, 1, 0, 0, 0, 0 },
		{ 7, 0, 1, 8, 9, 10 },
		{ 7, 1, 11, 0, 0, 0 },
		{ 0xb, 0, 1, 2, 0x100, 0 },
		{ 0xb, 1, 4, 4, 0x201, 0 },
		{ 0xb, 2, 0, 0, 2, 0 },
		{ 0x80000000, 0, 0x80000008, 0, 0, 0 },
		{ 0x80000008, 0, 0x3027, 0, 0, 0 },
	};
	struct cpuid_table t = { rows, sizeof(rows) / sizeof(rows[0]) };

	check_all(&t);
}

Test(tracee_cpuid_stub, what_would_not_fit_has_no_stubs)
{
	static struct cpuid_row rows[300];
	struct cpuid_table t = { rows, 300 };
	struct cpuid_stubs s;

	rows[0].eax = 299;
	for (uint32_t i = 1; i < 300; i++)
		rows[i].leaf = i;
	cr_assert_not(cpuid_stubs_init(&s, &t));
	rows[0].eax = 0x7fffffff; /* and none that takes for ever to say no */
	t.len = 1;
	cr_assert_not(cpuid_stubs_init(&s, &t));
}

Test(tracee_cpuid_stub, its_jump_is_known_again)
{
	static const uint8_t other[7] = { 0xff, 0x24, 0x25, 0, 0, 2, 0x70 };
	uint8_t code[12];

	cpuid_stub_jump(5, code, sizeof(code));
	cr_assert(cpuid_stub_is_jump(code));
	cr_assert_eq(code[11], 0xcc);
	cr_assert_not(cpuid_stub_is_jump(other));
}
