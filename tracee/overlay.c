#include "tracee/overlay.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

static size_t
place_of(const struct overlay *o, uint64_t addr)
{
	size_t i = o->v.len;

	/* They come in order, mostly. */
	while (i > 0 && o->v.v[i - 1]->addr >= addr)
		i--;
	return i;
}

/* The page as it is before anything was changed. */
static int
fill(const struct overlay *o, struct overlay_page *p)
{
	uint64_t key = (p->addr - o->base) / OVERLAY_PAGE + 1;
	const void *known = o->known ? map_get(&o->known->pages, key) : NULL;
	int ret = 0;

	if (known != NULL)
		memcpy(p->bytes, known, sizeof(p->bytes));
	else
		ret = mem_read_all(&o->mem, p->addr, p->bytes,
				   sizeof(p->bytes));
	if (ret == 0 && known == NULL && o->known != NULL)
		map_set(&o->known->pages, key,
			mem_dup(p->bytes, sizeof(p->bytes)));
	return ret;
}

static struct overlay_page *
page_at(struct overlay *o, uint64_t addr)
{
	size_t i = place_of(o, addr);
	struct overlay_page *p;

	if (i < o->v.len && o->v.v[i]->addr == addr)
		return o->v.v[i];
	p = mem_alloc(sizeof(*p));
	p->addr = addr;
	p->from = p->to = 0;
	if (fill(o, p) < 0) {
		mem_free(p);
		return NULL;
	}
	vec_push(&o->v, p);
	memmove(&o->v.v[i + 1], &o->v.v[i],
		(o->v.len - 1 - i) * sizeof(o->v.v[0]));
	o->v.v[i] = p;
	return p;
}

int
overlay_read(struct overlay *o, uint64_t addr, void *out, size_t n)
{
	uint8_t *to = out;

	while (n > 0) {
		size_t at = (size_t)(addr % OVERLAY_PAGE);
		size_t take = OVERLAY_PAGE - at < n ? OVERLAY_PAGE - at : n;
		const struct overlay_page *p = page_at(o, addr - at);

		if (p == NULL)
			return -EFAULT;
		memcpy(to, p->bytes + at, take);
		addr += take;
		to += take;
		n -= take;
	}
	return 0;
}

static void
change(struct overlay_page *p, size_t at, const uint8_t *from, size_t n)
{
	size_t end = at + n;

	while (at < end && p->bytes[at] == *from) {
		at++;
		from++;
	}
	while (end > at && p->bytes[end - 1] == from[end - 1 - at])
		end--;
	if (at == end)
		return;
	memcpy(p->bytes + at, from, end - at);
	if (p->from == p->to) {
		p->from = at;
		p->to = end;
	}
	p->from = at < p->from ? at : p->from;
	p->to = end > p->to ? end : p->to;
}

int
overlay_write(struct overlay *o, uint64_t addr, const void *bytes, size_t n)
{
	const uint8_t *from = bytes;

	while (n > 0) {
		size_t at = (size_t)(addr % OVERLAY_PAGE);
		size_t take = OVERLAY_PAGE - at < n ? OVERLAY_PAGE - at : n;
		struct overlay_page *p = page_at(o, addr - at);

		if (p == NULL)
			return -EFAULT;
		change(p, at, from, take);
		addr += take;
		from += take;
		n -= take;
	}
	return 0;
}

int
overlay_flush(struct overlay *o)
{
	struct buf run = { 0 };
	uint64_t start = 0;
	int ret = 0;

	for (size_t i = 0; i < o->v.len && ret == 0; i++) {
		struct overlay_page *p = o->v.v[i];
		const struct overlay_page *next =
			i + 1 < o->v.len ? o->v.v[i + 1] : NULL;
		bool goes_on = next != NULL && next->from != next->to &&
			       next->addr == p->addr + OVERLAY_PAGE;
		size_t from = run.len > 0 ? 0 : p->from;
		size_t to = goes_on ? OVERLAY_PAGE : p->to;

		if (p->from == p->to)
			continue;
		if (run.len == 0)
			start = p->addr + from;
		buf_put(&run, p->bytes + from, to - from);
		p->from = p->to = 0;
		if (goes_on)
			continue;
		ret = mem_write_all(&o->mem, start, run.p, run.len);
		buf_clear(&run);
	}
	buf_free(&run);
	return ret;
}

void
overlay_release(struct overlay *o)
{
	for (size_t i = 0; i < o->v.len; i++)
		mem_free(o->v.v[i]);
	vec_free(&o->v);
}

void
overlay_forget(struct overlay_known *k)
{
	uint64_t key;
	void *page;
	size_t it = 0;

	while (map_next(&k->pages, &it, &key, &page))
		mem_free(page);
	map_free(&k->pages);
}
