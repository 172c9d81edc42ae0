#include "base/fault.h"

#include <criterion/criterion.h>
#include <stdlib.h>

Test(base_fault, nothing_fails_by_default)
{
	unsetenv("PASTIME_FAULT");
	for (int i = 0; i < 10; i++)
		cr_assert_not(fault_hit(FAULT_spool_write));
}

Test(base_fault, a_bare_name_is_the_first_time)
{
	setenv("PASTIME_FAULT", "db_connect", 1);
	cr_assert(fault_hit(FAULT_db_connect));
	cr_assert_not(fault_hit(FAULT_db_connect));
	cr_assert_not(fault_hit(FAULT_spool_write));
}

Test(base_fault, the_nth_time_alone_or_from_then_on)
{
	setenv("PASTIME_FAULT", "db_copy:2,blob_read:2+", 1);
	for (int i = 1; i <= 4; i++) {
		cr_assert_eq(fault_hit(FAULT_db_copy), i == 2);
		cr_assert_eq(fault_hit(FAULT_blob_read), i >= 2);
	}
}

Test(base_fault, an_unknown_name_dies, .exit_code = 125)
{
	setenv("PASTIME_FAULT", "no_such_point", 1);
	fault_hit(FAULT_db_copy);
}

Test(base_fault, a_bad_count_dies, .exit_code = 125)
{
	setenv("PASTIME_FAULT", "db_copy:2x", 1);
	fault_hit(FAULT_db_copy);
}
