/*
 * Two ways to the same answer, behind one look:
 *
 *   kernel: written pages of registered mappings (one scan, which protects
 *           them again) and what exists of mappings that were not registered
 *           yet; then register those and protect them.
 *   hash:   pages whose hash is not that of the last look.
 */
#include "tracee/dirty.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/abi.h"
#include "agent/stub.h"
#include "base/fd.h"
#include "tracee/probe.h"
#include "tracee/remote.h"

#define PAGE DIRTY_PAGE
#define SPACE_END 0x7ffffffff000u
#define HASH_BATCH 16u

/* Linux 5.11 and 6.7; the headers that we build with may be older. */
#define USER_MODE_ONLY 1u
#define FEATURE_WP_UNPOPULATED (1ull << 13)
#define FEATURE_WP_ASYNC (1ull << 15)

struct page_region {
	uint64_t start, end, categories;
};

struct pm_scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask;
	uint64_t return_mask;
};

#define PAGEMAP_SCAN_OP _IOWR('f', 16, struct pm_scan_arg)
#define SCAN_WPALLOWED (1ull << 0)
#define SCAN_WRITTEN (1ull << 1)
#define SCAN_PRESENT (1ull << 3)
#define SCAN_SWAPPED (1ull << 4)
#define SCAN_WP_MATCHING (1ull << 0)
#define SCAN_REGIONS 512u
/* To watch a mapping costs page tables for all of it, 2 MB a GB, used or not:
 * those that reserve terabytes (address sanitizer, runtimes) are not watched.
 */
#define WATCH_MAX (16ull << 30)

/* Pages that are written in each interval, when it is worth to know them, and
 * for how many intervals they are taken for such. */
#define BUSY_MIN 1024u
#define BUSY_TIMES 16u

#define PAGEMAP_THERE (3ull << 62) /* present, or swapped out */

struct page_hash {
	uint64_t addr;
	uint64_t hash;
};

struct page_hashes {
	VEC(struct page_hash) v; /* by address */
};

struct dirty {
	pid_t tid;
	const struct mem *mem;
	int uffd; /* -1: by hashes */
	int pagemap;
	struct page_hashes hashes; /* of the last look */
	struct dirty_set again;	   /* put back */
	struct dirty_set unsure;   /* of the last look */
	struct dirty_set last;	   /* written in the last interval, and */
	struct dirty_set busy;	   /* in each one: not protected */
	unsigned learned;
	bool looked;
	struct arena arena; /* of maps */
	struct maps maps;
};

void
dirty_set_free(struct dirty_set *s)
{
	vec_free(&s->runs);
	s->pages = 0;
}

/* Append pages that are not before what is there already. */
static void
add(struct dirty_set *s, uint64_t addr, uint64_t pages)
{
	struct dirty_run *last =
		s->runs.len > 0 ? &s->runs.v[s->runs.len - 1] : NULL;
	uint64_t end = addr + pages * PAGE;

	if (last == NULL || last->addr + last->pages * PAGE < addr) {
		vec_push(&s->runs,
			 ((struct dirty_run){ .addr = addr, .pages = pages }));
		s->pages += pages;
		return;
	}
	if (end <= last->addr + last->pages * PAGE)
		return;
	s->pages -= last->pages;
	last->pages = (end - last->addr) / PAGE;
	s->pages += last->pages;
}

void
dirty_set_join(const struct dirty_set *a, const struct dirty_set *b,
	       struct dirty_set *out)
{
	size_t i = 0, k = 0;

	*out = (struct dirty_set){ 0 };
	while (i < a->runs.len || k < b->runs.len) {
		const struct dirty_run *r;

		if (k == b->runs.len ||
		    (i < a->runs.len && a->runs.v[i].addr < b->runs.v[k].addr))
			r = &a->runs.v[i++];
		else
			r = &b->runs.v[k++];
		add(out, r->addr, r->pages);
	}
}

/* What is in a and in b; without: and not in b. */
static void
select_runs(const struct dirty_set *a, const struct dirty_set *b, bool without,
	    struct dirty_set *out)
{
	size_t k = 0;

	for (size_t i = 0; i < a->runs.len; i++) {
		uint64_t at = a->runs.v[i].addr;
		uint64_t end = at + a->runs.v[i].pages * PAGE;

		while (at < end) {
			uint64_t from = end, to = end; /* of b, within */

			while (k < b->runs.len &&
			       b->runs.v[k].addr + b->runs.v[k].pages * PAGE <=
				       at)
				k++;
			if (k < b->runs.len && b->runs.v[k].addr < end) {
				from = b->runs.v[k].addr;
				to = from + b->runs.v[k].pages * PAGE;
				from = from < at ? at : from;
				to = to > end ? end : to;
			}
			if (without && from > at)
				add(out, at, (from - at) / PAGE);
			if (!without && to > from)
				add(out, from, (to - from) / PAGE);
			at = to;
		}
	}
}

bool
dirty_set_has(const struct dirty_set *s, uint64_t start, uint64_t end)
{
	size_t lo = 0, hi = s->runs.len;

	/* The first run that ends behind start. */
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		const struct dirty_run *r = &s->runs.v[mid];

		if (r->addr + r->pages * PAGE <= start)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->runs.len && s->runs.v[lo].addr < end;
}

bool
dirty_ignores(const struct vma *v)
{
	uint64_t ours_end =
		AGENT_SCRATCH + AGENT_SCRATCH_SLOTS * AGENT_SCRATCH_STRIDE;

	return !(v->prot & PROT_WRITE) || !(v->prot & PROT_READ) ||
	       (v->start >= AGENT_BASE && v->end <= ours_end) ||
	       strncmp(v->name, "[v", 2) == 0;
}

/* ---- what exists */

static bool
is_there(uint64_t entry)
{
	return (entry & PAGEMAP_THERE) != 0;
}

/* The pages of the regions that arg asks for, up to end. */
static int
scan(const struct dirty *d, struct pm_scan_arg arg, uint64_t end,
     struct dirty_set *out)
{
	struct page_region r[SCAN_REGIONS];

	arg.size = sizeof(arg);
	arg.end = end;
	arg.vec = (uint64_t)(uintptr_t)r;
	arg.vec_len = SCAN_REGIONS;
	while (arg.start < end) {
		int n = ioctl(d->pagemap, PAGEMAP_SCAN_OP, &arg);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		for (int i = 0; i < n; i++)
			add(out, r[i].start, (r[i].end - r[i].start) / PAGE);
		arg.start = arg.walk_end;
	}
	return 0;
}

/* One call, from arg.start to end: as many pages as arg says. */
static int
scan_up_to(const struct dirty *d, struct pm_scan_arg arg, uint64_t end,
	   struct dirty_set *out)
{
	struct page_region r[SCAN_REGIONS];
	int n;

	arg.size = sizeof(arg);
	arg.end = end;
	arg.vec = (uint64_t)(uintptr_t)r;
	arg.vec_len = SCAN_REGIONS;
	n = ioctl(d->pagemap, PAGEMAP_SCAN_OP, &arg);
	for (int i = 0; i < n; i++)
		add(out, r[i].start, (r[i].end - r[i].start) / PAGE);
	return n < 0 ? -errno : 0;
}

/* What exists of a mapping, but for pages of the categories in but. */
static int
scan_existing(const struct dirty *d, const struct vma *v, uint64_t but,
	      struct dirty_set *out)
{
	const struct pm_scan_arg arg = {
		.start = v->start,
		.category_inverted = but,
		.category_mask = but,
		.category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
		.return_mask = SCAN_PRESENT,
	};

	return scan(d, arg, v->end, out);
}

/* The pages of a mapping that have memory of their own. Reading the entries of
 * terabytes takes minutes; a scan, where there is one, passes over the holes.
 */
static int
add_existing(const struct dirty *d, const struct vma *v, struct dirty_set *out)
{
	uint64_t entry[512], start = v->start, end = v->end;

	if (end - start > WATCH_MAX && !probe_denied(PROBE_PAGEMAP_SCAN) &&
	    scan_existing(d, v, 0, out) == 0)
		return 0;
	while (start < end) {
		size_t n = (size_t)((end - start) / PAGE), i;
		ssize_t got;

		if (n > 512)
			n = 512;
		got = fd_pread_full(d->pagemap, entry, n * sizeof(entry[0]),
				    (off_t)(start / PAGE * sizeof(entry[0])));
		if (got < (ssize_t)(n * sizeof(entry[0])))
			return got < 0 ? (int)got : -E_GONE;
		for (i = 0; i < n; i++)
			if (is_there(entry[i]))
				add(out, start + i * PAGE, 1);
		start += n * PAGE;
	}
	return 0;
}

int
dirty_all(const struct dirty *d, const struct maps *maps, struct dirty_set *out,
	  struct err *err)
{
	struct dirty_set s = { 0 };
	int ret = 0;

	for (size_t i = 0; i < maps->len && ret == 0; i++)
		if (!dirty_ignores(&maps->v[i]))
			ret = add_existing(d, &maps->v[i], &s);
	if (ret < 0) {
		dirty_set_free(&s);
		return err_set(err, -ret, "cannot read the page map of task %d",
			       d->tid);
	}
	*out = s;
	return 0;
}

/* ---- by hashes */

static uint64_t
hash_before(const struct page_hashes *h, size_t *at, uint64_t addr)
{
	while (*at < h->v.len && h->v.v[*at].addr < addr)
		(*at)++;
	return *at < h->v.len && h->v.v[*at].addr == addr ? h->v.v[*at].hash
							  : 0;
}

/* Hash the pages of a run; those that are new or other than before go to out.
 */
static void
hash_run(struct dirty *d, const struct dirty_run *r, size_t *at,
	 struct page_hashes *now, struct dirty_set *out)
{
	uint64_t page[HASH_BATCH][PAGE / 8];

	for (uint64_t i = 0; i < r->pages; i += HASH_BATCH) {
		uint64_t addr = r->addr + i * PAGE;
		uint64_t n =
			r->pages - i < HASH_BATCH ? r->pages - i : HASH_BATCH;
		ssize_t got = mem_read(d->mem, addr, page, n * PAGE);

		for (uint64_t k = 0; (ssize_t)((k + 1) * PAGE) <= got; k++) {
			struct page_hash h = { .addr = addr + k * PAGE };

			h.hash = stub_hash(page[k], 1) | 1; /* 0 = not there */
			if (hash_before(&d->hashes, at, h.addr) != h.hash)
				add(out, h.addr, 1);
			vec_push(&now->v, h);
		}
	}
}

static int
look_by_hash(struct dirty *d, const struct maps *maps, struct dirty_set *out,
	     struct err *err)
{
	struct page_hashes now = { 0 };
	struct dirty_set all, s = { 0 };
	size_t at = 0;
	int ret = dirty_all(d, maps, &all, err);

	if (ret < 0)
		return ret;
	for (size_t i = 0; i < all.runs.len; i++)
		hash_run(d, &all.runs.v[i], &at, &now, &s);
	dirty_set_free(&all);
	vec_free(&d->hashes.v);
	d->hashes = now;
	*out = s;
	return 0;
}

/* ---- by the kernel */

int
dirty_few(const struct dirty *d, unsigned max, struct dirty_set *out)
{
	const struct pm_scan_arg arg = {
		.category_mask = SCAN_WPALLOWED | SCAN_WRITTEN,
		.return_mask = SCAN_WRITTEN,
		.max_pages = max + 1,
	};

	*out = (struct dirty_set){ 0 };
	if (d->uffd < 0 || !d->looked || d->again.pages > 0)
		return 0;
	if (scan_up_to(d, arg, SPACE_END, out) == 0 && out->pages <= max)
		return 1;
	dirty_set_free(out);
	return 0;
}

bool
dirty_wrote(const struct dirty *d, uint64_t addr, size_t len)
{
	const struct pm_scan_arg arg = {
		.start = addr & ~(uint64_t)(PAGE - 1),
		.category_mask = SCAN_WRITTEN, /* or not watched */
		.return_mask = SCAN_WRITTEN,
		.max_pages = 1,
	};
	uint64_t end = (addr + len + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	struct dirty_set s = { 0 };
	bool wrote =
		d->uffd < 0 || scan_up_to(d, arg, end, &s) < 0 || s.pages > 0;

	dirty_set_free(&s);
	return wrote;
}

/* What was written of what is watched; then it is watched anew, but for busy
 * pages. */
static int
scan_written(const struct dirty *d, struct dirty_set *out)
{
	struct pm_scan_arg arg = {
		.flags = SCAN_WP_MATCHING,
		.category_mask = SCAN_WPALLOWED | SCAN_WRITTEN,
		.return_mask = SCAN_WRITTEN,
	};
	struct dirty_set again = { 0 }, told = { 0 };
	int ret;

	if (d->busy.pages == 0)
		return scan(d, arg, SPACE_END, out);
	arg.flags = 0;
	ret = scan(d, arg, SPACE_END, out);
	arg.flags = SCAN_WP_MATCHING;
	if (ret == 0)
		select_runs(out, &d->busy, true, &again);
	for (size_t i = 0; ret == 0 && i < again.runs.len; i++) {
		const struct dirty_run *r = &again.runs.v[i];

		arg.start = r->addr;
		ret = scan(d, arg, r->addr + r->pages * PAGE, &told);
	}
	dirty_set_free(&again);
	dirty_set_free(&told);
	return ret;
}

void
dirty_learn(struct dirty *d, const struct dirty_set *written)
{
	struct dirty_set none = { 0 };

	dirty_set_free(&d->busy);
	/* Now and then all are protected: are they still written? */
	if (++d->learned % BUSY_TIMES != 0 && written->pages >= BUSY_MIN)
		select_runs(&d->last, written, false, &d->busy);
	if (d->busy.pages < BUSY_MIN)
		dirty_set_free(&d->busy);
	dirty_set_free(&d->last);
	if (written->pages >= BUSY_MIN)
		dirty_set_join(written, &none, &d->last);
}

/* Some mappings cannot be watched (devices): they stay unwatched, and all that
 * exists of them counts as written. */
static bool
watch(const struct dirty *d, const struct vma *v)
{
	struct uffdio_register reg = {
		.range = { .start = v->start, .len = v->end - v->start },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};

	return v->end - v->start <= WATCH_MAX &&
	       ioctl(d->uffd, UFFDIO_REGISTER, &reg) == 0;
}

/* What exists of a mapping and was not watched yet: it is from now on, if that
 * is possible. An empty one can wait. */
static int
look_at_new(const struct dirty *d, const struct vma *v, struct dirty_set *out,
	    bool *watched)
{
	uint64_t before = out->pages;
	int ret = scan_existing(d, v, SCAN_WPALLOWED, out);

	if (ret == 0 && out->pages != before && watch(d, v))
		*watched = true;
	return ret;
}

static int
look_by_kernel(struct dirty *d, const struct maps *maps, struct dirty_set *out,
	       struct err *err)
{
	struct dirty_set watched = { 0 }, other = { 0 }, fresh = { 0 };
	bool new = false;
	int ret = scan_written(d, &watched);

	for (size_t i = 0; ret == 0 && i < maps->len; i++) {
		const struct vma *v = &maps->v[i];

		if (dirty_ignores(v))
			continue;
		ret = look_at_new(d, v, &other, &new);
	}
	/* Protects what was just registered. */
	if (ret == 0 && new)
		ret = scan_written(d, &fresh);
	d->looked |= ret == 0;
	if (ret == 0)
		dirty_set_join(&watched, &other, out);
	dirty_set_free(&watched);
	dirty_set_free(&fresh);
	dirty_set_free(&d->unsure);
	d->unsure = other;
	if (ret == -ESRCH)
		return err_set(err, E_GONE, "task %d is gone", d->tid);
	if (ret < 0) {
		errno = -ret;
		return err_errno(err, "cannot scan the pages of task %d",
				 d->tid);
	}
	return 0;
}

int
dirty_look(struct dirty *d, const struct maps *maps, struct dirty_set *out,
	   struct err *err)
{
	struct dirty_set s = { 0 };
	int ret = d->uffd < 0 ? look_by_hash(d, maps, &s, err)
			      : look_by_kernel(d, maps, &s, err);

	if (ret < 0)
		return ret;
	if (d->again.pages == 0) {
		*out = s;
		return 0;
	}
	dirty_set_join(&s, &d->again, out);
	dirty_set_free(&s);
	dirty_set_free(&d->again);
	return 0;
}

void
dirty_put_back(struct dirty *d, const struct dirty_set *s)
{
	struct dirty_set both;

	dirty_set_join(&d->again, s, &both);
	dirty_set_free(&d->again);
	d->again = both;
}

int
dirty_maps(struct dirty *d, pid_t tid, bool fresh, const struct maps **out,
	   struct err *err)
{
	int ret = 0;

	if (fresh || d->maps.len == 0) {
		d->maps = (struct maps){ 0 };
		arena_clear(&d->arena);
		ret = maps_read(tid, &d->arena, &d->maps, err);
	}
	*out = &d->maps;
	return ret;
}

/* ---- opening */

static pid_t
process_of(pid_t tid)
{
	char path[64];
	uint64_t pid;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	return fd_read_number(path, "\nTgid:", 10, &pid) ? (pid_t)pid : tid;
}

static bool
has_features(int uffd)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = FEATURE_WP_UNPOPULATED | FEATURE_WP_ASYNC,
	};

	return ioctl(uffd, UFFDIO_API, &api) == 0;
}

/* The descriptor is the program's for a moment, while it is stopped. -1: no. */
static int
steal_uffd(pid_t tid, struct err *err)
{
	const uint64_t args[6] = { O_CLOEXEC | O_NONBLOCK | USER_MODE_ONLY };
	uint64_t close_args[6] = { 0 };
	int64_t fd = -1, ret = 0;
	int pidfd, mine = -1;

	if (remote_syscall(tid, SYS_userfaultfd, args, &fd, err) < 0)
		return -E_GONE;
	if (fd < 0)
		return -1;
	pidfd = (int)syscall(SYS_pidfd_open, process_of(tid), 0);
	if (pidfd >= 0)
		mine = (int)syscall(SYS_pidfd_getfd, pidfd, (int)fd, 0);
	fd_close(&pidfd);
	close_args[0] = (uint64_t)fd;
	if (remote_syscall(tid, SYS_close, close_args, &ret, err) < 0) {
		fd_close(&mine);
		return -E_GONE;
	}
	if (mine >= 0 && !has_features(mine))
		fd_close(&mine);
	return mine;
}

bool
dirty_probe(void)
{
	int fd;
	bool ok;

	if (!probe_ok(PROBE_PAGEMAP_SCAN))
		return false;
	fd = (int)syscall(SYS_userfaultfd,
			  O_CLOEXEC | O_NONBLOCK | USER_MODE_ONLY);
	ok = fd >= 0 && has_features(fd);
	fd_close(&fd);
	return ok;
}

int
dirty_open(struct dirty **out, pid_t tid, const struct mem *m, bool hash,
	   struct err *err)
{
	struct dirty *d;
	char path[64];
	int pagemap, uffd = -1;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", tid);
	pagemap = open(path, O_RDONLY | O_CLOEXEC);
	if (pagemap < 0)
		return err_errno(err, "cannot open %s", path);
	if (!hash) {
		uffd = steal_uffd(tid, err);
		if (uffd < -1) {
			fd_close(&pagemap);
			return uffd;
		}
	}
	d = mem_zalloc(sizeof(*d));
	d->tid = tid;
	d->mem = m;
	d->uffd = uffd;
	d->pagemap = pagemap;
	*out = d;
	return 0;
}

void
dirty_close(struct dirty *d)
{
	if (d == NULL)
		return;
	fd_close(&d->uffd);
	fd_close(&d->pagemap);
	vec_free(&d->hashes.v);
	dirty_set_free(&d->again);
	dirty_set_free(&d->unsure);
	dirty_set_free(&d->last);
	dirty_set_free(&d->busy);
	arena_free(&d->arena);
	mem_free(d);
}

bool
dirty_hashes(const struct dirty *d)
{
	return d->uffd < 0;
}

const struct dirty_set *
dirty_unsure(const struct dirty *d)
{
	return &d->unsure;
}
