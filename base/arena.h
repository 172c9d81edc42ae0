#ifndef BASE_ARENA_H
#define BASE_ARENA_H

/* Bump allocation that is released all at once: per-event memory. */
#include "base/span.h"

struct arena {
	struct arena_block *head;
};

void *arena_alloc(struct arena *a, size_t size); /* 16-byte aligned, zeroed */
void *arena_raw(struct arena *a, size_t size);	 /* the same, not zeroed */
void *arena_dup(struct arena *a, const void *p, size_t size);
char *arena_strdup(struct arena *a, const char *s);
struct span arena_span(struct arena *a, struct span s); /* a copy */
void arena_clear(struct arena *a);   /* forget everything, keep a block */
void arena_free(struct arena *a);

#endif
