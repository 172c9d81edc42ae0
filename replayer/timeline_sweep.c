/*
 * Back to a watchpoint over much: first a replay as fast as any, calls made
 * ahead and all, that only learns in which stretch the watched bytes were
 * touched last. Debug registers stay set in each process until it does; then it
 * runs without them to the end of the stretch. What happened in that is found
 * by going over it once more, stop by stop (tl_scan).
 */
#include "replayer/timeline_priv.h"

#include "replayer/agent.h"
#include "tracee/ptrace.h"

struct sweep {
	struct timeline *t;
	struct replayer *r;
	uint64_t from, began_ns; /* of this stretch: event, work */
	bool touched;		 /* in it */
};

bool
tl_sweeps(const struct timeline *t)
{
	return t->req->n_breaks == 0 && t->req->events == 0 && t->n_watch > 0;
}

static int
arm(const struct sweep *s, struct puppet *p, struct err *err)
{
	const struct timeline *t = s->t;

	if (s->touched || p->watched == p->pid)
		return 0;
	for (unsigned i = 0; i < t->n_watch; i++) {
		const struct spec_watch *w = &t->watch[i];

		if (!tl_watch_is_for(&t->req->watches[w->owner], p))
			continue;
		if (ptrace_set_debug(p->pid, i,
				     w->access ? PTRACE_DEBUG_ACCESS
					       : PTRACE_DEBUG_WRITE,
				     w->addr, w->len) < 0)
			return err_set(err, E_GONE,
				       "the process that replayed task %u is "
				       "gone",
				       p->task);
	}
	p->watched = p->pid;
	return 0;
}

static void
disarm_all(struct replayer *r)
{
	size_t it = 0;
	uint64_t key;
	void *val;

	while (map_next(&r->now->puppets, &it, &key, &val))
		puppet_unwatch(val);
}

/* Points are sought with debug registers, and long code is to be interrupted.
 */
static bool
needs_scan(const struct sweep *s, const struct puppet *p)
{
	const struct event *ev = &s->r->peek;

	return ev->kind == EV_sched || inside_took_long(s->r, p->last_ns, ev);
}

/* The next event, or several. 1: the recording is over. */
static int
go_on(struct sweep *s, uint64_t to, struct err *err)
{
	struct replayer *r = s->r;
	struct puppet *p;
	int ret = replayer_peek(r, err);

	if (ret <= 0)
		return ret < 0 ? ret : 1;
	p = world_puppet(r->now, r->peek.task);
	ret = 0;
	if ((r->peek.flags & EVF_RUNS) && p && p->pid) {
		if (needs_scan(s, p))
			ret = tl_scan_interval(s->t, p, err);
		else
			ret = arm(s, p, err);
		if (ret == 0)
			ret = agent_ahead(r, to, err);
		/* It may have come less far than it should. */
		if (ret == 0)
			ret = replayer_peek(r, err) < 0 ? -E_FORMAT : 0;
	}
	return ret != 0 ? ret : tl_scan_event(s->t, err);
}

static void
begin_stretch(struct sweep *s)
{
	s->from = s->r->now->seq;
	s->began_ns = s->r->work_ns;
	s->touched = false;
	s->r->touched = false;
}

int
tl_sweep(struct timeline *t, uint64_t to, uint64_t *from, uint64_t *upto,
	 struct err *err)
{
	struct sweep s = { .t = t, .r = t->r };
	bool found = false;
	int ret = 0;

	begin_stretch(&s);
	while (ret == 0 && t->r->now->seq < to) {
		ret = go_on(&s, to, err);
		if (t->has_hit || t->r->touched) {
			s.touched = found = true;
			t->has_hit = t->r->touched = false;
			*from = s.from;
			*upto = to;
		}
		if (t->r->work_ns - s.began_ns >= timeline_slice(t->r)) {
			if (s.touched)
				*upto = t->r->now->seq;
			begin_stretch(&s);
		}
		if (ret == 0)
			ret = tl_tell(t, err);
	}
	disarm_all(t->r);
	return ret < 0 ? ret : found;
}
