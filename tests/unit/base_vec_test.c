#include "base/vec.h"

#include <criterion/criterion.h>
#include <stdint.h>

Test(base_vec, pushes_keep_their_order)
{
	VEC(int) v = { 0 };

	for (int i = 0; i < 1000; i++)
		vec_push(&v, i);
	cr_assert_eq(v.len, 1000);
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(v.v[i], i);
	vec_clear(&v);
	cr_assert_eq(v.len, 0);
	vec_free(&v);
	cr_assert_null(v.v);
	cr_assert_eq(v.cap, 0);
}

Test(base_vec, removing_keeps_the_order_or_not)
{
	VEC(char) v = { 0 };

	for (char c = 'a'; c <= 'e'; c++)
		vec_push(&v, c);
	vec_remove(&v, 1);
	cr_assert_arr_eq(v.v, "acde", 4);
	vec_swap_remove(&v, 0);
	cr_assert_arr_eq(v.v, "ecd", 3);
	vec_remove(&v, 2);
	cr_assert_arr_eq(v.v, "ec", 2);
	vec_free(&v);
}

Test(base_vec, reserve_is_enough)
{
	VEC(uint64_t) v = { 0 };
	uint64_t *before;

	vec_reserve(&v, 100);
	before = v.v;
	for (uint64_t i = 0; i < 100; i++)
		vec_push(&v, i);
	cr_assert_eq(v.v, before);
	vec_free(&v);
}

Test(base_vec, structs_are_elements_too)
{
	struct pair {
		int a, b;
	};
	VEC(struct pair) v = { 0 };

	vec_push(&v, ((struct pair){ 1, 2 }));
	cr_assert_eq(v.v[0].b, 2);
	vec_free(&v);
}

Test(base_vec, an_absurd_size_dies, .exit_code = 125)
{
	VEC(uint64_t) v = { 0 };

	vec_reserve(&v, SIZE_MAX / 4);
}
