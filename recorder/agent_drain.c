/*
 * Records become events whenever a task stops, before anything else is made of
 * the stop, and now and then while none does. So what has returned before a
 * stop is numbered before it. Between two stops the stamps of records say what
 * came first, whoever made it: of calls whose effect others see (SYSF_SEND) the
 * moment before, of all others that after.
 */
#include "recorder/agent_priv.h"

#include <errno.h>

#include "base/clock.h"
#include "recorder/seat.h"
#include "recorder/task.h"

/* So many bytes of records at once are worth a CPU of their own. */
#define APART_FROM 65536u
/* As long as there are many they are looked for so often: what is read while
 * the program runs need not be read while it waits. */
#define BUSY_FROM 16384u
#define BUSY_TICK_NS 1000000u
#define BUSY_FOR_NS 4000000u

/* It may be in the midst of writing the next record. */
static bool
is_amid(const struct task *t)
{
	switch (t->stop.kind) {
	case STOP_NONE:
	case STOP_EXIT: /* put_killed will look */
		return true;
	case STOP_SIGNAL:
	case STOP_GROUP:
	case STOP_EVENT_STOP:
		return agent_is_inside(t);
	case STOP_SECCOMP: /* its own calls stop in a test only */
		return task_space(t)->agent->r->opts.agent_test != NULL &&
		       agent_is_inside(t);
	case STOP_EXITED:
	case STOP_KILLED:
	case STOP_SYSCALL:
	case STOP_FORK:
	case STOP_VFORK:
	case STOP_CLONE:
	case STOP_EXEC:
		break;
	}
	return false;
}

/* Who may be in there: the baton's holder. */
static const struct task *
holder_of(const struct space *s)
{
	const struct agent_space *a = s->agent;

	return a->settle ? agent_seated(a, a->holder - 1) : s->group->runner;
}

/* Nothing is in the ring any more, unless the agent is about to go on there. */
static void
empty_ring(const struct space *s, uint64_t pos)
{
	struct agent_space *a = s->agent;
	const struct task *t = holder_of(s);
	static const uint64_t none;

	a->drained = pos;
	if ((a->flags & AGENT_BATON) != 0 || (t != NULL && is_amid(t)))
		return;
	a->undrained = false;
	if (mem_write_all(&s->mem,
			  AGENT_DATA + offsetof(struct agent_data, pos), &none,
			  sizeof(none)) == 0)
		a->drained = 0;
}

/* ---- rings */

/* What was in one of them. */
struct agent_stream {
	struct space *s;
	struct task *t;	    /* of the next */
	struct task *whose; /* unless it says so */
	uint8_t *ring; /* in the arena of struct agent */
	size_t len, at;
	struct regs regs; /* unless records have the bases */
	struct regs *bases;
	struct agent_record next;
	uint64_t key; /* of the next, 0 = there is none */
};

/* Those without a stamp come first: then nobody knows. */
static uint64_t
key_of(const struct agent_rec *rec)
{
	bool send = (sys_desc(rec->nr)->flags & SYSF_SEND) != 0 &&
		    rec->what != AGENT_EXITS;
	uint64_t key = send && rec->begin != 0 ? rec->begin : rec->end;

	return key != 0 ? key : 1;
}

static void
advance(struct agent_stream *s)
{
	uint64_t *regs = s->s->agent->regs;
	uint64_t key = 0;

	if (agent_record_at(s->ring + s->at, s->len - s->at, regs, &s->next) &&
	    (s->t = agent_seated(s->s->agent, s->next.rec.slot)) != NULL) {
		s->at += s->next.rec.len;
		key = key_of(&s->next.rec);
		/* One task's own come one after the other. */
		if (key < s->key)
			key = s->key;
	}
	s->key = key;
}

/* The records of a space's ring; false: there are none. */
static bool
read_ring(struct recorder *r, struct space *of, uint64_t pos,
	  struct agent_stream *s)
{
	struct agent_space *a = of->agent;
	struct task *t = of->group->runner;
	const struct task *any = t != NULL ? t : agent_anybody(a);
	struct mem m;
	uint64_t len = pos > a->drained ? pos - a->drained : 0;

	*s = (struct agent_stream){ .s = of, .len = (size_t)len };
	a->last = 0; /* segment bases may be others now */
	if (len == 0)
		return false;
	/* Of a task that is there: another thread may be gone. */
	m = mem_of_task(&of->mem, any != NULL ? any->tid : 0);
	s->ring = arena_raw(&r->agent->arena, (size_t)len);
	if (mem_read_bulk(&m, AGENT_DATA + AGENT_RING + a->drained, s->ring,
			  (size_t)len) < 0)
		return false;
	if ((a->flags & AGENT_FSGSBASE) == 0 && t != NULL &&
	    ptrace_get_regs(t->tid, &s->regs) == 0)
		s->bases = &s->regs;
	if (len >= BUSY_FROM)
		r->agent->busy_ns = r->now_ns;
	if (len >= APART_FROM)
		seat_apart(r, of);
	advance(s);
	return true;
}

/* None in the midst of a call that trapped: it was read when that began. */
static bool
has_ring(const struct space *s)
{
	const struct task *t = s->group->runner;

	if (s->agent == NULL || !s->agent->on)
		return false;
	return s->agent->undrained ||
	       (t != NULL && t->proc != NULL && task_space(t) == s &&
		!t->dead && !t->call.active && t->stop.kind != STOP_EXEC);
}

static bool
read_pos(const struct space *s, uint64_t *out)
{
	if (mem_read_all(&s->mem, AGENT_DATA + offsetof(struct agent_data, pos),
			 out, sizeof(*out)) < 0)
		return false;
	if (*out > AGENT_RING_LEN)
		*out = AGENT_RING_LEN;
	return true;
}

/* ---- all of them, in order */

static struct agent_stream *
first_of(struct agent_stream *v, size_t n)
{
	struct agent_stream *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (v[i].key != 0 && (best == NULL || v[i].key < best->key))
			best = &v[i];
	return best;
}

static int
end_stream(struct recorder *r, const struct agent_stream *s, struct err *err)
{
	return s->at == s->len ? 0
			       : warn(r, NULL, WARN_LOST, -1,
				      "the program has written over pastime's "
				      "records: some calls are missing");
}

static int
put_streams(struct recorder *r, struct agent_stream *v, size_t n,
	    struct err *err)
{
	const struct agent_stamps st = agent_stamps_now(r);
	struct agent_stream *s;
	int ret = 0;

	while (ret >= 0 && (s = first_of(v, n)) != NULL) {
		arena_clear(&r->arena);
		s->t->last.rip = 0; /* where it was then is not known */
		ret = agent_record_put(r, s->t, &s->next, s->bases, &st, err);
		s->s->events++;
		advance(s);
	}
	event_settle(r);
	for (size_t i = 0; i < n && ret >= 0; i++)
		ret = end_stream(r, &v[i], err);
	return ret;
}

static int
put_killed(struct recorder *r, struct err *err)
{
	int ret = 0;

	for (size_t i = 0; i < r->groups.len && ret >= 0; i++) {
		struct task *t = r->groups.v[i]->runner;
		uint64_t pos;

		if (t != NULL && t->proc != NULL && t->stop.kind == STOP_EXIT &&
		    has_ring(task_space(t)) && read_pos(task_space(t), &pos))
			ret = agent_record_enter(r, t, pos, err);
	}
	return ret;
}

/* Every ring, as it is; the number of streams. */
static size_t
read_rings(struct recorder *r, struct agent_stream *v)
{
	size_t n = 0;

	for (size_t i = 0; i < r->spaces.len; i++) {
		struct space *s = r->spaces.v[i];
		uint64_t pos;

		if (!has_ring(s) || !read_pos(s, &pos) || pos == 0)
			continue;
		if (read_ring(r, s, pos, &v[n]))
			n++;
		empty_ring(s, pos);
	}
	return n;
}

int
agent_drain(struct recorder *r, struct err *err)
{
	struct agent_stream *v;
	size_t n;
	int ret = 0;

	if (r->agent == NULL)
		return 0;
	arena_clear(&r->agent->arena);
	v = arena_alloc(&r->agent->arena, (r->spaces.len + 1) * sizeof(*v));
	n = read_rings(r, v);
	if (n > 0)
		ret = syscall_senders(r, n == 1 ? v->t : NULL, err);
	if (ret >= 0 && n > 0)
		ret = put_streams(r, v, n, err);
	for (size_t i = 0; i < r->spaces.len; i++)
		agent_settle(r->spaces.v[i]);
	if (ret >= 0)
		ret = put_killed(r, err);
	return ret < 0 && ret != -E_GONE ? ret : 0;
}

uint64_t
agent_tick_ns(const struct recorder *r)
{
	const struct agent *a = r->agent;

	return a != NULL && a->busy_ns != 0 &&
			       r->now_ns - a->busy_ns < BUSY_FOR_NS
		       ? BUSY_TICK_NS
		       : 0;
}

bool
agent_is_busy(const struct recorder *r)
{
	for (size_t i = 0; r->agent != NULL && i < r->spaces.len; i++) {
		const struct space *s = r->spaces.v[i];
		const struct task *t = s->group->runner;

		if (s->agent != NULL && s->agent->on &&
		    (s->agent->undrained ||
		     (t != NULL && t->proc != NULL && task_space(t) == s &&
		      t->stop.kind == STOP_NONE)))
			return true;
	}
	return false;
}
