#include "base/span.h"

#include <criterion/criterion.h>

Test(base_span, equal_means_the_same_bytes)
{
	cr_assert(span_eq(span_str("abc"), span_of("abcd", 3)));
	cr_assert_not(span_eq(span_str("abc"), span_str("abd")));
	cr_assert_not(span_eq(span_str("abc"), span_str("ab")));
}

Test(base_span, empty_spans_are_equal_wherever_they_are)
{
	cr_assert(span_eq(span_str(""), (struct span){ 0 }));
}
