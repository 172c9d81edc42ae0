#include <errno.h>

#include "recorder/engine.h"
#include "recorder/task.h"
#include "tracee/memsum.h"

int
sum_event(struct recorder *r, struct task *t, struct err *err)
{
	struct space *s = task_space(t);
	struct memsum_range *large;
	struct memsum *v;
	struct event ev;
	size_t n, n_large;
	int ret = memsum_large(t->tid, &r->arena, &large, &n_large, err);

	if (ret == 0)
		ret = memsum_space(t->tid, &s->mem, large, n_large, &r->arena,
				   &v, &n, err);
	if (ret < 0)
		return ret == -ENOENT || ret == -ESRCH ? -E_GONE : ret;
	event_begin(r, t, EV_checksum, &ev);
	ev.args[0] = s->number;
	ev.args[1] = memsum_total(v, n);
	for (size_t i = 0; i < n_large; i++)
		item_put_region(&r->items, large[i].start,
				large[i].end - large[i].start, 0);
	for (size_t i = 0; i < n; i++) {
		item_put_region(&r->items, v[i].addr, MEMSUM_PIECE, v[i].hash);
		item_put_bytes(&r->items, ITEM_PAGES, v[i].addr,
			       span_of(v[i].page, sizeof(v[i].page)));
	}
	s->events = 0;
	return event_put(r, &ev, err);
}

int
sum_due(struct recorder *r, struct task *t, struct err *err)
{
	uint64_t every = r->opts.checksum_every;

	if (every <= 1 || ++task_space(t)->events < every)
		return 0;
	return sum_event(r, t, err);
}
