#include "base/clock.h"

#include <criterion/criterion.h>
#include <time.h>

Test(base_clock, monotonic_time_does_not_go_back)
{
	uint64_t a = clock_now_ns();
	uint64_t b = clock_now_ns();

	cr_assert_gt(a, 0);
	cr_assert_geq(b, a);
}

Test(base_clock, real_time_is_the_time_of_day)
{
	uint64_t now = (uint64_t)time(NULL);
	uint64_t real = clock_real_ns() / 1000000000u;

	cr_assert_geq(real + 1, now);
	cr_assert_leq(real, now + 10);
}
