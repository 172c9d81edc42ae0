#include "base/arena.h"

#include <string.h>

#include "base/mem.h"

#define ALIGN 16u
#define BLOCK_SIZE (64u * 1024)

struct arena_block {
	struct arena_block *next;
	size_t size;
	size_t used;
	_Alignas(ALIGN) uint8_t data[];
};

static struct arena_block *
block_new(size_t size)
{
	struct arena_block *b;

	if (size > SIZE_MAX - sizeof(*b))
		die("out of memory: %zu bytes", size);
	b = mem_alloc(sizeof(*b) + size);
	b->next = NULL;
	b->size = size;
	b->used = 0;
	return b;
}

/* A block with room for size bytes. What is large gets a block of its own
 * behind the head, so that the rest of the head stays in use. */
static struct arena_block *
block_for(struct arena *a, size_t size)
{
	struct arena_block *b = a->head;

	if (b && size <= b->size - b->used)
		return b;
	if (b && size > BLOCK_SIZE / 4) {
		b = block_new(size);
		b->next = a->head->next;
		a->head->next = b;
		return b;
	}
	b = block_new(size > BLOCK_SIZE ? size : BLOCK_SIZE);
	b->next = a->head;
	a->head = b;
	return b;
}

static void *
take(struct arena *a, size_t size)
{
	struct arena_block *b;
	void *p;

	if (size > SIZE_MAX - ALIGN)
		die("out of memory: %zu bytes", size);
	size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	b = block_for(a, size);
	p = b->data + b->used;
	b->used += size;
	return p;
}

void *
arena_alloc(struct arena *a, size_t size)
{
	return memset(take(a, size), 0, size);
}

void *
arena_raw(struct arena *a, size_t size)
{
	return take(a, size);
}

void *
arena_dup(struct arena *a, const void *p, size_t size)
{
	void *copy = take(a, size);

	if (size > 0)
		memcpy(copy, p, size);
	return copy;
}

char *
arena_strdup(struct arena *a, const char *s)
{
	return arena_dup(a, s, strlen(s) + 1);
}

struct span
arena_span(struct arena *a, struct span s)
{
	return span_of(arena_dup(a, s.p, s.len), s.len);
}

void
arena_clear(struct arena *a)
{
	struct arena_block *keep = NULL;
	struct arena_block *b, *next;

	for (b = a->head; b; b = next) {
		next = b->next;
		if (!keep && b->size == BLOCK_SIZE)
			keep = b;
		else
			mem_free(b);
	}
	if (keep) {
		keep->next = NULL;
		keep->used = 0;
	}
	a->head = keep;
}

void
arena_free(struct arena *a)
{
	struct arena_block *b, *next;

	for (b = a->head; b; b = next) {
		next = b->next;
		mem_free(b);
	}
	a->head = NULL;
}
