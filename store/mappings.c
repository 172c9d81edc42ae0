#include "store/mappings.h"

#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/mem.h"
#include "event/item.h"

#define PAGE 4096u
#define HEAP_FLAGS (MAP_PRIVATE | MAP_ANONYMOUS)

struct space_iv {
	unsigned tasks;
	uint64_t brk; /* 0 = not known */
	VEC(struct mapping_iv *) live;
};

static struct space_iv *
space_of(struct intervals *iv, uint32_t number)
{
	struct space_iv *s = map_get(&iv->by_space, number);

	if (!s) {
		s = mem_zalloc(sizeof(*s));
		map_set(&iv->by_space, number, s);
	}
	return s;
}

static uint64_t
page_up(uint64_t v)
{
	return (v + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

/* A row like m for [start, end) from now on. */
static void
put(struct intervals *iv, struct space_iv *s, const struct mapping_iv *m,
    uint64_t start, uint64_t end, uint64_t seq)
{
	struct mapping_iv *row = mem_dup(m, sizeof(*m));

	row->seq = seq;
	row->to_seq = 0;
	if (m->file)
		row->offset += start - m->start;
	row->start = start;
	row->len = end - start;
	vec_push(&iv->mappings, row);
	vec_push(&s->live, row);
}

/* Nothing of [start, end) is mapped any more. */
static void
cut(struct intervals *iv, struct space_iv *s, uint64_t start, uint64_t end,
    uint64_t seq)
{
	for (size_t i = s->live.len; i-- > 0;) {
		struct mapping_iv *m = s->live.v[i], was = *m;
		uint64_t m_end = m->start + m->len;

		if (m->start >= end || m_end <= start)
			continue;
		/* What lasted for no event at all never was. */
		m->to_seq = seq;
		m->dropped = m->seq == seq;
		vec_swap_remove(&s->live, i);
		if (was.start < start)
			put(iv, s, &was, was.start, start, seq);
		if (m_end > end)
			put(iv, s, &was, end, m_end, seq);
	}
}

static void
map(struct intervals *iv, struct space_iv *s, const struct mapping_iv *m,
    uint64_t seq)
{
	cut(iv, s, m->start, m->start + m->len, seq);
	put(iv, s, m, m->start, m->start + m->len, seq);
}

static void
protect(struct intervals *iv, struct space_iv *s, uint64_t start, uint64_t end,
	uint32_t prot, uint64_t seq)
{
	VEC(struct mapping_iv) hit = { 0 };

	for (size_t i = 0; i < s->live.len; i++) {
		struct mapping_iv m = *s->live.v[i];
		uint64_t from = m.start > start ? m.start : start;
		uint64_t to = m.start + m.len < end ? m.start + m.len : end;

		if (from >= to || m.prot == prot)
			continue;
		m.offset += m.file ? from - m.start : 0;
		m.start = from;
		m.len = to - from;
		m.prot = prot;
		vec_push(&hit, m);
	}
	for (size_t i = 0; i < hit.len; i++)
		map(iv, s, &hit.v[i], seq);
	vec_free(&hit);
}

static const struct mapping_iv *
find(const struct space_iv *s, uint64_t addr)
{
	for (size_t i = 0; i < s->live.len; i++) {
		const struct mapping_iv *m = s->live.v[i];

		if (addr >= m->start && addr - m->start < m->len)
			return m;
	}
	return NULL;
}

static void
on_brk(struct intervals *iv, struct space_iv *s, uint32_t space,
       const struct event *ev)
{
	uint64_t was = page_up(s->brk), now = page_up((uint64_t)ev->ret);
	struct mapping_iv m = { .space = space,
				.start = was,
				.len = now - was,
				.prot = PROT_READ | PROT_WRITE,
				.flags = HEAP_FLAGS };

	if (s->brk && now > was && !find(s, was))
		map(iv, s, &m, ev->seq);
	else if (s->brk && now < was)
		cut(iv, s, now, was, ev->seq);
	s->brk = (uint64_t)ev->ret;
}

/* Before its items: where it was. */
static void
on_mremap(struct intervals *iv, struct space_iv *s, const struct event *ev)
{
	const uint64_t *a = ev->args;
	const struct mapping_iv *old = find(s, a[0]);
	uint64_t old_len = page_up(a[1]);
	struct mapping_iv m;

	if (!old)
		return;
	m = *old;
	m.offset += m.file ? a[0] - m.start : 0;
	m.start = (uint64_t)ev->ret;
	m.len = page_up(a[2]);
	if (old_len && !(a[3] & MREMAP_DONTUNMAP))
		cut(iv, s, a[0], a[0] + old_len, ev->seq);
	map(iv, s, &m, ev->seq);
}

static void
on_call(struct intervals *iv, struct space_iv *s, uint32_t space,
	const struct event *ev)
{
	const uint64_t *a = ev->args;
	const struct mapping_iv *m;

	if (ev->flags & EVF_ERROR)
		return;
	switch (ev->call) {
	case SYS_munmap:
		cut(iv, s, a[0], a[0] + page_up(a[1]), ev->seq);
		break;
	case SYS_mprotect:
	case SYS_pkey_mprotect:
		protect(iv, s, a[0], a[0] + page_up(a[1]), (uint32_t)a[2] & 7,
			ev->seq);
		break;
	case SYS_mremap:
		on_mremap(iv, s, ev);
		break;
	case SYS_shmdt:
		m = find(s, a[0]);
		if (m && m->start == a[0])
			cut(iv, s, m->start, m->start + m->len, ev->seq);
		break;
	}
}

bool
mappings_want(int call)
{
	switch (call) {
	case SYS_mmap:
	case SYS_munmap:
	case SYS_mprotect:
	case SYS_pkey_mprotect:
	case SYS_mremap:
	case SYS_shmat:
	case SYS_shmdt:
	case SYS_brk:
		return true;
	}
	return false;
}

void
mappings_event(struct intervals *iv, uint32_t space, const struct event *ev)
{
	struct space_iv *s = space_of(iv, space);
	struct item_reader ir;
	struct map_rec m;
	struct item it;

	if (ev->kind != EV_exec)
		on_call(iv, s, space, ev);
	item_reader_init(&ir, ev->payload);
	while (item_next(&ir, &it, NULL) > 0) {
		struct mapping_iv row = { .space = space };

		if (it.kind != ITEM_MAP || item_get_map(&it, &m, NULL) < 0 ||
		    m.len == 0)
			continue;
		row.start = m.start;
		row.len = m.len;
		row.file = m.file;
		row.offset = m.offset;
		row.prot = m.prot;
		row.flags = m.flags;
		row.shared = m.shared_id != 0;
		map(iv, s, &row, ev->seq);
	}
	if (ev->kind != EV_exec && ev->call == SYS_brk)
		on_brk(iv, s, space, ev);
}

void
mappings_enter(struct intervals *iv, uint32_t space)
{
	space_of(iv, space)->tasks++;
}

void
mappings_birth(struct intervals *iv, const struct task_iv *t, uint32_t from,
	       uint64_t seq)
{
	bool copy = !map_has(&iv->by_space, t->space) && from;
	struct space_iv *s = space_of(iv, t->space), *parent;

	s->tasks++;
	if (!copy)
		return;
	parent = space_of(iv, from);
	s->brk = parent->brk;
	for (size_t i = 0; i < parent->live.len; i++) {
		struct mapping_iv m = *parent->live.v[i];

		m.space = t->space;
		put(iv, s, &m, m.start, m.start + m.len, seq);
	}
}

void
mappings_leave(struct intervals *iv, uint32_t space, uint64_t seq)
{
	struct space_iv *s = map_get(&iv->by_space, space);

	if (!s || (s->tasks && --s->tasks > 0))
		return;
	for (size_t i = 0; i < s->live.len; i++)
		s->live.v[i]->to_seq = seq;
	vec_free(&s->live);
	map_del(&iv->by_space, space);
	mem_free(s);
}

void
mappings_add(struct intervals *iv, struct mapping_iv *row)
{
	vec_push(&iv->mappings, row);
	vec_push(&space_of(iv, row->space)->live, row);
}

void
mappings_drop_closed(struct intervals *iv)
{
	size_t k = 0;

	for (size_t i = 0; i < iv->mappings.len; i++) {
		if (iv->mappings.v[i]->to_seq)
			mem_free(iv->mappings.v[i]);
		else
			iv->mappings.v[k++] = iv->mappings.v[i];
	}
	iv->mappings.len = k;
}

void
mappings_release(struct intervals *iv)
{
	size_t it = 0;
	uint64_t key;
	void *s;

	while (map_next(&iv->by_space, &it, &key, &s)) {
		vec_free(&((struct space_iv *)s)->live);
		mem_free(s);
	}
	map_free(&iv->by_space);
	for (size_t i = 0; i < iv->mappings.len; i++)
		mem_free(iv->mappings.v[i]);
	vec_free(&iv->mappings);
}
