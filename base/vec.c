#include "base/vec.h"

#include <stdint.h>

void *
vec_grow_(void *v, size_t *cap, size_t need, size_t elem)
{
	size_t n = *cap < 4 ? 8 : *cap * 2;

	if (n < need)
		n = need;
	if (n > SIZE_MAX / elem)
		die("out of memory: %zu times %zu bytes", n, elem);
	*cap = n;
	return mem_realloc(v, n * elem);
}
