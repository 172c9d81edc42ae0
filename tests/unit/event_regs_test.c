#include "event/regs.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/user.h>

Test(event_regs, the_layout_is_the_kernels)
{
	cr_assert_eq(sizeof(struct regs), sizeof(struct user_regs_struct));
	cr_assert_eq(offsetof(struct regs, rax),
		     offsetof(struct user_regs_struct, rax));
	cr_assert_eq(offsetof(struct regs, eflags),
		     offsetof(struct user_regs_struct, eflags));
	cr_assert_eq(offsetof(struct regs, fs_base),
		     offsetof(struct user_regs_struct, fs_base));
	cr_assert_eq(offsetof(struct regs, gs),
		     offsetof(struct user_regs_struct, gs));
}

Test(event_regs, every_register_is_in_the_table_once)
{
	size_t n = 0;
	uint32_t seen = 0;

	for (; reg_table[n].name; n++)
		seen |= 1u << (reg_table[n].offset / 8);
	cr_assert_eq(n, sizeof(struct regs) / 8);
	cr_assert_eq(seen, (1u << n) - 1);
}

Test(event_regs, the_hash_sees_what_a_program_computes_with_and_nothing_else)
{
	struct regs r;
	uint32_t hash;

	memset(&r, 0, sizeof(r));
	hash = regs_hash(&r);
	cr_assert_neq(hash, 0);
	for (size_t i = 0; reg_table[i].name; i++) {
		const char *name = reg_table[i].name;
		/* Compared by events themselves, or not the program's. */
		static const char none[] = " rax rip rsp rcx r11 orig_rax cs "
					   "ss ds es fs gs ";
		char word[20];
		uint64_t v = 0x40; /* ZF, when it is eflags */
		struct regs d = r;

		memcpy((char *)&d + reg_table[i].offset, &v, sizeof(v));
		cr_assert_eq(regs_get(&d, i), v);
		snprintf(word, sizeof(word), " %s ", name);
		if (strstr(none, word))
			cr_assert_eq(regs_hash(&d), hash, "%s", name);
		else
			cr_assert_neq(regs_hash(&d), hash, "%s", name);
	}
	r.eflags = 0x10302; /* RF, TF, IF, the fixed bit */
	cr_assert_eq(regs_hash(&r), hash);
}

/* Stored in recordings. */
Test(event_regs, the_hash_does_not_change)
{
	struct regs r;

	memset(&r, 0x11, sizeof(r));
	cr_assert_eq(regs_hash(&r), 0xfd7bfda6, "%#x", regs_hash(&r));
}
