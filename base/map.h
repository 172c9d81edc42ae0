#ifndef BASE_MAP_H
#define BASE_MAP_H

/* A hash map from 64-bit keys to pointers. Zero-initialised is empty. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map {
	struct map_slot *slots;
	size_t len;
	size_t cap;
};

void *map_get(const struct map *m, uint64_t key); /* NULL when absent */
bool map_has(const struct map *m, uint64_t key);
void map_set(struct map *m, uint64_t key, void *value);
void *map_del(struct map *m, uint64_t key); /* what was there, or NULL */
/* Iterate: size_t i = 0; while (map_next(&m, &i, &key, &val)) ... ; the map
 * must not change meanwhile. */
bool map_next(const struct map *m, size_t *it, uint64_t *key, void **value);
void map_free(struct map *m); /* values are not touched */

#endif
