#include "replayer/patches.h"

#include "base/mem.h"

#include <errno.h>
#include <sys/mman.h>

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

static int
flush_list(struct replayer *r, struct space *s, struct patches *p,
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

static int
flush_code(struct patches *p, struct err *err)
{
	int ret = p->end == 0 ? 0 : overlay_flush(&p->o);

	if (ret < 0)
		err_set(err, EFAULT, "code at 0x%lx cannot be patched",
			p->start);
	overlay_release(&p->o);
	p->o = (struct overlay){ .known = NULL };
	p->start = p->end = 0;
	return ret;
}

void
patches_init(struct patches *p, const struct event *ev)
{
	p->ev = ev;
	p->n = 0;
	p->start = p->end = 0;
	p->o = (struct overlay){ .known = NULL };
}

void
patches_drop(struct patches *p)
{
	overlay_release(&p->o);
	patches_init(p, p->ev);
}

int
patches_flush(struct replayer *r, struct space *s, struct patches *p,
	      struct err *err)
{
	int ret = flush_list(r, s, p, err);

	return ret < 0 ? ret : flush_code(p, err);
}

/* Where the event maps the file that addr shows. */
static bool
find_map(const struct event *ev, uint64_t addr, struct map_rec *out)
{
	struct item_reader ir;
	struct item it;

	item_reader_init(&ir, ev->payload);
	while (item_next(&ir, &it, NULL) > 0)
		if (it.kind == ITEM_MAP && item_get_map(&it, out, NULL) == 0 &&
		    addr - out->start < out->len)
			return out->file != 0 && out->shared_id == 0;
	return false;
}

/* 1: the item is about such code, and in p->o. */
static int
add_code(struct replayer *r, const struct space *s, struct patches *p,
	 const struct item *it, struct err *err)
{
	struct map_rec m;
	struct pfile *f;
	int ret;

	if (it->addr - p->start >= p->end - p->start) {
		if (!find_map(p->ev, it->addr, &m))
			return 0;
		ret = flush_code(p, err);
		f = ret == 0 ? file_get(r, m.file, err) : NULL;
		if (f == NULL)
			return ret < 0 ? ret : -E_FORMAT;
		p->start = m.start;
		p->end = m.start + m.len;
		p->o.mem = s->mem;
		p->o.known = (m.prot & PROT_WRITE) != 0 ? NULL : &f->pages;
		p->o.base = m.start - m.offset;
	}
	if (it->addr + it->bytes.len > p->end)
		return 0;
	ret = overlay_write(&p->o, it->addr, it->bytes.p, it->bytes.len);
	return ret < 0 ? err_set(err, -ret, "code at 0x%lx cannot be patched",
				 it->addr)
		       : 1;
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
	ret = add_code(r, s, p, it, err);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	if (p->n == sizeof(p->v) / sizeof(p->v[0]) ||
	    (p->n > 0 && page_of(p->v[0].addr) != page))
		ret = flush_list(r, s, p, err);
	if (ret < 0)
		return ret;
	if (page_of(it->addr + it->bytes.len - 1) != page) {
		ret = flush_list(r, s, p, err);
		return ret < 0 ? ret
			       : image_write(r, s, it->addr, it->bytes, err);
	}
	p->v[p->n++] = *it;
	return 0;
}
