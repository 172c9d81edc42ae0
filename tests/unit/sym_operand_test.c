#include <criterion/criterion.h>

#include "sym/operand.h"

static const struct regs regs = {
	.rax = 0x1122334455667788,
	.rbx = 0x1000,
	.rcx = 4,
	.rsp = 0x7000,
	.r12 = 0x2000,
	.rip = 0x400000,
	.fs_base = 0x9000,
};

static struct operand
find(const char *code, size_t n)
{
	struct operand o;

	cr_assert(operand_find(span_of(code, n), &regs, &o));
	return o;
}

#define FIND(code) find(code, sizeof(code) - 1)

Test(operand, a_load_by_base_index_and_displacement)
{
	struct operand o = FIND("\x8b\x44\xcb\x10"); /* mov 16(rbx,rcx,8) */

	cr_assert_eq(o.addr, 0x1000 + 4 * 8 + 16);
	cr_assert_eq(o.size, 4);
	cr_assert(o.read && !o.write && !o.locked && !o.private);
}

Test(operand, a_store_by_rip)
{
	struct operand o = FIND("\xc7\x05\x10\x00\x00\x00\x01\x00\x00\x00");

	cr_assert_eq(o.addr, 0x400000 + 10 + 0x10);
	cr_assert(!o.read && o.write);
}

Test(operand, a_counter_is_read_and_written)
{
	struct operand o = FIND("\xf0\x49\xff\x04\x24"); /* lock inc (r12) */

	cr_assert_eq(o.addr, 0x2000);
	cr_assert_eq(o.size, 8);
	cr_assert(o.read && o.write && o.locked && !o.compares);
}

Test(operand, what_a_compare_and_exchange_expects)
{
	struct operand o = FIND("\xf0\x0f\xb1\x0b"); /* lock cmpxchg (rbx) */

	cr_assert_eq(o.addr, 0x1000);
	cr_assert(o.compares && o.locked);
	cr_assert_eq(o.expect, 0x55667788, "as wide as the operand");
}

Test(operand, thread_local_memory_is_the_tasks_own)
{
	struct operand o = FIND("\x64\x8b\x04\x25\x28\x00\x00\x00");

	cr_assert_eq(o.addr, 0x9028);
	cr_assert(o.private);
}

Test(operand, where_an_indirect_call_goes)
{
	struct operand o = FIND("\xff\xd3"); /* call rbx */

	cr_assert_eq(o.target, 0x1000);
	cr_assert(!o.indirect);
	o = FIND("\x41\xff\x54\x24\x08"); /* call 8(r12) */
	cr_assert(o.indirect);
	cr_assert_eq(o.addr, 0x2008);
}

Test(operand, an_address_is_no_access)
{
	struct operand o = FIND("\x48\x8d\x43\x08"); /* lea 8(rbx) */

	cr_assert_eq(o.addr, 0);
	cr_assert(!o.read && !o.write);
}

Test(operand, what_is_no_instruction)
{
	struct operand o;

	cr_assert_not(operand_find(span_of("\x06", 1), &regs, &o));
	cr_assert_not(operand_find(span_of("\x8b", 1), &regs, &o));
}
