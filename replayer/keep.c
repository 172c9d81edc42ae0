/* How many checkpoints, which of them, and when. */
#include "replayer/checkpoint.h"

#include "base/fd.h"
#include "base/mem.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096u
#define COUNT_MAX 48u
#define PROCESSES_MAX 1500u
#define DISTANCE_MIN_NS 20000000u
/* The work between two of them, at least so many times what one costs: on the
 * way, and close to where somebody is going to stand. */
#define COST_SHARE 10u
#define COST_SHARE_NEAR 2u
/* A copy costs making it, and that each page is copied when it is written to
 * for the first time afterwards: the last one tells how many. */
#define FAULT_NS 2500u

/* ---- which to keep */

/* Private memory of a world, roughly: what its processes do not share with
 * files. */
uint64_t
world_bytes(struct world *w)
{
	uint64_t sum = 0, key;
	size_t it = 0;
	void *val;

	while (map_next(&w->spaces, &it, &key, &val)) {
		struct puppet *p = world_in_space(w, val);
		unsigned long size, resident, shared;
		struct buf text = { 0 };
		char path[64];

		if (!p)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/statm", p->pid);
		if (fd_read_file(path, &text) == 0 &&
		    sscanf(buf_cstr(&text), "%lu %lu %lu", &size, &resident,
			   &shared) == 3 &&
		    resident > shared)
			sum += (resident - shared) * PAGE;
		buf_free(&text);
	}
	for (size_t i = 0; i < w->shared.len; i++)
		sum += w->shared.v[i]->size;
	return sum;
}

static uint64_t
budget(const struct replayer *r)
{
	long pages = sysconf(_SC_PHYS_PAGES);

	if (r->opts.checkpoint_bytes)
		return r->opts.checkpoint_bytes;
	return pages > 0 ? (uint64_t)pages * PAGE / 4 : 1ull << 30;
}

static void
checkpoint_drop(struct replayer *r, size_t i)
{
	struct checkpoint *c = r->checkpoints.v[i];

	vec_remove(&r->checkpoints, i);
	world_free(r, c->world);
	mem_free(c);
}

void
checkpoint_drop_all(struct replayer *r)
{
	while (r->checkpoints.len > 0)
		checkpoint_drop(r, r->checkpoints.len - 1);
	vec_free(&r->checkpoints);
}

static uint64_t
distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/*
 * The one that is missed least: the gap that it leaves, in proportion to how
 * far from now it is. Those that somebody asked for go last.
 */
static size_t
least_useful(const struct replayer *r)
{
	const struct checkpoint *const *v =
		(const struct checkpoint *const *)r->checkpoints.v;
	size_t n = r->checkpoints.len, best = 0;
	double best_cost = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t before = i > 0 ? v[i - 1]->work_ns : 0;
		uint64_t after = i + 1 < n ? v[i + 1]->work_ns
				 : r->work_ns > v[i]->work_ns ? r->work_ns
							      : v[i]->work_ns;
		double gap = (double)distance(after, before) + 1.0;
		double far = (double)distance(r->work_ns, v[i]->work_ns) +
			     (double)DISTANCE_MIN_NS;
		double cost = gap / far * (v[i]->asked ? 1e9 : 1.0);

		if (i == 0 || cost < best_cost) {
			best = i;
			best_cost = cost;
		}
	}
	return best;
}

void
checkpoint_keep_budget(struct replayer *r)
{
	uint64_t max = budget(r);

	for (;;) {
		uint64_t bytes = 0, processes = 0;

		for (size_t i = 0; i < r->checkpoints.len; i++) {
			bytes += r->checkpoints.v[i]->bytes;
			processes += r->checkpoints.v[i]->world->puppets.len;
		}
		if (r->checkpoints.len <= 1 ||
		    (r->checkpoints.len <= COUNT_MAX && bytes <= max &&
		     processes <= PROCESSES_MAX))
			return;
		checkpoint_drop(r, least_useful(r));
	}
}

/* ---- when */

/* What the processes of w, and this thread, have done so far. */
static struct spent
spent(struct world *w)
{
	struct spent sum = { .cpu_ns = cputime_own_ns() };
	size_t it = 0;
	uint64_t key;
	void *val;

	while (map_next(&w->puppets, &it, &key, &val)) {
		const struct puppet *p = val;
		struct buf text = { 0 };
		const char *end = NULL;
		unsigned long faults;
		char path[64];

		if (!p->pid)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/stat", p->pid);
		if (fd_read_file(path, &text) == 0)
			end = strrchr(buf_cstr(&text), ')');
		if (end && sscanf(end, ") %*c %*d %*d %*d %*d %*d %*u %lu",
				  &faults) == 1)
			sum.faults += faults;
		buf_free(&text);
		sum.cpu_ns += cputime_ns(p->pid);
	}
	return sum;
}

void
checkpoint_note_spent(struct replayer *r, bool fresh)
{
	r->spent = fresh ? (struct spent){ .cpu_ns = cputime_own_ns() }
			 : spent(r->now);
}

bool
checkpoint_is_due(struct replayer *r, uint64_t last_ns, uint64_t left_ns)
{
	uint64_t work = r->work_ns > last_ns ? r->work_ns - last_ns : 0;
	uint64_t pages, cost;
	struct spent now;

	if (work < DISTANCE_MIN_NS || work < r->last_cost_ns * COST_SHARE_NEAR)
		return false;
	now = spent(r->now);
	now.faults -= now.faults > r->spent.faults ? r->spent.faults : 0;
	now.cpu_ns -= r->spent.cpu_ns;
	pages = world_bytes(r->now) / PAGE;
	cost = r->last_cost_ns +
	       (now.faults < pages ? now.faults : pages) * FAULT_NS;
	/* While others have the processor no work is done. */
	if (work > now.cpu_ns)
		work = now.cpu_ns;
	return work >= COST_SHARE * cost ||
	       (work >= COST_SHARE_NEAR * cost && work >= left_ns);
}
