/*
 * The few calls that replay makes for real, with the recorded result forced:
 * those that change mappings, and what other calls set in the task itself.
 * Everything else is data (docs/EVENTS.md, "Calls").
 */
#include "replayer/internal.h"

#include "event/sys.h"
#include "tracee/batch.h"
#include "tracee/maps.h"
#include <asm/prctl.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define PAGE 4096u
#define PAGE_UP(x) (((x) + PAGE - 1) & ~(uint64_t)(PAGE - 1))

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

static int
wrong_result(struct replayer *r, const struct event *ev, int64_t expect,
	     int64_t res, struct err *err)
{
	char want[128], found[128];

	snprintf(want, sizeof(want), "result 0x%lx of the call made again",
		 (uint64_t)expect);
	snprintf(found, sizeof(found), "0x%lx", (uint64_t)res);
	return diverge(r, ev, err, want, found,
		       "mappings differ from the recording, or this kernel "
		       "treats the call differently");
}

/* Make the call; its result must be the recorded one. */
static int
again(struct replayer *r, struct puppet *p, const struct event *ev, long nr,
      const uint64_t args[6], int64_t expect, struct err *err)
{
	int64_t res;
	int ret = puppet_call(p, nr, args, &res, err);

	if (ret < 0 || res == expect)
		return ret;
	return wrong_result(r, ev, expect, res, err);
}

/* All of what was planned. */
static int
redo(struct replayer *r, struct puppet *p, const struct event *ev,
     const struct batch *b, struct err *err)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < b->n; i++)
		ret = again(r, p, ev, b->call[i].nr, b->call[i].arg,
			    (int64_t)b->call[i].want, err);
	return ret;
}

static void
plan(struct batch *b, long nr, const struct event *ev, int64_t want)
{
	const uint64_t *a = ev->args;

	batch_add(b, nr, (uint64_t)want, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* The two are made again with what they said; on failure all mappings before
 * the culprit may have changed. */
static void
plan_range(const struct event *ev, struct batch *b)
{
	if (ev->call == SYS_munmap && ev->ret == 0)
		plan(b, SYS_munmap, ev, 0);
	if (ev->call != SYS_munmap && (ev->ret == 0 || ev->ret == -ENOMEM))
		plan(b, SYS_mprotect, ev, ev->ret);
}

static int
plan_brk(struct replayer *r, struct puppet *p, const struct event *ev,
	 struct batch *b, struct err *err)
{
	uint64_t now = (uint64_t)ev->ret, old = p->space->brk;
	uint64_t from = PAGE_UP(old), to = PAGE_UP(now);
	struct map_rec m = { .start = from,
			     .len = to - from,
			     .prot = PROT_READ | PROT_WRITE,
			     .flags = MAP_PRIVATE };
	struct item it;

	p->space->brk = now;
	if (old == 0)
		p->space->brk_start = now;
	if (old == 0 || item_find(ev->payload, ITEM_MAP, UINT64_MAX, &it))
		return 0; /* nothing to compare with, or the event says it */
	if (to > from)
		return image_map(r, p, &m, b, err);
	if (to < from)
		batch_add(b, SYS_munmap, 0, to, from - to, 0, 0, 0, 0);
	return 0;
}

/*
 * Replay may have several mappings where the recording had one (memory from
 * before a checkpoint does not merge with what is mapped after it), and mremap
 * wants one: move the pieces, then let the last one grow.
 */
static int
mremap_pieces(struct replayer *r, struct puppet *p, const struct event *ev,
	      struct err *err)
{
	uint64_t old = ev->args[0], new = (uint64_t)ev->ret;
	uint64_t len = PAGE_UP(ev->args[1]), more = PAGE_UP(ev->args[2]);
	uint64_t keep = len < more ? len : more;
	uint64_t rest[6] = { old + keep, len - keep };
	struct arena a = { 0 };
	struct maps maps;
	int ret;

	ret = maps_read(p->pid, &a, &maps, err);
	for (size_t i = 0; ret == 0 && i < maps.len; i++) {
		const struct vma *v = &maps.v[i];
		uint64_t from = v->start > old ? v->start : old;
		uint64_t to = v->end < old + keep ? v->end : old + keep;
		uint64_t args[6] = { from, to - from, to - from, 0, 0 };

		if (from >= to)
			continue;
		if (to == old + keep)
			args[2] += more - keep;
		if (old != new) {
			args[3] = MREMAP_MAYMOVE | MREMAP_FIXED |
				  (ev->args[3] & MREMAP_DONTUNMAP);
			args[4] = new + (from - old);
		}
		if (old != new || args[2] != args[1])
			ret = again(r, p, ev, SYS_mremap, args,
				    (int64_t)(new + (from - old)), err);
	}
	arena_free(&a);
	if (ret == 0 && len > keep && !(ev->args[3] & MREMAP_DONTUNMAP))
		ret = again(r, p, ev, SYS_munmap, rest, 0, err);
	return ret;
}

static int
redo_mremap(struct replayer *r, struct puppet *p, const struct event *ev,
	    struct err *err)
{
	uint64_t args[6] = { ev->args[0], ev->args[1], ev->args[2] };
	int64_t res;
	int ret;

	if (ev->ret < 0 && ev->ret > -4096)
		return 0;
	if ((uint64_t)ev->ret != ev->args[0]) {
		args[3] = MREMAP_MAYMOVE | MREMAP_FIXED |
			  (ev->args[3] & MREMAP_DONTUNMAP);
		args[4] = (uint64_t)ev->ret;
	}
	ret = puppet_call(p, SYS_mremap, args, &res, err);
	if (ret < 0 || res == ev->ret)
		return ret;
	if (res == -EFAULT || res == -EINVAL)
		return mremap_pieces(r, p, ev, err);
	return wrong_result(r, ev, ev->ret, res, err);
}

/* Ranges that a fork does not copy: a checkpoint must lift that. */
static void
note_unforked(struct space *s, uint64_t start, uint64_t len, int advice)
{
	struct range new = { start, start + PAGE_UP(len), advice };
	bool undo = advice == MADV_DOFORK || advice == MADV_KEEPONFORK;
	int kind = advice == MADV_DOFORK ? MADV_DONTFORK : MADV_WIPEONFORK;

	if (!undo) {
		vec_push(&s->unforked, new);
		return;
	}
	for (size_t i = s->unforked.len; i-- > 0;) {
		struct range old = s->unforked.v[i];

		if (old.advice != kind || old.end <= new.start ||
		    new.end <= old.start)
			continue;
		vec_swap_remove(&s->unforked, i);
		if (old.start < new.start)
			vec_push(
				&s->unforked,
				((struct range){ old.start, new.start, kind }));
		if (new.end < old.end)
			vec_push(&s->unforked,
				 ((struct range){ new.end, old.end, kind }));
	}
}

static int
redo_madvise(struct replayer *r, struct puppet *p, const struct event *ev,
	     struct err *err)
{
	int advice = (int)ev->args[2];

	switch (advice) {
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
		if (ev->ret == 0)
			note_unforked(p->space, ev->args[0], ev->args[1],
				      advice);
		break;
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_REMOVE:
	case MADV_GUARD_INSTALL:
	case MADV_GUARD_REMOVE:
		break;
	default:
		return 0; /* hints */
	}
	/* ENOMEM: holes; the rest of the range was treated. */
	if (ev->ret != 0 && ev->ret != -ENOMEM)
		return 0;
	return again(r, p, ev, SYS_madvise, ev->args, ev->ret, err);
}

/* A segment is what its pieces show: mappings of one object, in their places.
 */
static int
redo_shmdt(struct replayer *r, struct puppet *p, const struct event *ev,
	   struct err *err)
{
	uint64_t base = ev->args[0], id, first = 0;
	struct arena a = { 0 };
	struct maps maps;
	int ret;

	if (ev->ret != 0)
		return 0;
	ret = maps_read(p->pid, &a, &maps, err);
	for (size_t i = 0; ret == 0 && i < maps.len; i++) {
		const struct vma *v = &maps.v[i];
		uint64_t args[6] = { v->start, v->end - v->start };

		if (v->start < base || !sharedmem_of_name(v->name, &id) ||
		    v->offset != v->start - base || (first && id != first))
			continue;
		first = id;
		ret = again(r, p, ev, SYS_munmap, args, 0, err);
	}
	arena_free(&a);
	return ret;
}

static int
redo_arch_prctl(struct puppet *p, const struct event *ev)
{
	if (ev->ret != 0)
		return 0;
	if (ev->args[0] == ARCH_SET_FS)
		p->regs.fs_base = ev->args[1];
	else if (ev->args[0] == ARCH_SET_GS)
		p->regs.gs_base = ev->args[1];
	return 0;
}

static int
redo_prctl(struct puppet *p, const struct event *ev)
{
	char name[sizeof(p->comm)] = { 0 };

	if (ev->ret != 0 || ev->args[0] != PR_SET_NAME)
		return 0;
	if (mem_read(&p->space->mem, ev->args[1], name, sizeof(name) - 1) > 0)
		memcpy(p->comm, name, sizeof(name));
	return 0;
}

/* Only the soft stack limit matters to a replay: it says where a stack ends. */
static int
redo_rlimit(struct replayer *r, struct puppet *p, uint64_t what, uint64_t addr,
	    uint64_t pid, const struct event *ev)
{
	struct group *g = p->group;
	struct rlimit lim;

	if (ev->ret != 0 || what != RLIMIT_STACK || addr == 0 ||
	    (pid != 0 && pid != (uint64_t)g->tgid) ||
	    mem_read_all(&p->space->mem, addr, &lim, sizeof(lim)) < 0)
		return 0;
	g->stack_limit = lim.rlim_cur;
	image_stack_limit(r->now, g);
	return 0;
}

/* What is mapped in one piece, and needs no more than that. */
static bool
maps_plainly(const struct event *ev)
{
	struct item_reader ir;
	struct map_rec m;
	struct item it;
	unsigned n = 0;

	item_reader_init(&ir, ev->payload);
	while (item_next(&ir, &it, NULL) > 0) {
		if (it.kind == ITEM_PATCH || it.kind == ITEM_KV)
			return false;
		if (it.kind == ITEM_MAP &&
		    (++n > 1 || item_get_map(&it, &m, NULL) < 0 ||
		     m.shared_id != 0))
			return false;
	}
	return true;
}

bool
syscall_can_be_ahead(const struct event *ev)
{
	switch (ev->call) {
	case SYS_mmap:
	case SYS_munmap:
	case SYS_mprotect:
	case SYS_brk:
		return maps_plainly(ev);
	case SYS_arch_prctl:
		return ev->args[0] == ARCH_SET_FS;
	}
	return ev->call >= 0 && sys_desc(ev->call)->replay == SYS_DATA;
}

int
syscall_plan(struct replayer *r, struct puppet *p, const struct event *ev,
	     struct batch *b, struct err *err)
{
	int ret = 0;

	switch (ev->call) {
	case SYS_munmap:
	case SYS_mprotect:
	case SYS_pkey_mprotect:
		plan_range(ev, b);
		return 0;
	case SYS_arch_prctl:
		if (ev->ret == 0)
			plan(b, SYS_arch_prctl, ev, 0);
		return 0;
	case SYS_brk:
		ret = plan_brk(r, p, ev, b, err);
		break;
	case SYS_mmap:
		break;
	default:
		return 0;
	}
	return ret < 0 ? ret : step_plan_maps(r, p, ev, b, err);
}

int
syscall_redo(struct replayer *r, struct puppet *p, const struct event *ev,
	     struct err *err)
{
	struct batch b;
	int ret = 0;

	switch (ev->call) {
	case SYS_munmap:
	case SYS_mprotect:
	case SYS_pkey_mprotect:
		batch_init(&b, BATCH_AT);
		plan_range(ev, &b);
		ret = redo(r, p, ev, &b, err);
		break;
	case SYS_brk:
		batch_init(&b, BATCH_AT);
		ret = plan_brk(r, p, ev, &b, err);
		if (ret == 0)
			ret = redo(r, p, ev, &b, err);
		break;
	case SYS_mremap:
		ret = redo_mremap(r, p, ev, err);
		break;
	case SYS_madvise:
		ret = redo_madvise(r, p, ev, err);
		break;
	case SYS_remap_file_pages:
		if (ev->ret == 0)
			ret = again(r, p, ev, ev->call, ev->args, 0, err);
		break;
	case SYS_shmdt:
		ret = redo_shmdt(r, p, ev, err);
		break;
	case SYS_arch_prctl:
		return redo_arch_prctl(p, ev);
	case SYS_prctl:
		return redo_prctl(p, ev);
	case SYS_setrlimit:
		return redo_rlimit(r, p, ev->args[0], ev->args[1], 0, ev);
	case SYS_prlimit64:
		return redo_rlimit(r, p, ev->args[1], ev->args[2], ev->args[0],
				   ev);
	}
	/* mmap, shmat, and whatever else says what mappings there are now. */
	return ret < 0 ? ret : step_maps(r, p, ev, err);
}
