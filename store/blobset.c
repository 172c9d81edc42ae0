#include "store/blobset.h"

#include <string.h>

#include "base/mem.h"

/* Ids are hashes: their own bytes say where to begin. */
static size_t
slot_of(const struct blobset *s, const struct blob_id *id)
{
	uint64_t h;
	size_t i;

	memcpy(&h, id->b, sizeof(h));
	i = h & (s->cap - 1);
	while (s->values[i] && memcmp(&s->ids[i], id, sizeof(*id)) != 0)
		i = (i + 1) & (s->cap - 1);
	return i;
}

static void
grow(struct blobset *s)
{
	struct blobset bigger = { .cap = s->cap ? s->cap * 2 : 256,
				  .len = s->len };

	bigger.ids = mem_calloc(bigger.cap, sizeof(*bigger.ids));
	bigger.values = mem_calloc(bigger.cap, sizeof(*bigger.values));
	for (size_t i = 0; i < s->cap; i++) {
		size_t to;

		if (!s->values[i])
			continue;
		to = slot_of(&bigger, &s->ids[i]);
		bigger.ids[to] = s->ids[i];
		bigger.values[to] = s->values[i];
	}
	blobset_free(s);
	*s = bigger;
}

bool
blobset_add(struct blobset *s, const struct blob_id *id, uint32_t value,
	    uint32_t *out_value)
{
	size_t i;

	if (s->len * 2 >= s->cap)
		grow(s);
	i = slot_of(s, id);
	if (s->values[i]) {
		if (out_value)
			*out_value = s->values[i] - 1;
		return false;
	}
	s->ids[i] = *id;
	s->values[i] = value + 1;
	s->len++;
	return true;
}

bool
blobset_get(const struct blobset *s, const struct blob_id *id,
	    uint32_t *out_value)
{
	size_t i;

	if (s->len == 0)
		return false;
	i = slot_of(s, id);
	if (!s->values[i])
		return false;
	*out_value = s->values[i] - 1;
	return true;
}

void
blobset_clear(struct blobset *s)
{
	if (s->cap)
		memset(s->values, 0, s->cap * sizeof(*s->values));
	s->len = 0;
}

void
blobset_free(struct blobset *s)
{
	mem_free(s->ids);
	mem_free(s->values);
	*s = (struct blobset){ 0 };
}
