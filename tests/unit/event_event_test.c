#include "event/event.h"

#include <criterion/criterion.h>

#include "base/mem.h"
#include "event/item.h"

/* Stored in every recording: this list only ever grows. */
Test(event_event, stored_kind_ids_do_not_change)
{
	static const char *const golden[] = {
		[1] = "header", [2] = "birth",	   [3] = "enter",
		[4] = "exit",	[5] = "syscall",   [6] = "insn",
		[7] = "signal", [8] = "exec",	   [9] = "death",
		[10] = "file",	[11] = "memory",   [12] = "warning",
		[13] = "sched", [14] = "checksum", [15] = "stop",
		[16] = "end",	[17] = "lost",	   [18] = "chaos",
	};

	for (unsigned i = 1; i < ARRAY_LEN(golden); i++) {
		cr_assert_str_eq(event_kind_name(i), golden[i]);
		cr_assert_eq(event_kind_by_name(golden[i]), i);
	}
	cr_assert_str_eq(event_kind_name(0), "?");
	cr_assert_str_eq(event_kind_name(ARRAY_LEN(golden)), "?");
	cr_assert_eq(event_kind_by_name("nothing"), 0);
}

Test(event_event, stored_item_ids_do_not_change)
{
	cr_assert_eq(ITEM_MEM, 1);
	cr_assert_eq(ITEM_MEM_BLOB, 2);
	cr_assert_eq(ITEM_IN, 3);
	cr_assert_eq(ITEM_IN_BLOB, 4);
	cr_assert_eq(ITEM_REGS, 5);
	cr_assert_eq(ITEM_XSTATE, 6);
	cr_assert_eq(ITEM_SIGINFO, 7);
	cr_assert_eq(ITEM_MAP, 8);
	cr_assert_eq(ITEM_FILE, 9);
	cr_assert_eq(ITEM_KV, 10);
	cr_assert_eq(ITEM_TEXT, 11);
	cr_assert_eq(ITEM_MEM_TASK, 12);
	cr_assert_eq(ITEM_FD, 13);
	cr_assert_eq(ITEM_REGION, 14);
	cr_assert_eq(ITEM_ZERO, 15);
	cr_assert_eq(ITEM_PATCH, 16);
	cr_assert_eq(ITEM_POINT, 17);
	cr_assert_eq(ITEM_PAGES, 18);
}

Test(event_event, equal_looks_at_every_field)
{
	const struct event a = { .seq = 1 };
	struct event b;

#define DIFFERS(field)                                                         \
	do {                                                                   \
		b = a;                                                         \
		b.field++;                                                     \
		cr_assert_not(event_equal(&a, &b), #field);                    \
	} while (0)
	DIFFERS(seq);
	DIFFERS(time_ns);
	DIFFERS(dur_ns);
	DIFFERS(task);
	DIFFERS(flags);
	DIFFERS(kind);
	DIFFERS(call);
	DIFFERS(reghash);
	DIFFERS(pc);
	DIFFERS(sp);
	DIFFERS(args[0]);
	DIFFERS(args[5]);
	DIFFERS(ret);
#undef DIFFERS
	b = a;
	cr_assert(event_equal(&a, &b));
	b.payload = span_str("x");
	cr_assert_not(event_equal(&a, &b));
}
