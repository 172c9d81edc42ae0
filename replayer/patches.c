#include "replayer/patches.h"

#include "base/mem.h"

#define PAGE 4096u

static uint64_t
page_of(uint64_t addr)
{
	return addr & ~(uint64_t)(PAGE - 1);
}

/* What is there from the first to the last of them, with all in place. */
static bool
merge(const struct space *s, const struct patches *p, uint64_t *start,
      uint8_t out[PAGE], size_t *len)
{
	uint64_t from = UINT64_MAX, to = 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct item *it = &p->v[i];

		from = it->addr < from ? it->addr : from;
		to = it->addr + it->bytes.len > to ? it->addr + it->bytes.len
						   : to;
	}
	if (p->n < 2 ||
	    mem_read_all(&s->mem, from, out, (size_t)(to - from)) < 0)
		return false;
	for (size_t i = 0; i < p->n; i++)
		memcpy(out + (p->v[i].addr - from), p->v[i].bytes.p,
		       p->v[i].bytes.len);
	*start = from;
	*len = (size_t)(to - from);
	return true;
}

int
patches_flush(struct replayer *r, struct space *s, struct patches *p,
	      struct err *err)
{
	uint8_t bytes[PAGE];
	uint64_t start;
	size_t len;
	int ret = 0;

	if (merge(s, p, &start, bytes, &len))
		ret = image_write(r, s, start, span_of(bytes, len), err);
	else
		for (size_t i = 0; i < p->n && ret == 0; i++)
			ret = image_write(r, s, p->v[i].addr, p->v[i].bytes,
					  err);
	p->n = 0;
	return ret;
}

int
patches_add(struct replayer *r, struct space *s, struct patches *p,
	    const struct item *it, struct err *err)
{
	const uint64_t page = page_of(it->addr);
	int ret = 0;

	if (s == NULL)
		return err_set(err, E_FORMAT,
			       "memory of a task without memory");
	if (it->bytes.len == 0)
		return 0;
	if (p->n == sizeof(p->v) / sizeof(p->v[0]) ||
	    (p->n > 0 && page_of(p->v[0].addr) != page))
		ret = patches_flush(r, s, p, err);
	if (ret < 0)
		return ret;
	if (page_of(it->addr + it->bytes.len - 1) != page) {
		ret = patches_flush(r, s, p, err);
		return ret < 0 ? ret
			       : image_write(r, s, it->addr, it->bytes, err);
	}
	p->v[p->n++] = *it;
	return 0;
}
