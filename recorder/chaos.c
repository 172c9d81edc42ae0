/*
 * Whose turn it is, chosen with ill will.
 *
 * Every task has a random priority; of those that want their turn the one with
 * the highest gets it. A task can be held: it stands stopped, and others go
 * first. Both are bounded: a hold ends when it has lasted for its time,
 * or (unless it is stubborn) as soon as nothing else of the recording can go
 * on; who has waited for long comes first; who was cut short comes last.
 * All holds together may take a share of the time only.
 */
#include "recorder/chaos_priv.h"

#include "base/mem.h"
#include "recorder/chaos_named.h"
#include "recorder/sched.h"
#include "recorder/task.h"

#define PRIORITIES 8u
#define REDRAW_MIN_NS (30 * MS)
#define REDRAW_MAX_NS (4000 * MS)
#define PATIENCE_NS (1000 * MS) /* who waits for longer is next */
#define GRACE_NS (300 * US)	/* from a hold to where idleness ends it */
#define HOLD_MIN_NS (20 * US)
#define HOLD_MID_NS (200 * MS)
#define HOLD_MAX_NS (2000 * MS)
#define STUBBORN_MAX_NS (60 * MS)
#define SPENT_FREE_NS (1000 * MS) /* holds may take so much, */
#define SPENT_PERCENT 40u	  /* and this share of the time */
#define SOFT_NS (100 * MS)	  /* soft ones may be firm for so long */
#define FIRM_BIRTH 60u		  /* percent of holds of parents */
#define SLICE_MIN_NS (100 * US)
#define SLICE_MID_NS (10 * MS)
#define SLICE_MAX_NS (200 * MS)
#define SLICE_LONG_NS (2000 * MS)
#define TICK_MIN_NS (100 * US)
#define STUCK_TICK_NS (5 * MS) /* who spins may go on: look */
#define CPUS_MAX 8u

/* --- chance -----------------------------------------------------------------
 */

/* splitmix64: any seed will do. */
uint64_t
chaos_random(struct chaos *c)
{
	uint64_t z = c->random += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

uint64_t
chaos_below(struct chaos *c, uint64_t n)
{
	return chaos_random(c) % n;
}

bool
chaos_chance(struct chaos *c, unsigned percent)
{
	return chaos_below(c, 100) < percent;
}

uint64_t
chaos_between(struct chaos *c, uint64_t lo, uint64_t hi)
{
	unsigned doublings = 0;
	uint64_t from;

	while (lo << (doublings + 1) <= hi)
		doublings++;
	from = lo << chaos_below(c, doublings + 1);
	from += chaos_below(c, from);
	return from < hi ? from : hi;
}

uint32_t
chaos_priority(struct chaos *c)
{
	return (uint32_t)chaos_below(c, PRIORITIES);
}

/* --- state ------------------------------------------------------------------
 */

void
chaos_init(struct recorder *r)
{
	const struct chaos_opts *o = r->opts.chaos;
	struct chaos *c;

	if (o == NULL || !o->on)
		return;
	c = mem_zalloc(sizeof(*c));
	c->opts = o;
	c->random = o->seed;
	named_init(c);
	mood_draw(c);
	r->chaos = c;
	if (r->opts.cpus == 0 && chaos_has(r, KNOB_cpus))
		r->opts.cpus = (unsigned)chaos_below(c, CPUS_MAX) + 1;
}

void
chaos_release(struct recorder *r)
{
	struct chaos *c = r->chaos;
	size_t it = 0;
	uint64_t number;
	void *value;

	if (c == NULL)
		return;
	while (map_next(&c->tasks, &it, &number, &value))
		mem_free(value);
	map_free(&c->tasks);
	code_release(c);
	named_release(c);
	cpus_release(c);
	mem_free(c);
	r->chaos = NULL;
}

void
chaos_finish(struct recorder *r)
{
	if (r->chaos != NULL && r->chaos->names != NULL)
		named_finish(r);
}

void
chaos_header(const struct recorder *r, struct buf *items)
{
	const struct chaos *c = r->chaos;
	struct buf text = { 0 };

	if (c == NULL)
		return;
	buf_printf(&text, "%llu", (unsigned long long)c->opts->seed);
	item_put_kv(items, "chaos", buf_span(&text));
	buf_clear(&text);
	knobs_text(c->opts, &text);
	item_put_kv(items, "chaos_knobs", buf_span(&text));
	if (c->names != NULL) {
		buf_clear(&text);
		knobs_places_text(c->opts, &text);
		item_put_kv(items, "chaos_at", buf_span(&text));
	}
	buf_free(&text);
}

bool
chaos_has(const struct recorder *r, enum knob knob)
{
	return r->chaos != NULL && r->chaos->opts->level[knob] != KNOB_OFF;
}

struct chaos_task *
chaos_task(const struct recorder *r, const struct task *t)
{
	struct chaos *c = r->chaos;
	struct chaos_task *ct = map_get(&c->tasks, t->number);

	if (ct == NULL) {
		ct = mem_zalloc(sizeof(*ct));
		ct->priority = chaos_priority(c);
		ct->spared = chaos_chance(c, c->mood.spare);
		map_set(&c->tasks, t->number, ct);
	}
	return ct;
}

void
chaos_forget(struct recorder *r, const struct task *t)
{
	if (r->chaos != NULL)
		mem_free(map_del(&r->chaos->tasks, t->number));
}

int
chaos_event(struct recorder *r, const struct task *t, enum chaos_choice what,
	    uint64_t a, uint64_t b, struct err *err)
{
	struct event ev;

	event_begin(r, t, EV_chaos, &ev);
	ev.args[0] = what;
	ev.args[1] = a;
	ev.args[2] = b;
	return event_put(r, &ev, err);
}

/* --- holds ------------------------------------------------------------------
 */

bool
chaos_may_hold(const struct recorder *r)
{
	return r->tasks.len > 1 &&
	       r->chaos->spent_ns <
		       SPENT_FREE_NS + r->now_ns / 100 * SPENT_PERCENT;
}

static int
hold(struct recorder *r, struct task *t, enum chaos_hold how, uint64_t ns,
     struct err *err)
{
	struct chaos_task *ct = chaos_task(r, t);

	ct->hold = how;
	ct->held_ns = r->now_ns;
	ct->soft_ns = r->now_ns;
	ct->until_ns = r->now_ns + ns;
	ct->out = true;
	ct->held_pc = 0;
	return chaos_event(r, t, CHAOS_HOLD, ns, how, err);
}

int
chaos_hold(struct recorder *r, struct task *t, unsigned firm, struct err *err)
{
	struct chaos *c = r->chaos;
	enum chaos_hold how = chaos_chance(c, firm) ? HOLD_FIRM : HOLD_SOFT;
	uint64_t ns = HOLD_MAX_NS;
	int ret;

	if (!chaos_chance(c, firm == 100 ? 100 : c->mood.patient)) {
		ns = chaos_between(c, HOLD_MIN_NS, HOLD_MID_NS);
		if (ns <= STUBBORN_MAX_NS && chaos_chance(c, 40))
			how = HOLD_TIME;
	}
	ret = hold(r, t, how, ns, err);
	if (firm > 0 && chaos_chance(c, 50))
		chaos_task(r, t)->soft_ns += chaos_between(c, MS, SOFT_NS);
	return ret;
}

static void
let_go(struct recorder *r, struct chaos_task *ct)
{
	size_t it = 0;
	uint64_t number;
	void *other;

	if (ct->until_ns == 0)
		return;
	r->chaos->spent_ns += r->now_ns - ct->held_ns;
	ct->until_ns = 0;
	if (!ct->gathered)
		return;
	ct->gathered = false;
	while (map_next(&r->chaos->tasks, &it, &number, &other))
		if (((struct chaos_task *)other)->gathered)
			let_go(r, other);
}

void
chaos_let_go(struct recorder *r, uint32_t task)
{
	struct chaos_task *ct = map_get(&r->chaos->tasks, task);

	if (ct == NULL)
		return;
	let_go(r, ct);
	ct->out = false;
	ct->priority = 0;
}

static bool
is_held(const struct recorder *r, const struct task *t)
{
	return chaos_task(r, t)->until_ns > r->now_ns;
}

/* It could make use of its turn, and may have it. */
static bool
is_free(const struct recorder *r, const struct task *t)
{
	return !is_held(r, t) && !spin_is_stuck(r, t);
}

/* It runs user code, or is in a call that returns by itself. */
static bool
is_busy(const struct task *t)
{
	return t != NULL && !(t->stop.kind == STOP_NONE && t->call.active &&
			      t->call.desc->blocking != SYS_NEVER);
}

/* Only held tasks could go on. */
static bool
all_wait(const struct recorder *r)
{
	for (size_t i = 0; i < r->groups.len; i++) {
		const struct group *g = r->groups.v[i];

		if (is_busy(g->runner) || g->wanted.len > 0)
			return false;
		for (size_t k = 0; k < g->ready.len; k++)
			if (is_free(r, g->ready.v[k]))
				return false;
	}
	return true;
}

/* Nobody else has anything to do: the hold that was to end first ends. */
static bool
let_one_go(struct recorder *r, const struct group *g)
{
	struct chaos_task *first = NULL;
	const struct task *t = NULL;

	for (size_t i = 0; i < g->ready.len; i++) {
		struct chaos_task *ct = chaos_task(r, g->ready.v[i]);

		if (ct->hold != HOLD_TIME &&
		    r->now_ns - ct->held_ns >= GRACE_NS &&
		    (first == NULL || ct->held_ns < first->held_ns)) {
			first = ct;
			t = g->ready.v[i];
		}
	}
	if (first == NULL || !all_wait(r))
		return false;
	race_barren(r, t);
	let_go(r, first);
	return true;
}

static bool
is_soft(const struct recorder *r, const struct chaos_task *ct)
{
	return ct->hold == HOLD_SOFT && r->now_ns >= ct->soft_ns;
}

bool
chaos_could_wait(const struct recorder *r, const struct group *g)
{
	for (size_t i = 0; i < g->ready.len; i++)
		if (is_free(r, g->ready.v[i]) ||
		    is_soft(r, chaos_task(r, g->ready.v[i])))
			return true;
	return false;
}

void
chaos_let_other_go(struct recorder *r, const struct task *t)
{
	const struct group *g = task_group(t);
	size_t n = g->ready.len, from;

	if (n == 0 || chaos_waits(r, g))
		return;
	from = chaos_below(r->chaos, n);
	for (size_t i = 0; i < n; i++) {
		struct chaos_task *ct =
			chaos_task(r, g->ready.v[(from + i) % n]);

		if (is_soft(r, ct)) {
			let_go(r, ct);
			return;
		}
	}
}

bool
chaos_waits(const struct recorder *r, const struct group *g)
{
	for (size_t i = 0; i < g->ready.len; i++) {
		const struct task *t = g->ready.v[i];

		if (r->chaos == NULL ? !spin_is_stuck(r, t) : is_free(r, t))
			return true;
	}
	return false;
}

/* --- turns ------------------------------------------------------------------
 */

/* All stand at events of their own. */
static int
draw_events(struct recorder *r, const struct group *g)
{
	const struct mood *m = &r->chaos->mood;
	int ret = 0;

	if (chaos_has(r, KNOB_ambush) || chaos_has(r, KNOB_births) ||
	    chaos_has(r, KNOB_starve) || r->chaos->names != NULL)
		ret = chaos_event(r, g->ready.v[0], CHAOS_PLAN, m->plan,
				  m->births | (unsigned)m->taste << 8, NULL);
	for (size_t i = 0; i < g->ready.len && ret == 0; i++) {
		const struct task *t = g->ready.v[i];

		if (chaos_has(r, KNOB_priorities))
			ret = chaos_event(r, t, CHAOS_PRIORITY,
					  chaos_task(r, t)->priority, 0, NULL);
	}
	return ret;
}

static int
redraw(struct recorder *r, const struct group *g)
{
	struct chaos *c = r->chaos;
	size_t it = 0;
	uint64_t number;
	void *value;

	if (r->now_ns < c->redraw_ns)
		return 0;
	if (c->redraw_ns != 0)
		mood_draw(c);
	while (map_next(&c->tasks, &it, &number, &value)) {
		struct chaos_task *ct = value;

		ct->priority = chaos_priority(c);
	}
	c->redraw_ns =
		r->now_ns + chaos_between(c, REDRAW_MIN_NS, REDRAW_MAX_NS);
	return draw_events(r, g);
}

/* Does ta come before tb? */
static bool
precedes(const struct recorder *r, const struct task *ta, const struct task *tb)
{
	const struct chaos_task *a = chaos_task(r, ta), *b = chaos_task(r, tb);
	struct chaos *c = r->chaos;
	bool a_old = r->now_ns - a->ready_ns >= PATIENCE_NS;
	bool b_old = r->now_ns - b->ready_ns >= PATIENCE_NS;

	if (a_old || b_old)
		return a->ready_ns < b->ready_ns;
	/* Whoever it is that those wait for who spin gets its turn within one
	 * round. */
	if (ta->waiting.spun || tb->waiting.spun)
		return ta->waiting.spun && tb->waiting.spun
			       ? ta->turn_ns < tb->turn_ns
			       : tb->waiting.spun;
	if (a->out != b->out)
		return b->out;
	if (!chaos_has(r, KNOB_priorities))
		return false; /* in the order of the queue */
	if (c->mood.woken_last &&
	    (ta->next == NEXT_EXIT) != (tb->next == NEXT_EXIT))
		return tb->next == NEXT_EXIT;
	return a->priority != b->priority ? a->priority < b->priority
					  : chaos_chance(c, 50);
}

static ssize_t
best(struct recorder *r, const struct group *g)
{
	ssize_t found = -1;

	for (size_t i = 0; i < g->ready.len; i++) {
		struct chaos_task *ct = chaos_task(r, g->ready.v[i]);

		if (ct->until_ns > r->now_ns)
			continue;
		let_go(r, ct);
		if (spin_stays_stuck(r, g->ready.v[i])) {
			ct->ready_ns = 0;
			continue;
		}
		if (ct->ready_ns == 0)
			ct->ready_ns = r->now_ns;
		if (found < 0 || precedes(r, g->ready.v[i], g->ready.v[found]))
			found = (ssize_t)i;
	}
	return found;
}

/* All spin, and what they wait for must come from elsewhere; but not as long
 * as one is held. */
static ssize_t
any_stuck(const struct recorder *r, const struct group *g)
{
	for (size_t i = 0; i < g->ready.len; i++)
		if (is_held(r, g->ready.v[i]))
			return -1;
	return (ssize_t)spin_oldest(g);
}

ssize_t
chaos_choose(struct recorder *r, const struct group *g)
{
	ssize_t found;

	if (r->chaos == NULL)
		return (ssize_t)spin_first(r, g);
	redraw(r, g);
	found = best(r, g);
	if (found < 0 && let_one_go(r, g))
		found = best(r, g);
	if (found < 0)
		found = any_stuck(r, g);
	if (found < 0)
		return found;
	for (size_t i = 0; i < g->ready.len; i++)
		chaos_task(r, g->ready.v[i])->out = false;
	chaos_task(r, g->ready.v[found])->ready_ns = 0;
	return found;
}

static unsigned
firm_birth(const struct chaos *c)
{
	return c->mood.births == BIRTHS_CHILD  ? 100
	       : c->mood.births == BIRTHS_SOFT ? 0
					       : FIRM_BIRTH;
}

int
chaos_turn_ends(struct recorder *r, struct task *t, struct err *err)
{
	struct chaos *c = r->chaos;
	struct chaos_task *ct;
	int ret;

	if (c == NULL || r->tasks.len < 2)
		return 0;
	ct = chaos_task(r, t);
	if (t->yielded)
		ct->out = true;
	if (ct->hold_next || (chaos_has(r, KNOB_starve) && chaos_may_hold(r) &&
			      chaos_chance(c, c->mood.event))) {
		ret = chaos_hold(r, t,
				 ct->hold_next ? firm_birth(c) : c->mood.firm,
				 err);
		ct->hold_next = false;
		return ret < 0 ? ret : 1;
	}
	if (!chaos_has(r, KNOB_calls) || !chaos_waits(r, task_group(t)) ||
	    !chaos_chance(c, c->mood.turn))
		return 0;
	ct->out = true;
	ret = chaos_event(r, t, CHAOS_TURN, 0, 0, err);
	return ret < 0 ? ret : 1;
}

int
chaos_cut(struct recorder *r, struct task *t, struct err *err)
{
	struct chaos_task *ct;

	if (r->chaos == NULL)
		return 0;
	ct = chaos_task(r, t);
	ct->out = true;
	if (!chaos_has(r, KNOB_slices))
		return 0;
	return chaos_event(r, t, CHAOS_SLICE, ct->slice_ns, 0, err);
}

int
chaos_birth(struct recorder *r, struct task *t, struct task *parent,
	    struct err *err)
{
	bool near = task_group(t) == task_group(parent);
	struct chaos *c = r->chaos;
	int ret;

	if (!chaos_has(r, KNOB_births) || parent->in_vfork ||
	    !chaos_may_hold(r))
		return 0;
	if (near && c->mood.births == BIRTHS_GATHER) {
		bool soft = t->proc != parent->proc || c->mood.gather_soft;

		ret = hold(r, t, soft ? HOLD_SOFT : HOLD_FIRM, HOLD_MAX_NS,
			   err);
		chaos_task(r, t)->gathered = true;
		return ret;
	}
	/* In another group it can only be overtaken by not waiting for it. */
	if (!near || c->mood.births == BIRTHS_ANY)
		if (chaos_chance(c, near ? c->mood.child : c->mood.child / 4))
			return chaos_hold(r, t, 0, err);
	chaos_task(r, parent)->hold_next =
		(near && c->mood.births >= BIRTHS_CHILD) ||
		chaos_chance(c, c->mood.parent);
	return 0;
}

/* --- time -------------------------------------------------------------------
 */

uint64_t
chaos_slice(struct recorder *r, const struct task *t, uint64_t ns)
{
	struct chaos_task *ct;

	if (!chaos_has(r, KNOB_slices))
		return ns;
	ct = chaos_task(r, t);
	if (ct->slice_ns != 0 && ct->slice_turn_ns == t->turn_ns)
		return ct->slice_ns;
	ct->slice_turn_ns = t->turn_ns;
	ct->slice_ns = chaos_between(
		r->chaos,
		r->chaos->mood.long_slices ? SLICE_MID_NS : SLICE_MIN_NS,
		chaos_chance(r->chaos, 5) ? SLICE_LONG_NS : SLICE_MAX_NS);
	return ct->slice_ns;
}

static void
sooner(uint64_t *ns, uint64_t from, uint64_t to)
{
	uint64_t left = to > from ? to - from : 0;

	if (left < TICK_MIN_NS)
		left = TICK_MIN_NS;
	if (*ns == 0 || left < *ns)
		*ns = left;
}

static bool
is_computing(const struct task *t)
{
	return t != NULL && t->state == TASK_RUNNING &&
	       t->stop.kind == STOP_NONE && !t->call.active;
}

uint64_t
chaos_tick_ns(struct recorder *r)
{
	uint64_t ns = 0;

	for (size_t i = 0; r->chaos != NULL && i < r->groups.len; i++) {
		const struct group *g = r->groups.v[i];

		for (size_t k = 0; k < g->ready.len; k++) {
			const struct chaos_task *ct =
				chaos_task(r, g->ready.v[k]);

			if (ct->until_ns <= r->now_ns)
				continue;
			sooner(&ns, r->now_ns, ct->until_ns);
			if (r->now_ns - ct->held_ns < GRACE_NS)
				sooner(&ns, r->now_ns, ct->held_ns + GRACE_NS);
		}
		if (g->runner == NULL && g->ready.len > 0)
			sooner(&ns, 0, STUCK_TICK_NS);
		if (is_computing(g->runner) && chaos_has(r, KNOB_slices) &&
		    chaos_waits(r, g)) {
			const struct task *t = g->runner;

			sooner(&ns, task_computes_ns(r, t),
			       chaos_slice(r, t, 0));
		}
	}
	return ns;
}
