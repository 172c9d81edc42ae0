#include "base/map.h"

#include <criterion/criterion.h>

static void *
value_of(uint64_t n)
{
	return (void *)(uintptr_t)(n + 1);
}

Test(base_map, an_empty_map_has_nothing)
{
	struct map m = { 0 };
	size_t it = 0;
	uint64_t key;
	void *value;

	cr_assert_null(map_get(&m, 0));
	cr_assert_not(map_has(&m, 0));
	cr_assert_null(map_del(&m, 0));
	cr_assert_not(map_next(&m, &it, &key, &value));
	map_free(&m);
}

Test(base_map, a_null_value_is_there)
{
	struct map m = { 0 };

	map_set(&m, 0, NULL);
	cr_assert(map_has(&m, 0));
	cr_assert_null(map_get(&m, 0));
	cr_assert_eq(m.len, 1);
	map_free(&m);
	cr_assert_eq(m.len, 0);
}

Test(base_map, setting_again_replaces)
{
	struct map m = { 0 };

	map_set(&m, 5, value_of(1));
	map_set(&m, 5, value_of(2));
	cr_assert_eq(m.len, 1);
	cr_assert_eq(map_get(&m, 5), value_of(2));
	cr_assert_eq(map_del(&m, 5), value_of(2));
	cr_assert_not(map_has(&m, 5));
	map_free(&m);
}

/* Against a plain array: sets, deletes and looks up at random. */
Test(base_map, agrees_with_an_array)
{
	enum { KEYS = 500 };
	void *model[KEYS] = { 0 };
	bool have[KEYS] = { 0 };
	struct map m = { 0 };
	uint64_t rnd = 88172645463325252u;
	size_t len = 0;

	for (int step = 0; step < 200000; step++) {
		rnd ^= rnd << 13;
		rnd ^= rnd >> 7;
		rnd ^= rnd << 17;
		size_t k = rnd % KEYS;
		uint64_t key = k << 12; /* like page addresses */

		if (rnd >> 40 & 1) {
			map_set(&m, key, value_of(rnd));
			model[k] = value_of(rnd);
			len += !have[k];
			have[k] = true;
		} else {
			cr_assert_eq(map_del(&m, key),
				     have[k] ? model[k] : NULL);
			len -= have[k];
			have[k] = false;
		}
		cr_assert_eq(m.len, len);
		k = (rnd >> 20) % KEYS;
		cr_assert_eq(map_has(&m, k << 12), have[k]);
		cr_assert_eq(map_get(&m, k << 12), have[k] ? model[k] : NULL);
	}
	map_free(&m);
}

Test(base_map, iteration_meets_every_key_once)
{
	struct map m = { 0 };
	bool seen[1000] = { 0 };
	size_t it = 0, n = 0;
	uint64_t key;
	void *value;

	for (uint64_t i = 0; i < 1000; i++)
		map_set(&m, i, value_of(i));
	while (map_next(&m, &it, &key, &value)) {
		cr_assert_lt(key, 1000);
		cr_assert_not(seen[key]);
		cr_assert_eq(value, value_of(key));
		seen[key] = true;
		n++;
	}
	cr_assert_eq(n, 1000);
	map_free(&m);
}
