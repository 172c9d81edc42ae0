/*
 * Calls that change mappings. Replay executes them again at the recorded
 * addresses; what it cannot know (contents, protection in effect, who shares
 * it) is in MAP items.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "agent/abi.h"
#include "recorder/agent.h"
#include "recorder/files.h"
#include "recorder/nondet.h"
#include "recorder/special.h"
#include "recorder/task.h"
#include "tracee/maps.h"

#define PAGE 4096ull

static uint64_t
page_up(uint64_t n)
{
	return (n + PAGE - 1) & ~(PAGE - 1);
}

static bool
failed(const struct task *t)
{
	return t->call.sc.ret < 0 && t->call.sc.ret >= -4095;
}

static bool
is_shared_flag(uint64_t flags)
{
	unsigned type = flags & MAP_TYPE;

	return type == MAP_SHARED || type == MAP_SHARED_VALIDATE;
}

static struct map_rec
map_of(const struct task *t)
{
	const uint64_t *a = t->call.sc.args;
	struct map_rec m = {
		.start = (uint64_t)t->call.sc.ret,
		.len = page_up(a[1]),
		.prot = (uint32_t)a[2] & (PROT_READ | PROT_WRITE | PROT_EXEC),
		.flags = (uint32_t)a[3],
	};

	if (!(m.flags & MAP_ANONYMOUS))
		m.offset = a[5];
	return m;
}

void
memory_mapped(struct recorder *r, struct task *t, uint64_t file)
{
	struct map_rec m = map_of(t);

	task_space(t)->remapped++;
	shared_unmapped(r, task_space(t), m.start, m.len);
	m.file = file;
	item_put_map(&r->items, &m);
}

int
memory_mmap(struct recorder *r, struct task *t, struct err *err)
{
	struct map_rec m = map_of(t);
	bool shared = is_shared_flag(m.flags);
	uint64_t file = 0; /* one that the agent may map */
	struct vma vma = { 0 };
	int ret;

	task_space(t)->remapped++;
	if (failed(t))
		return 0;
	ret = shared_mapped(r, t, &m, err);
	if (ret < 0)
		return ret;
	/* 1: an object that is known already, with all its contents. */
	if (ret == 0 && !(m.flags & MAP_ANONYMOUS)) {
		ret = files_capture(r, t, m.start, m.len, m.offset, m.prot,
				    shared, &m.file, &vma, err);
		if (ret < 0)
			return ret;
		if (!shared && !shared_is_followed(task_space(t), m.start))
			file = m.file;
	}
	item_put_map(&r->items, &m);
	ret = 0;
	if ((m.prot & PROT_EXEC) && (m.flags & MAP_ANONYMOUS))
		nondet_unsearched(task_space(t), &r->items);
	else if (m.file != 0 && vma.start <= m.start &&
		 m.start + m.len <= vma.end && (m.prot & PROT_EXEC))
		ret = nondet_mapped_file(r, t, &vma, m.file, m.start, m.len,
					 &r->items, err);
	else if (m.prot & PROT_EXEC)
		ret = nondet_mapped(r, t, m.start, m.len, true, &r->items, err);
	if (ret == 0 && file != 0)
		agent_mapped(
			r, file,
			(m.flags & MAP_DENYWRITE ? 0 : AGENT_STILL) |
				(nondet_is_plain(r, file) ? AGENT_PLAIN : 0));
	return ret;
}

int
memory_munmap(struct recorder *r, struct task *t, struct err *err)
{
	task_space(t)->remapped++;
	if (!failed(t))
		shared_unmapped(r, task_space(t), t->call.sc.args[0],
				page_up(t->call.sc.args[1]));
	return 0;
}

int
memory_mprotect(struct recorder *r, struct task *t, struct err *err)
{
	const uint64_t *a = t->call.sc.args;

	task_space(t)->remapped++;
	if (failed(t))
		return 0;
	shared_protect(task_space(t), a[0], page_up(a[1]), (uint32_t)a[2]);
	if (!(a[2] & PROT_EXEC))
		return 0;
	/* It may have been written to while it was not executable. */
	nondet_unsearched(task_space(t), &r->items);
	return nondet_mapped(r, t, a[0], page_up(a[1]), false, &r->items, err);
}

/* Where code was moved to, grown, or reset to what the file says, what was
 * patched is no longer in place. */
static int
code_moved(struct recorder *r, struct task *t, uint64_t start, uint64_t len,
	   struct err *err)
{
	uint64_t at = start;
	struct vma v;
	int ret = 0;

	while (ret == 0 && at < start + len && !task_space(t)->trap_tsc) {
		ret = task_mapping(t, at, &r->arena, &v, err);
		if (ret == 0 && (v.prot & PROT_EXEC) != 0)
			nondet_unsearched(task_space(t), &r->items);
		at = v.end;
	}
	return ret == -ENOENT ? 0 : ret;
}

/* The file may have changed since it was mapped. */
int
memory_madvise(struct recorder *r, struct task *t, struct err *err)
{
	const uint64_t *a = t->call.sc.args;

	if (a[2] != MADV_DONTNEED && a[2] != MADV_DONTNEED_LOCKED)
		return 0;
	shared_reverted(r, t, a[0], page_up(a[1]));
	return code_moved(r, t, a[0], page_up(a[1]), err);
}

int
memory_mremap(struct recorder *r, struct task *t, struct err *err)
{
	const uint64_t *a = t->call.sc.args;

	struct map_rec m = { .start = (uint64_t)t->call.sc.ret,
			     .len = page_up(a[2]) };

	int ret;

	task_space(t)->remapped++;
	if (failed(t))
		return 0;
	ret = code_moved(r, t, m.start, m.len, err);
	return ret < 0 ? ret : shared_mapped(r, t, &m, err);
}

/*
 * Replay makes the difference between two answers read-write. When nobody asked
 * before the first change, or with READ_IMPLIES_EXEC, it needs to be told.
 */
int
memory_brk(struct recorder *r, struct task *t, struct err *err)
{
	struct space *s = task_space(t);
	uint64_t was = s->brk, now = (uint64_t)t->call.sc.ret;
	const struct vma *v;
	struct maps maps;
	int ret;

	s->brk = now;
	if (was != 0 ? now <= was : t->call.sc.args[0] == 0)
		return 0;
	ret = maps_read(t->tid, &r->arena, &maps, err);
	if (ret < 0)
		return ret;
	v = maps_find(&maps, now - 1);
	s->plain_brk = v != NULL && v->prot == (PROT_READ | PROT_WRITE);
	if (v == NULL || (was != 0 && v->prot == (PROT_READ | PROT_WRITE)))
		return 0;
	if (v->prot & PROT_EXEC)
		nondet_unsearched(s, &r->items);
	item_put_map(&r->items,
		     &(struct map_rec){ .start = v->start,
					.len = v->end - v->start,
					.prot = v->prot,
					.flags = MAP_PRIVATE | MAP_ANONYMOUS });
	return 0;
}

int
memory_shmat(struct recorder *r, struct task *t, struct err *err)
{
	struct map_rec m = { .flags = MAP_SHARED };
	const struct vma *v;
	struct maps maps;
	uint8_t *p;
	int ret;

	task_space(t)->remapped++;
	if (failed(t))
		return 0;
	m.start = (uint64_t)t->call.sc.ret;
	ret = maps_read(t->tid, &r->arena, &maps, err);
	if (ret < 0)
		return ret;
	v = maps_find(&maps, m.start);
	if (v == NULL)
		return 0;
	m.len = v->end - v->start;
	m.prot = v->prot;
	if (m.prot & PROT_EXEC)
		nondet_unsearched(task_space(t), &r->items);
	ret = shared_mapped(r, t, &m, err);
	if (ret < 0)
		return ret;
	item_put_map(&r->items, &m);
	if (ret > 0)
		return 0;
	/* Its contents may be older than the recording. */
	p = arena_alloc(&r->arena, PAGE);
	for (uint64_t at = 0; at < m.len; at += PAGE)
		if (mem_read_all(&task_space(t)->mem, m.start + at, p, PAGE) ==
			    0 &&
		    (p[0] != 0 || memcmp(p, p + 1, PAGE - 1) != 0))
			item_put_mem(&r->items, m.start + at, span_of(p, PAGE));
	return 0;
}

/* How long the segment was is not known any more afterwards. */
int
memory_shmdt_enter(struct recorder *r, struct task *t, struct err *err)
{
	const struct vma *v;
	struct maps maps;
	int ret = maps_read(t->tid, &r->arena, &maps, err);

	if (ret < 0)
		return ret;
	v = maps_find(&maps, t->call.sc.args[0]);
	t->call.extra[0] = v != NULL ? v->end - v->start : 0;
	return SPECIAL_RUN;
}

int
memory_shmdt(struct recorder *r, struct task *t, struct err *err)
{
	task_space(t)->remapped++;
	if (!failed(t))
		shared_unmapped(r, task_space(t), t->call.sc.args[0],
				t->call.extra[0]);
	return 0;
}
