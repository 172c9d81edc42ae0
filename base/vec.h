#ifndef BASE_VEC_H
#define BASE_VEC_H

/*
 * Typed growing arrays: VEC(struct task *) tasks = {0};
 * vec_push(&tasks, t); tasks.v[i]; tasks.len; vec_free(&tasks).
 */
#include "base/mem.h"
#include <stddef.h>
#include <string.h>

#define VEC(type)           \
	struct {            \
		type *v;    \
		size_t len; \
		size_t cap; \
	}

void *vec_grow_(void *v, size_t *cap, size_t need, size_t elem);

#define vec_reserve(vec, n)                                                  \
	((vec)->cap >= (n) ? (void)0 :                                       \
			     (void)((vec)->v = vec_grow_((vec)->v, &(vec)->cap, \
							 (n), sizeof(*(vec)->v))))
#define vec_push(vec, x) \
	(vec_reserve((vec), (vec)->len + 1), (void)((vec)->v[(vec)->len++] = (x)))
/* Remove element i by moving the last one there; order is lost. */
#define vec_swap_remove(vec, i) ((void)((vec)->v[i] = (vec)->v[--(vec)->len]))
/* Remove element i, keeping the order. */
#define vec_remove(vec, i)                                                   \
	(memmove(&(vec)->v[i], &(vec)->v[(i) + 1],                           \
		 ((vec)->len - (i) - 1) * sizeof(*(vec)->v)),                \
	 (void)(vec)->len--)
#define vec_clear(vec) ((void)((vec)->len = 0))
#define vec_free(vec) \
	(mem_free((vec)->v), (vec)->v = NULL, (void)((vec)->len = (vec)->cap = 0))

#endif
