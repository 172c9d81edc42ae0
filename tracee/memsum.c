#include "tracee/memsum.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "agent/abi.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/vec.h"
#include "tracee/maps.h"

#define PAGE 4096u
#define LARGE (64ull << 30)
#define BATCH 64u		   /* pages that are looked at together */
#define PAGEMAP_THERE (3ull << 62) /* present, or swapped out */

struct summer {
	const struct mem *mem;
	int pagemap; /* -1: read everything */
	VEC(struct memsum) sums;
	XXH64_state_t hash; /* of the last of sums, which is not finished */
	uint8_t page[BATCH * PAGE];
};

static bool
is_zero(const uint8_t *p)
{
	return p[0] == 0 && memcmp(p, p + 1, PAGE - 1) == 0;
}

static void
finish_piece(struct summer *s)
{
	if (s->sums.len > 0)
		s->sums.v[s->sums.len - 1].hash = XXH64_digest(&s->hash);
}

static void
add_page(struct summer *s, uint64_t addr, const uint8_t *p)
{
	uint64_t piece = addr & ~(uint64_t)(MEMSUM_PIECE - 1);

	if (is_zero(p))
		return;
	if (s->sums.len == 0 || s->sums.v[s->sums.len - 1].addr != piece) {
		finish_piece(s);
		XXH64_reset(&s->hash, 0);
		vec_push(&s->sums, ((struct memsum){ .addr = piece }));
	}
	XXH64_update(&s->hash, &addr, sizeof(addr));
	XXH64_update(&s->hash, p, PAGE);
	s->sums.v[s->sums.len - 1].page[(addr - piece) / PAGE] =
		(uint16_t)(XXH3_64bits(p, PAGE) | 1);
}

/* Which of n pages from addr hold anything. */
static void
look(const struct summer *s, bool anonymous, uint64_t addr, size_t n,
     bool there[BATCH])
{
	uint64_t entry[BATCH];
	ssize_t want = (ssize_t)(n * sizeof(entry[0]));

	memset(there, true, BATCH);
	if (!anonymous || s->pagemap < 0)
		return;
	if (fd_pread_full(s->pagemap, entry, (size_t)want,
			  (off_t)(addr / PAGE * sizeof(entry[0]))) != want)
		return;
	for (size_t i = 0; i < n; i++)
		there[i] = (entry[i] & PAGEMAP_THERE) != 0;
}

/* n pages, of which those that are there follow each other. */
static void
add_batch(struct summer *s, uint64_t addr, size_t n, const bool there[BATCH])
{
	size_t i = 0;

	while (i < n) {
		size_t run = 0;
		ssize_t got;

		while (i + run < n && there[i + run])
			run++;
		if (run == 0) {
			i++;
			continue;
		}
		got = mem_read(s->mem, addr + i * PAGE, s->page, run * PAGE);
		/* Past a file's end there is nothing: as zero. */
		run = got < (ssize_t)PAGE ? 0 : (size_t)got / PAGE;
		for (size_t k = 0; k < run; k++)
			add_page(s, addr + (i + k) * PAGE, s->page + k * PAGE);
		i += run ? run : 1;
	}
}

static void
add_range(struct summer *s, const struct vma *v, uint64_t at, uint64_t end)
{
	bool anonymous = v->ino == 0 && !v->shared;
	bool there[BATCH];

	while (at < end) {
		uint64_t left = (end - at) / PAGE;
		size_t n = left < BATCH ? (size_t)left : BATCH;

		look(s, anonymous, at, n, there);
		add_batch(s, at, n, there);
		at += n * PAGE;
	}
}

/* All of it but the given ranges. */
static void
add_mapping(struct summer *s, const struct vma *v,
	    const struct memsum_range *but, size_t n_but)
{
	uint64_t at = v->start;

	for (size_t i = 0; i < n_but && at < v->end; i++) {
		uint64_t end = but[i].start < v->end ? but[i].start : v->end;

		if (but[i].end <= at)
			continue;
		if (at < end)
			add_range(s, v, at, end);
		at = but[i].end;
	}
	if (at < v->end)
		add_range(s, v, at, v->end);
}

static bool
is_counted(const struct vma *v)
{
	uint64_t scratch_end =
		AGENT_SCRATCH + AGENT_SCRATCH_SLOTS * AGENT_SCRATCH_STRIDE;

	if (!(v->prot & PROT_WRITE))
		return false;
	return v->end <= AGENT_BASE || v->start >= scratch_end;
}

int
memsum_large(pid_t tid, struct arena *a, struct memsum_range **out, size_t *n,
	     struct err *err)
{
	VEC(struct memsum_range) large = { 0 };
	struct maps maps;
	int ret = maps_read(tid, a, &maps, err);

	if (ret < 0)
		return ret;
	for (size_t i = 0; i < maps.len; i++) {
		const struct vma *v = &maps.v[i];

		if (is_counted(v) && v->end - v->start > LARGE)
			vec_push(&large,
				 ((struct memsum_range){ v->start, v->end }));
	}
	*out = arena_dup(a, large.v, large.len * sizeof(*large.v));
	*n = large.len;
	vec_free(&large);
	return 0;
}

int
memsum_space(pid_t tid, const struct mem *m, const struct memsum_range *but,
	     size_t n_but, struct arena *a, struct memsum **out, size_t *n,
	     struct err *err)
{
	struct summer *s;
	struct maps maps;
	char path[64];
	int ret;

	ret = maps_read(tid, a, &maps, err);
	if (ret < 0)
		return ret;
	s = mem_zalloc(sizeof(*s));
	s->mem = m;
	snprintf(path, sizeof(path), "/proc/%d/pagemap", tid);
	s->pagemap = open(path, O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; i < maps.len; i++) {
		if (is_counted(&maps.v[i]))
			add_mapping(s, &maps.v[i], but, n_but);
	}
	finish_piece(s);
	*out = arena_dup(a, s->sums.v, s->sums.len * sizeof(*s->sums.v));
	*n = s->sums.len;
	vec_free(&s->sums);
	fd_close(&s->pagemap);
	mem_free(s);
	return 0;
}

uint64_t
memsum_total(const struct memsum *v, size_t n)
{
	uint64_t total = 0;

	for (size_t i = 0; i < n; i++)
		total = XXH64(&v[i], offsetof(struct memsum, page), total);
	return total;
}
