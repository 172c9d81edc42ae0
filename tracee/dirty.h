#ifndef TRACEE_DIRTY_H
#define TRACEE_DIRTY_H

/*
 * Which pages a space's tasks wrote: userfaultfd write protection that nobody
 * has to answer (asynchronous), read and renewed by PAGEMAP_SCAN (Linux 6.7).
 * About 50 us a look and 50 ns a written page; the first write to a page after
 * a look costs the program 1 us, the very first look 35 ns a page. Where the
 * kernel has no such thing, every page is hashed: 0.5 us a page and look.
 *
 * The kernel's way tells every page that was written, and some that were not;
 * stores of other processes to shared memory go unseen. Hashes tell those whose
 * contents differ from the last look.
 *
 * The program loses nothing but this: while it is watched, its own
 * userfaultfd(2) cannot have the same memory (EBUSY).
 */
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/vec.h"
#include "tracee/maps.h"
#include "tracee/mem.h"

#define DIRTY_PAGE 4096u

struct dirty;

/* Pages that follow each other. */
struct dirty_run {
	uint64_t addr;
	uint64_t pages;
};

struct dirty_set {
	VEC(struct dirty_run) runs; /* by address, apart from each other */
	uint64_t pages;		    /* in all of them */
};

void dirty_set_free(struct dirty_set *s);
/* What is in a or b. */
void dirty_set_join(const struct dirty_set *a, const struct dirty_set *b,
		    struct dirty_set *out);

/* The kernel can do it; PASTIME_PROBE="-dirty" says that it cannot. */
bool dirty_probe(void);

/*
 * Watch the space of tid, a stopped task with the agent page (system calls are
 * injected). m is its memory and is borrowed. hash: do not try the kernel's
 * way.
 */
int dirty_open(struct dirty **out, pid_t tid, const struct mem *m, bool hash,
	       struct err *err);
void dirty_close(struct dirty *d); /* NULL allowed */
bool dirty_hashes(const struct dirty *d);

/*
 * The pages written since the last look (all that exist at the first one), of
 * what is writable now; then watch anew. A task of the space must be stopped.
 * maps: as they are now.
 */
int dirty_look(struct dirty *d, const struct maps *maps, struct dirty_set *out,
	       struct err *err);
/* Of what the last look told: pages that cannot be watched, or were told for
 * the first time, whether they were written or not. Not those of dirty_learn.
 */
const struct dirty_set *dirty_unsure(const struct dirty *d);
/* Is a page of [start, end) in it? */
bool dirty_set_has(const struct dirty_set *s, uint64_t start, uint64_t end);
/* 1: the next look would tell at most max pages (*out) of those that were
 * looked at before; nothing changes. 0: more, or that cannot be told. */
int dirty_few(const struct dirty *d, unsigned max, struct dirty_set *out);
/* May it have been written since the last look? Yes where nobody can tell. */
bool dirty_wrote(const struct dirty *d, uint64_t addr, size_t len);
/*
 * All that was written in an interval. Pages that are written in each one, when
 * there are very many, are not protected any more, as the fault at the first
 * write costs more than their hash: looks tell them whether they were written
 * or not, for some intervals.
 */
void dirty_learn(struct dirty *d, const struct dirty_set *written);
/* What the last look told is not dealt with: the next one tells it again. */
void dirty_put_back(struct dirty *d, const struct dirty_set *s);
/* The mappings of the space, of which tid is a living task: as they are, or
 * (not fresh) were at the last call. They stay until the next one. */
int dirty_maps(struct dirty *d, pid_t tid, bool fresh, const struct maps **out,
	       struct err *err);
/* All pages that exist of what is writable now. */
int dirty_all(const struct dirty *d, const struct maps *maps,
	      struct dirty_set *out, struct err *err);

/* Is this pastime's own memory, or none that programs write? */
bool dirty_ignores(const struct vma *v);

#endif
