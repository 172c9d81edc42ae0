#include "base/map.h"

#include "base/mem.h"

#define CAP_MIN 16u

/*
 * Open addressing with linear probing; cap is a power of two, at most three
 * quarters full. Deleting shifts later slots back, so there are no
 * tombstones.
 */
struct map_slot {
	uint64_t key;
	void *value;
	bool used;
};

/* The finaliser of splitmix64: addresses and tids differ in few bits. */
static size_t
home(const struct map *m, uint64_t key)
{
	key ^= key >> 30;
	key *= 0xbf58476d1ce4e5b9u;
	key ^= key >> 27;
	key *= 0x94d049bb133111ebu;
	key ^= key >> 31;
	return (size_t)key & (m->cap - 1);
}

/* The slot of key, or the free one where it would go. cap > 0. */
static struct map_slot *
find(const struct map *m, uint64_t key)
{
	size_t i = home(m, key);

	while (m->slots[i].used && m->slots[i].key != key)
		i = (i + 1) & (m->cap - 1);
	return &m->slots[i];
}

void *
map_get(const struct map *m, uint64_t key)
{
	struct map_slot *s;

	if (m->len == 0)
		return NULL;
	s = find(m, key);
	return s->used ? s->value : NULL;
}

bool
map_has(const struct map *m, uint64_t key)
{
	return m->len > 0 && find(m, key)->used;
}

static void
grow(struct map *m)
{
	struct map old = *m;

	m->cap = old.cap ? old.cap * 2 : CAP_MIN;
	m->slots = mem_calloc(m->cap, sizeof(*m->slots));
	for (size_t i = 0; i < old.cap; i++) {
		if (old.slots[i].used)
			*find(m, old.slots[i].key) = old.slots[i];
	}
	mem_free(old.slots);
}

void
map_set(struct map *m, uint64_t key, void *value)
{
	struct map_slot *s;

	if (m->len >= m->cap / 4 * 3)
		grow(m);
	s = find(m, key);
	if (!s->used)
		m->len++;
	*s = (struct map_slot){ key, value, true };
}

/* Fill the hole at i with those that probing had pushed beyond it. */
static void
close_hole(struct map *m, size_t i)
{
	size_t mask = m->cap - 1;

	for (size_t j = (i + 1) & mask; m->slots[j].used; j = (j + 1) & mask) {
		size_t h = home(m, m->slots[j].key);

		if (((j - h) & mask) >= ((j - i) & mask)) {
			m->slots[i] = m->slots[j];
			i = j;
		}
	}
	m->slots[i] = (struct map_slot){ 0 };
}

void *
map_del(struct map *m, uint64_t key)
{
	struct map_slot *s;
	void *value;

	if (m->len == 0)
		return NULL;
	s = find(m, key);
	if (!s->used)
		return NULL;
	value = s->value;
	m->len--;
	close_hole(m, (size_t)(s - m->slots));
	return value;
}

bool
map_next(const struct map *m, size_t *it, uint64_t *key, void **value)
{
	while (*it < m->cap) {
		const struct map_slot *s = &m->slots[(*it)++];

		if (!s->used)
			continue;
		*key = s->key;
		*value = s->value;
		return true;
	}
	return false;
}

void
map_free(struct map *m)
{
	mem_free(m->slots);
	*m = (struct map){ 0 };
}
