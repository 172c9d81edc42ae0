/*
 * Code that makes room for a jump is run, moved and unmoved: each window of the
 * programs below is patched in turn, and what they return must stay the same.
 */
#include "sym/move.h"

#include "base/mem.h"

#include <criterion/criterion.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define AREA 0x10000u

/* Self-contained functions of two arguments. */
__asm__(".section .rodata\n"
	".globl move_loops, move_branches, move_calls, move_data, move_end\n"
	"move_loops:\n"
	"	mov $10, %ecx\n"
	"	xor %eax, %eax\n"
	"1:	add %rcx, %rax\n"
	"	loop 1b\n"
	"	mov %rdi, %rcx\n"
	"2:	jrcxz 3f\n"
	"	dec %rcx\n"
	"	add %rsi, %rax\n"
	"	jmp 2b\n"
	"3:	add $1, %rdi\n"
	"	cmp $40, %rdi\n"
	"	jne 3b\n"
	"	add %rdi, %rax\n"
	"	ret\n"
	"move_branches:\n"
	"	push %rbx\n"
	"	push %rbp\n"
	"	mov %rdi, %rbx\n"
	"	xor %ebp, %ebp\n"
	"1:	test $1, %bl\n"
	"	je 2f\n"
	"	lea 3(%rbx,%rsi,2), %rbx\n"
	"	jmp 3f\n"
	"2:	shr $1, %rbx\n"
	"3:	inc %ebp\n"
	"	cmp $100, %ebp\n"
	"	jb 1b\n"
	"	setc %al\n"
	"	movzbl %al, %eax\n"
	"	add %rbx, %rax\n"
	"	add %rbp, %rax\n"
	"	pop %rbp\n"
	"	pop %rbx\n"
	"	ret\n"
	"move_calls:\n"
	"	push %rbx\n"
	"	mov %rdi, %rbx\n"
	"	xor %eax, %eax\n"
	"	call 5f\n"
	"	lea 5f(%rip), %rdx\n"
	"	call *%rdx\n"
	"	mov %rdx, -16(%rsp)\n"
	"	lea -16(%rsp), %r8\n"
	"	call *(%r8)\n"
	"	xchg %ax, %ax\n"
	"	call 6f\n"
	"	pop %rbx\n"
	"	ret\n"
	"	int3\n"
	"5:	add %rbx, %rax\n"
	"	add %rsi, %rax\n"
	"	ret\n"
	"	nop\n"
	"	nop\n"
	"	nop\n"
	"	nop\n"
	"6:	mov (%rsp), %rcx\n" /* the return address is the program's */
	"	mov (%rcx), %cl\n"
	"	cmp $0x5b, %cl\n"
	"	jne 7f\n"
	"	add $1000, %rax\n"
	"7:	ret\n"
	"move_data:\n"
	"	mov 8f(%rip), %eax\n"
	"	add 9f(%rip), %eax\n"
	"	cmpb $7, 8f(%rip)\n"
	"	jne 7f\n"
	"	addl $5, %eax\n"
	"7:	lea 6f(%rip), %rdx\n"
	"	jmp *%rdx\n"
	"	int3\n"
	"	int3\n"
	"	int3\n"
	"6:	vpxor %xmm1, %xmm1, %xmm1\n"
	"	vmovd 9f(%rip), %xmm1\n"
	"	vmovd %xmm1, %ecx\n"
	"	add %ecx, %eax\n"
	"	vzeroupper\n"
	"	ret\n"
	"	hlt\n" /* data from here on */
	"	.balign 4\n"
	"8:	.long 7\n"
	"9:	.long 0x11223344\n"
	"move_end:\n"
	".previous\n");

extern const uint8_t move_loops[], move_branches[], move_calls[], move_data[],
	move_end[];

typedef uint64_t function(uint64_t, uint64_t);

struct area {
	uint8_t *code; /* a function of the above */
	uint8_t *stub; /* its moved instructions, in reach */
};

static struct area
areas(void)
{
	uint8_t *p = mmap(NULL, 64 * AREA, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(p, MAP_FAILED);
	return (struct area){ p, p + 63 * AREA };
}

static uint64_t
call(const uint8_t *code, uint64_t a, uint64_t b)
{
	return ((function *)(uintptr_t)code)(a, b);
}

/* Replace what is at pc by a jump to its moved self. */
static void
patch(const struct area *a, const struct window *w)
{
	uint64_t to = (uint64_t)(uintptr_t)a->stub, slot = to + 256;
	uint8_t *at = a->code + (w->pc - (uint64_t)(uintptr_t)a->code);
	struct moved m;
	int32_t rel = (int32_t)(to - (w->pc + 5));

	cr_assert(window_move(w, to, to, slot, &m));
	cr_assert_leq(m.len, MOVED_MAX);
	memset(a->stub, 0xcc, 264);
	memcpy(a->stub, m.bytes, m.len);
	memcpy(a->stub + 256, &m.ret, 8);
	at[0] = 0xe9;
	memcpy(at + 1, &rel, 4);
}

/* Each window of [from, to), one after the other. Returns how many. */
static unsigned
try_all(const uint8_t *from, const uint8_t *to)
{
	struct area a = areas();
	size_t len = (size_t)(to - from);
	uint64_t base = (uint64_t)(uintptr_t)a.code;
	unsigned n = 0;
	uint64_t want[2];
	size_t at = 0;

	memcpy(a.code, from, len);
	want[0] = call(a.code, 5, 12);
	want[1] = call(a.code, 27, 3);
	while (at < len) {
		struct span rest = span_of(a.code + at, len - at);
		struct window w;
		struct code c;

		if (!code_decode(rest, base + at, &c) || c.bytes[0] == 0xf4)
			break;
		if (window_at(rest, base + at, &w) &&
		    !window_has_target(&w, span_of(a.code, len), base)) {
			patch(&a, &w);
			cr_assert_eq(call(a.code, 5, 12), want[0],
				     "window at %zu", at);
			cr_assert_eq(call(a.code, 27, 3), want[1],
				     "window at %zu", at);
			memcpy(a.code, from, len);
			n++;
		}
		at += c.len;
	}
	munmap(a.code, 64 * AREA);
	return n;
}

/* A loop that is moved as a whole, each of its instructions in turn the one
 * that the jump leads to. Returns how many. */
static unsigned
try_loops(const uint8_t *from, const uint8_t *to, bool split)
{
	struct area a = areas();
	size_t len = (size_t)(to - from), at = 0;
	uint64_t base = (uint64_t)(uintptr_t)a.code;
	uint8_t *entry = a.stub + 1024;
	struct span code = span_of(a.code, len);
	unsigned n = 0;
	uint64_t want;

	memcpy(a.code, from, len);
	want = call(a.code, 27, 3);
	for (struct code c; at < len; at += c.len) {
		static struct moved_code first, rest;
		struct window w;
		struct loop l;
		int32_t rel;

		if (!code_decode(span_of(a.code + at, len - at), base + at,
				 &c) ||
		    c.bytes[0] == 0xf4)
			break;
		if (!loop_at(code, base, base + at, &l) ||
		    !window_at(span_of(a.code + at, len - at), base + at, &w) ||
		    window_has_target(&w, code, base))
			continue;
		rest.to = (uint64_t)(uintptr_t)entry + 1;
		entry[0] = 0x90;
		cr_assert(loop_move(&l, (uint64_t)(uintptr_t)entry, split,
				    &first, &rest));
		memcpy((void *)(uintptr_t)first.to, first.bytes, first.len);
		memcpy((void *)(uintptr_t)rest.to, rest.bytes, rest.len);
		rel = (int32_t)(entry - (a.code + at + 5));
		a.code[at] = 0xe9;
		memcpy(a.code + at + 1, &rel, 4);
		cr_assert_eq(call(a.code, 27, 3), want, "loop at %zu", at);
		memcpy(a.code, from, len);
		n++;
	}
	munmap(a.code, 64 * AREA);
	return n;
}

Test(sym_move, whole_loops_run_alike_elsewhere)
{
	cr_assert_geq(try_loops(move_loops, move_branches, false), 4);
	cr_assert_geq(try_loops(move_loops, move_branches, true), 4);
	cr_assert_geq(try_loops(move_branches, move_calls, false), 5);
	cr_assert_geq(try_loops(move_branches, move_calls, true), 5);
}

Test(sym_move, moved_loops_run_alike)
{
	cr_assert_geq(try_all(move_loops, move_branches), 6);
}

Test(sym_move, moved_branches_run_alike)
{
	cr_assert_geq(try_all(move_branches, move_calls), 8);
}

Test(sym_move, moved_calls_leave_the_return_address)
{
	cr_assert_geq(try_all(move_calls, move_data), 7);
}

Test(sym_move, operands_relative_to_rip_stay_the_same)
{
	if (!__builtin_cpu_supports("avx"))
		cr_skip_test("no AVX");
	cr_assert_geq(try_all(move_data, move_end), 7);
}

static bool
window(const char *bytes, size_t n, struct window *w)
{
	return window_at(span_of(bytes, n), 0x1000, w);
}

#define WINDOW(s, w) window(s, sizeof(s) - 1, w)

Test(sym_move, what_cannot_be_a_window)
{
	struct window w;

	/* syscall; after two short ones */
	cr_assert_not(WINDOW("\x0f\x05\x90\x90\x90\x90", &w));
	cr_assert_not(WINDOW("\x90\x90\x0f\x05\x90\x90", &w));
	cr_assert_not(WINDOW("\xcc\x90\x90\x90\x90\x90", &w));
	/* ret; what follows may be jumped to ... */
	cr_assert_not(WINDOW("\xc3\x31\xc0\x31\xc0\x31", &w));
	/* ... padding may not */
	cr_assert(WINDOW("\xc3\x90\x90\x90\x90", &w));
	cr_assert(WINDOW("\xc3\xcc\xcc\x66\x90", &w));
	cr_assert(WINDOW("\xc3\x66\x2e\x0f\x1f\x84\0\0\0\0\0", &w));
	cr_assert_eq(w.count, 1);
	cr_assert_eq(w.inner, 0);
	/* a call that returns into it: call *%rax; mov */
	cr_assert_not(WINDOW("\xff\xd0\x48\x89\xc3\x90", &w));
	/* mov; call *%rax: returns behind it */
	cr_assert(WINDOW("\x48\x89\xc3\xff\xd0\x90", &w));
	/* mov; call *8(%rsp): the push moves its operand */
	cr_assert_not(WINDOW("\x48\x89\xc3\xff\x54\x24\x08", &w));
	/* the end of the mapping */
	cr_assert_not(WINDOW("\x48\x89\xc3", &w));
	/* lea (%eip) */
	cr_assert_not(WINDOW("\x67\x48\x8d\x05\0\0\0\0", &w));
}

Test(sym_move, inner_instructions_are_told)
{
	struct window w;

	/* push %rbx; push %rbp; mov %rdi,%rbx */
	cr_assert(WINDOW("\x53\x55\x48\x89\xfb\x31\xc0", &w));
	cr_assert_eq(w.count, 3);
	cr_assert_eq(w.len, 5);
	cr_assert_eq(w.inner, 1u << 1 | 1u << 2);
}

Test(sym_move, branches_into_a_window_are_seen)
{
	/* 0: xor; xor; nop  5: jmp 2  7: jmp 1 (not a start)  9: jmp 5 */
	static const uint8_t code[] = { 0x31, 0xc0, 0x31, 0xdb, 0x90, 0xeb,
					0xfb, 0x90, 0x90, 0xeb, 0xfa };
	struct window w;

	cr_assert(window_at(span_of(code, sizeof(code)), 0x1000, &w));
	cr_assert(window_has_target(&w, span_of(code, sizeof(code)), 0x1000));
	/* without the first jump nobody lands inside */
	cr_assert_not(window_has_target(&w, span_of(code + 7, 4), 0x1007));
	/* a displacement that looks like the jump is none: mov $0xfbeb, %eax */
	static const uint8_t data[] = { 0x31, 0xc0, 0x31, 0xdb, 0x90,
					0xb8, 0xeb, 0xfa, 0x00, 0x00 };

	cr_assert_not(
		window_has_target(&w, span_of(data, sizeof(data)), 0x1000));
}

static bool
dead(const char *code, size_t n)
{
	return code_flags_dead(span_of(code, n), 0x1000, 0x1000);
}

#define DEAD(s) dead(s, sizeof(s) - 1)

Test(sym_move, flags_are_dead_when_all_ways_overwrite_them)
{
	cr_assert(DEAD("\x48\x83\xc0\x01\xc3"));     /* add; ret */
	cr_assert(DEAD("\x89\xc3\x31\xc0"));	     /* mov; xor */
	cr_assert_not(DEAD("\x74\x02\x31\xc0"));     /* je */
	cr_assert_not(DEAD("\x48\xff\xc8\xc3"));     /* dec leaves CF; ret */
	cr_assert_not(DEAD("\x0f\x94\xc0\x31\xc0")); /* sete */
	cr_assert_not(DEAD("\xd3\xe0\xc3"));	     /* shl %cl: maybe not */
	cr_assert_not(DEAD("\xf3\xa6\xc3"));	     /* repe cmpsb: maybe not */
	cr_assert_not(DEAD("\x89\xc3\xe8\0\0\0\0\x31\xc0")); /* a call */
	cr_assert_not(DEAD("\x9c\x31\xc0"));		     /* pushf */
	cr_assert_not(DEAD("\x0f\x05\x31\xc0"));	     /* syscall: r11 */
	/* dec; jne to itself; sub: both ways */
	cr_assert(DEAD("\x48\xff\xc8\x75\xfb\x83\xe8\x01"));
	cr_assert_not(DEAD("\x48\xff\xc8\x75\xfb\x72\x01\x90\xc3"));
	/* jmp over a reader */
	cr_assert(DEAD("\xeb\x02\x74\x00\x31\xc0"));
	/* an endless loop that never looks */
	cr_assert(DEAD("\x90\xeb\xfd"));
	/* out of sight */
	cr_assert_not(DEAD("\x90\x90"));
}

Test(sym_move, next_window_of_straight_code)
{
	static const uint8_t code[] = { 0x0f, 0x05, 0xb8, 1, 0, 0, 0 };
	struct window w;

	cr_assert_not(window_next(span_of(code, sizeof(code)), 0x1000, &w));
	cr_assert(window_next(span_of(code + 2, 5), 0x1002, &w));
	cr_assert_eq(w.pc, 0x1002);
	/* call *%rax cannot; the mov behind it can */
	static const uint8_t after[] = { 0xff, 0xd0, 0xb8, 1, 0, 0, 0 };

	cr_assert(window_next(span_of(after, sizeof(after)), 0x1000, &w));
	cr_assert_eq(w.pc, 0x1002);
}

static sigjmp_buf back;
static uint64_t trapped_at;

static void
on_trap(int signo, siginfo_t *si, void *context)
{
	const ucontext_t *uc = context;

	trapped_at =
		(uint64_t)uc->uc_mcontext.gregs[REG_RIP] - (signo == SIGTRAP);
	siglongjmp(back, 1);
}

static void
expect_trap(uint8_t *code, int byte, int next)
{
	memset(code, next, 16);
	code[0] = (uint8_t)byte;
	trapped_at = 0;
	if (sigsetjmp(back, 1) == 0)
		call(code, 0, 0);
	cr_assert_eq(trapped_at, (uint64_t)(uintptr_t)code, "%02x", code[0]);
}

/* Whatever bytes follow. */
Test(sym_move, trap_bytes_trap)
{
	static const int signals[] = { SIGTRAP, SIGILL, SIGSEGV };
	struct sigaction sa = { .sa_sigaction = on_trap,
				.sa_flags = SA_SIGINFO | SA_NODEFER };
	struct area a = areas();
	unsigned n = 0;
	int byte;

	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		sigaction(signals[i], &sa, NULL);
	while ((byte = window_trap_byte(n++)) >= 0)
		for (int next = 0; next < 256; next++)
			expect_trap(a.code, byte, next);
	cr_assert_geq(n, 20);
	munmap(a.code, 64 * AREA);
}
