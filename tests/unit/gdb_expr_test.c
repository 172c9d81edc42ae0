#include "gdb/expr.h"

#include <criterion/criterion.h>
#include <string.h>

/* Register n holds 1000 + n; at address A is the byte A & 0xff, up to 0xffff.
 */
static bool
reg(void *ctx, unsigned n, uint64_t *out)
{
	(void)ctx;
	*out = 1000 + n;
	return n < 16;
}

static bool
read_bytes(void *ctx, uint64_t addr, void *out, size_t n)
{
	uint8_t *p = out;

	(void)ctx;
	if (addr >= 0x10000 || n > 0x10000 - addr)
		return false;
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(addr + i);
	return true;
}

static const struct expr_env env = { reg, read_bytes, NULL };

static void
gives(uint64_t want, const char *code, size_t n)
{
	uint64_t v = 0xdead;

	cr_assert(expr_eval(&env, span_of(code, n), &v));
	cr_assert_eq(v, want, "%lu, not %lu", v, want);
}

static void
fails(const char *code, size_t n)
{
	uint64_t v = 0xdead;

	cr_assert_not(expr_eval(&env, span_of(code, n), &v));
	cr_assert_eq(v, 0xdead, "untouched");
}

#define GIVES(want, code) gives((uint64_t)(want), code, sizeof(code) - 1)
#define FAILS(code) fails(code, sizeof(code) - 1)
/* two small numbers, one operation */
#define TWO(a, b, op) "\x22" a "\x22" b op "\x27"

Test(gdb_expr, numbers_are_big_endian)
{
	GIVES(0x12, "\x22\x12\x27");
	GIVES(0x1234, "\x23\x12\x34\x27");
	GIVES(0x12345678, "\x24\x12\x34\x56\x78\x27");
	GIVES(0x123456789abcdef0, "\x25\x12\x34\x56\x78\x9a\xbc\xde\xf0\x27");
}

Test(gdb_expr, arithmetic_is_that_of_64_bits)
{
	GIVES(7 + 3, TWO("\x07", "\x03", "\x02"));
	GIVES(7 - 3, TWO("\x07", "\x03", "\x03"));
	GIVES(3 - 7, TWO("\x03", "\x07", "\x03"));
	GIVES(7 * 3, TWO("\x07", "\x03", "\x04"));
	GIVES(7 / 3, TWO("\x07", "\x03", "\x05"));
	GIVES(7 % 3, TWO("\x07", "\x03", "\x08"));
	GIVES(7 << 3, TWO("\x07", "\x03", "\x09"));
	GIVES(7 >> 1, TWO("\x07", "\x01", "\x0b"));
	GIVES(0, TWO("\x07", "\x40", "\x09"));
	GIVES(7 & 3, TWO("\x07", "\x03", "\x0f"));
	GIVES(7 ^ 3, TWO("\x07", "\x03", "\x11"));
	GIVES(0, TWO("\x07", "\x03", "\x13"));
	GIVES(1, TWO("\x03", "\x07", "\x14"));
	/* -1 (8 bits) extended, against 1 */
	GIVES(1, "\x22\xff\x16\x08\x22\x01\x14\x27");
	GIVES(0, "\x22\xff\x16\x08\x22\x01\x15\x27");
	GIVES(-1, "\x22\xff\x16\x08\x22\x3f\x0a\x27");
	GIVES(0xff, "\x23\x12\xff\x2a\x08\x27");
	/* the one signed division that overflows */
	GIVES(INT64_MIN, "\x25\x80\0\0\0\0\0\0\0\x22\xff\x16\x08\x05\x27");
	GIVES(0, "\x25\x80\0\0\0\0\0\0\0\x22\xff\x16\x08\x07\x27");
}

Test(gdb_expr, memory_and_registers_are_the_environments)
{
	GIVES(1003, "\x26\0\x03\x27");
	GIVES(0x34, "\x23\x12\x34\x17\x27");
	GIVES(0x3534, "\x23\x12\x34\x18\x27");
	GIVES(0x37363534, "\x23\x12\x34\x19\x27");
	GIVES(0x3b3a393837363534, "\x23\x12\x34\x1a\x27");
	FAILS("\x26\0\x10\x27");
	FAILS("\x24\0\x01\0\0\x17\x27");
}

Test(gdb_expr, the_stack_is_turned_as_told)
{
	GIVES(1, TWO("\x01", "\x02", "\x2b"));		      /* swap */
	GIVES(2, "\x22\x01\x22\x02\x22\x03\x33\x27");	      /* rot */
	GIVES(3, "\x22\x01\x22\x02\x22\x03\x33\x29\x29\x27"); /* below */
	GIVES(1, "\x22\x01\x22\x02\x22\x03\x32\x02\x27");     /* pick */
	GIVES(4, "\x22\x02\x28\x02\x27");		      /* dup */
	FAILS("\x22\x01\x2b\x27");
	FAILS("\x22\x01\x32\x01\x27");
}

Test(gdb_expr, jumps_choose)
{
	/* if (c) 7 else 9 */
	GIVES(7, "\x22\x01\x20\0\x08\x22\x09\x27\x22\x07\x27");
	GIVES(9, "\x22\0\x20\0\x08\x22\x09\x27\x22\x07\x27");
	FAILS("\x21\0\x63\x27");
}

Test(gdb_expr, what_is_broken_has_no_value)
{
	FAILS("");
	FAILS("\x27");		   /* nothing on the stack */
	FAILS("\x22\x01");	   /* no end */
	FAILS("\x22");		   /* half a number */
	FAILS("\x25\x01\x27");	   /* the same */
	FAILS("\x02\x27");	   /* nothing to add */
	FAILS("\x22\x01\x01\x27"); /* no such operation */
	FAILS("\x22\x01\xff\x27");
	FAILS(TWO("\x07", "\0", "\x05")); /* by zero */
	FAILS(TWO("\x07", "\0", "\x08"));
	FAILS("\x21\0\0");	   /* for ever */
	FAILS("\x22\x01\x21\0\0"); /* until the stack is full */
}
