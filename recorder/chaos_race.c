/*
 * Who touches what. Ambushes are worth most where two tasks touch the same
 * memory and one of them writes: known from where they were seen, or found out
 * by watching, in all others, what one that is held is about to touch.
 */
#include "recorder/chaos_priv.h"

#include <sys/syscall.h>

#include "recorder/task.h"

#define MEET_PERCENT 60u
#define SAME_PERCENT 90u /* memory is again as the held one expects it */
#define READS_TIRE 4u	 /* a place is worth half after so many visits */
#define WRITES_TIRE 32u
#define GUARDED 1u /* barren ambushes */
#define BARREN_TIMES 20u
#define WATCH_MAX 8u

static uint32_t
bit_of(const struct task *t)
{
	return 1u << (t->number & 31);
}

static struct line *
line_of(struct chaos *c, const struct task *t, uint64_t addr)
{
	uint64_t key = (addr >> 3) ^ (uint64_t)task_group(t)->number << 48;
	struct line *l = &c->lines[(key ^ key >> 12) & (LINES - 1)];

	if (l->key != key)
		*l = (struct line){ .key = key };
	return l;
}

/* Has another task touched it so that the order matters? */
static bool
is_contended(struct chaos *c, const struct task *t, uint64_t addr, bool write)
{
	const struct line *l = line_of(c, t, addr);
	uint32_t others = write ? l->readers | l->writers : l->writers;

	return (others & ~bit_of(t)) != 0;
}

static struct seen *
seen_at(struct seen *table, uint64_t pc)
{
	struct seen *s = &table[(pc ^ pc >> 4) & (SEEN - 1)];

	if (s->pc != pc)
		*s = (struct seen){ .pc = pc };
	return s;
}

/* A new turn: what it touched before, others may have touched since. */
static void
begin_turn(const struct task *t, struct chaos_task *ct)
{
	if (ct->fresh_turn_ns == t->turn_ns)
		return;
	ct->fresh_turn_ns = t->turn_ns;
	ct->fresh = ct->at_place != DID_NOTHING;
	ct->did = ct->at_place;
	ct->at_place = DID_NOTHING;
}

enum did
race_did(const struct access *a)
{
	if (a->weight == 0 || a->private)
		return DID_NOTHING;
	if (a->addr == 0)
		return DID_CALL;
	return a->write ? DID_WRITE : DID_READ;
}

void
race_touch(struct recorder *r, const struct task *t, const struct access *a)
{
	struct chaos_task *ct = chaos_task(r, t);
	struct seen *s;

	begin_turn(t, ct);
	s = seen_at(ct->seen, a->pc);
	s->visits++;
	s->again = s->addr == a->addr && !a->write ? s->again + 1 : 0;
	s->addr = a->addr;
	if (a->private)
		return;
	ct->fresh++;
	ct->did = race_did(a);
	if (a->addr == 0)
		return;
	ct->touched[ct->fresh % TOUCHED] = a->addr;
	if (a->write)
		line_of(r->chaos, t, a->addr)->writers |= bit_of(t);
	else
		line_of(r->chaos, t, a->addr)->readers |= bit_of(t);
}

static bool
has_touched(const struct chaos_task *ct, uint64_t addr)
{
	for (unsigned i = 0; i < TOUCHED; i++)
		if (ct->touched[i] == addr)
			return true;
	return false;
}

/* A compare and exchange that will fail: what it relies on is gone already. */
static bool
is_doomed(const struct task *t, const struct access *a)
{
	uint64_t now = 0;

	if (!a->compares || a->size > sizeof(now))
		return false;
	mem_read(&task_space(t)->mem, a->addr, &now, a->size);
	return now != a->expect;
}

/* It was held in a critical section, most likely: others came to wait, at
 * once. */
void
race_barren(struct recorder *r, const struct task *t)
{
	const struct chaos_task *ct = chaos_task(r, t);
	const struct space *s = task_space(t);
	size_t it = 0;
	uint64_t tid;
	void *value;

	while (ct->held_pc != 0 && map_next(&r->tasks, &it, &tid, &value)) {
		const struct task *o = value;

		if (o != t && o->proc != NULL && task_space(o) == s &&
		    o->call.active && o->call.sc.nr == SYS_futex &&
		    o->call.start_ns >= ct->held_ns &&
		    chaos_task(r, o)->fresh <= 1) {
			seen_at(r->chaos->barren, ct->held_pc)->visits++;
			r->chaos->mood.springs++;
			if (++r->chaos->mood.barren == GUARDED &&
			    r->chaos->mood.plan != PLAN_STEP &&
			    r->chaos->mood.plan != PLAN_NAMED &&
			    r->chaos->mood.taste != TASTE_BETWEEN)
				mood_between(r->chaos);
			return;
		}
	}
}

/* Is it where the mood wants it? */
static bool
is_to_taste(struct chaos *c, const struct chaos_task *ct,
	    const struct access *a, bool contended)
{
	switch (c->mood.taste) {
	case TASTE_AFTER_WRITE:
		return ct->did == DID_WRITE;
	case TASTE_BEFORE_WRITE:
		return a->write &&
		       (a->compares || contended || has_touched(ct, a->addr));
	case TASTE_AFTER_CALL:
		return ct->did == DID_CALL;
	case TASTE_BETWEEN:
		return ct->did == DID_CALL && a->addr == 0;
	case TASTE_ANY:
		break;
	}
	return true;
}

static unsigned
weigh(const struct chaos_task *ct, const struct access *a, unsigned percent,
      bool contended)
{
	if (ct->did == DID_WRITE)
		percent *= 2; /* half of it may be done */
	if (a->addr == 0)
		return percent / 2 + 1;
	if (a->write && has_touched(ct, a->addr))
		return percent * 3; /* read, changed, and now written */
	return contended ? percent * 2 : percent;
}

unsigned
race_percent(struct recorder *r, const struct task *t, const struct access *a)
{
	struct chaos_task *ct = chaos_task(r, t);
	struct chaos *c = r->chaos;
	unsigned percent = c->mood.spring;
	unsigned tire = a->write || a->addr == 0 ? WRITES_TIRE : READS_TIRE;
	unsigned tired;
	const struct seen *s;
	bool contended;

	begin_turn(t, ct);
	contended = a->addr != 0 && is_contended(c, t, a->addr, a->write);
	if (ct->spared || ct->fresh == 0 || is_doomed(t, a))
		return 0; /* as if it had been stopped before */
	if (!is_to_taste(c, ct, a, contended)) {
		if (!a->compares)
			return 0;
		percent /= 3;
	}
	if (c->mood.taste == TASTE_ANY) {
		if (a->private && !contended)
			return 0;
		percent = weigh(ct, a, percent, contended);
	}
	s = seen_at(ct->seen, a->pc);
	tired = tire + s->visits;
	if (a->addr != 0 && a->addr == s->addr)
		percent /= 1 + s->again * s->again;
	return percent * tire / tired /
	       (1 + BARREN_TIMES * seen_at(c->barren, a->pc)->visits);
}

/* --- watching ----------------------------------------------------------------
 */

void
race_watch(struct recorder *r, const struct task *t, const struct access *a)
{
	struct chaos *c = r->chaos;
	struct watch *w = &c->watch;
	struct chaos_task *ct = chaos_task(r, t);
	uint64_t last = ct->touched[ct->fresh % TOUCHED];
	uint64_t addr = a->addr;
	unsigned len = a->size;

	if (addr == 0 || (!a->compares && last != 0 && chaos_chance(c, 25))) {
		addr = last;
		len = WATCH_MAX;
	}
	if (addr == 0)
		return;
	while (len > WATCH_MAX || (len & (len - 1)) != 0 || len == 0)
		len = len > WATCH_MAX ? WATCH_MAX : len + 1;
	*w = (struct watch){
		.id = w->id + 1,
		.holder = t->number,
		.group = task_group(t),
		.addr = addr & ~(uint64_t)(len - 1),
		.len = len,
		.stores = !a->write || chaos_chance(c, 50),
		.compares = a->compares && addr == a->addr && len == a->size,
		.expect = a->expect,
		.patience = (unsigned)chaos_between(c, 4, 64),
	};
	w->stores |= w->compares;
}

struct watch *
race_watched(const struct recorder *r, const struct task *t)
{
	struct watch *w = &r->chaos->watch;
	const struct chaos_task *holder;

	if (w->id == 0 || w->holder == t->number || w->group != task_group(t))
		return NULL;
	holder = map_get(&r->chaos->tasks, w->holder);
	return holder != NULL && holder->until_ns > r->now_ns ? w : NULL;
}

bool
race_meets(struct recorder *r, const struct task *t)
{
	struct chaos *c = r->chaos;
	struct watch *w = race_watched(r, t);
	uint64_t now = 0;

	if (w == NULL)
		return false;
	if (w->stores)
		line_of(c, t, w->addr)->writers |= bit_of(t);
	else
		line_of(c, t, w->addr)->readers |= bit_of(t);
	if (w->patience == 0)
		return true;
	w->patience--;
	if (!w->compares)
		return chaos_chance(c, MEET_PERCENT);
	if (mem_read(&task_space(t)->mem, w->addr, &now, w->len) !=
	    (ssize_t)w->len)
		return false;
	w->changed |= now != w->expect;
	return w->changed && now == w->expect && chaos_chance(c, SAME_PERCENT);
}
