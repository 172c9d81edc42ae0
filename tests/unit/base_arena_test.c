#include "base/arena.h"

#include <criterion/criterion.h>

Test(base_arena, memory_is_aligned_and_zeroed)
{
	static const uint8_t zero[40];
	struct arena a = { 0 };

	for (size_t n = 0; n < 40; n++) {
		uint8_t *p = arena_alloc(&a, n);

		cr_assert_eq((uintptr_t)p % 16, 0);
		cr_assert_arr_eq(p, zero, n);
		memset(p, 0xff, n);
	}
	arena_clear(&a);
	cr_assert_arr_eq(arena_alloc(&a, 40), zero, 40);
	arena_free(&a);
}

Test(base_arena, large_pieces_do_not_waste_the_current_block)
{
	struct arena a = { 0 };
	char *small = arena_alloc(&a, 16);
	char *large = arena_alloc(&a, 1 << 20);
	char *next = arena_alloc(&a, 16);

	memset(large, 1, 1 << 20);
	cr_assert_eq(next, small + 16);
	arena_free(&a);
}

Test(base_arena, many_pieces_keep_their_content)
{
	struct arena a = { 0 };
	uint32_t *v[5000];

	for (uint32_t i = 0; i < 5000; i++)
		v[i] = arena_dup(&a, &i, sizeof(i));
	for (uint32_t i = 0; i < 5000; i++)
		cr_assert_eq(*v[i], i);
	arena_free(&a);
}

Test(base_arena, strings_and_spans_are_copied)
{
	struct arena a = { 0 };
	char text[] = "hello";
	char *s = arena_strdup(&a, text);
	struct span b = arena_span(&a, span_of(text, 5));
	struct span none = arena_span(&a, (struct span){ 0 });

	text[0] = 'j';
	cr_assert_str_eq(s, "hello");
	cr_assert(span_eq(b, span_str("hello")));
	cr_assert_eq(none.len, 0);
	arena_free(&a);
	arena_free(&a);
}

Test(base_arena, clearing_keeps_a_block)
{
	struct arena a = { 0 };
	void *first = arena_alloc(&a, 100);

	arena_alloc(&a, 1 << 20);
	arena_clear(&a);
	cr_assert_eq(arena_alloc(&a, 100), first);
	arena_free(&a);
	arena_clear(&a);
}

Test(base_arena, an_absurd_size_dies, .exit_code = 125)
{
	struct arena a = { 0 };

	arena_alloc(&a, SIZE_MAX - 8);
}
