/*
 * What kind of schedule is tried now. A lost update wants one switch and a long
 * wait, an ABA many and short ones, a thread that comes too early its parent
 * held for good: each plan is good for something.
 */
#include "recorder/chaos_priv.h"

#define BETWEEN_SPRINGS 8u
#define UNLIMITED (UINT32_MAX / 2)

static unsigned
one_of(struct chaos *c, unsigned a, unsigned b, unsigned d)
{
	const unsigned any[] = { a, b, d };

	return any[chaos_below(c, ARRAY_LEN(any))];
}

/* As few switches as a race needs, each at a place. */
static struct mood
few(struct chaos *c)
{
	return (struct mood){
		.plan = PLAN_FEW,
		.springs = (unsigned)chaos_between(c, 1, 8),
		.spring = one_of(c, 8, 20, 45),
		.hold = 100,
		.patient = 95,
		.stalk = 100,
		.watch = 30,
		.long_slices = true,
	};
}

static struct mood
walk(struct chaos *c)
{
	return (struct mood){
		.plan = PLAN_WALK,
		.springs = UNLIMITED,
		.spring = one_of(c, 5, 15, 40),
		.hold = one_of(c, 0, 10, 50),
		.firm = 1,
		.patient = 70,
		.event = one_of(c, 0, 1, 4),
		.turn = one_of(c, 0, 3, 15),
		.stalk = 100,
		.watch = 10,
	};
}

static struct mood
race(struct chaos *c)
{
	return (struct mood){
		.plan = PLAN_RACE,
		.springs = UNLIMITED,
		.spring = one_of(c, 8, 20, 50),
		.hold = 100,
		.patient = 95,
		.turn = one_of(c, 0, 0, 3),
		.stalk = 100,
		.watch = one_of(c, 60, 100, 100),
		.long_slices = chaos_chance(c, 50),
	};
}

static struct mood
any(struct chaos *c)
{
	return (struct mood){
		.plan = PLAN_ANY,
		.springs = UNLIMITED,
		.event = one_of(c, 1, 4, 12),
		.turn = one_of(c, 3, 15, 40),
		.stalk = one_of(c, 60, 85, 95),
		.spring = one_of(c, 7, 15, 40),
		.hold = one_of(c, 10, 60, 95),
		.firm = one_of(c, 1, 6, 50),
		.patient = 70,
		.watch = 20,
	};
}

void
mood_spare(struct chaos *c)
{
	size_t it = 0;
	uint64_t number;
	void *value;

	while (map_next(&c->tasks, &it, &number, &value))
		((struct chaos_task *)value)->spared =
			chaos_chance(c, c->mood.spare);
}

/* What is touched is guarded by locks, it seems: look between the calls. */
void
mood_between(struct chaos *c)
{
	struct mood *m = &c->mood;

	m->taste = TASTE_BETWEEN;
	m->spring = one_of(c, 30, 50, 70);
	m->spare = 40;
	m->watch = 0; /* what calls touch is not known */
	if (m->springs < BETWEEN_SPRINGS)
		m->springs = BETWEEN_SPRINGS;
	mood_spare(c);
}

static struct mood
rest(struct chaos *c)
{
	return chaos_chance(c, 50) ? walk(c) : any(c);
}

static struct mood
step(struct chaos *c)
{
	return (struct mood){
		.plan = PLAN_STEP,
		.spring = one_of(c, 70, 100, 100),
		.hold = one_of(c, 10, 100, 100),
		.patient = 95,
		.stalk = 100,
		.long_slices = chaos_chance(c, 50),
	};
}

static struct mood
named(struct chaos *c)
{
	return (struct mood){
		.plan = PLAN_NAMED,
		.hold = one_of(c, 60, 85, 100),
		.firm = one_of(c, 0, 10, 40),
		.patient = 90,
		.long_slices = true,
	};
}

/* Which places, and how many of them. */
static void
draw_taste(struct chaos *c, struct mood *m)
{
	uint64_t any = chaos_below(c, 100);

	m->taste = any < 66   ? TASTE_AFTER_WRITE
		   : any < 84 ? TASTE_BEFORE_WRITE
		   : any < 87 ? TASTE_AFTER_CALL
		   : any < 93 ? TASTE_BETWEEN
			      : TASTE_ANY;
	if (m->taste == TASTE_AFTER_WRITE)
		m->spring = one_of(c, 60, 100, 100);
	else if (m->taste != TASTE_ANY)
		m->spring = one_of(c, 30, 60, 100);
	m->spare = chaos_chance(c, 30) ? 40 : 0;
}

static void
draw_births(struct chaos *c, struct mood *m)
{
	uint64_t any = chaos_below(c, 100);

	if (m->plan == PLAN_STEP || m->plan == PLAN_NAMED)
		m->births = any < 80 ? BIRTHS_GATHER : BIRTHS_SOFT;
	else
		m->births = any < 36   ? BIRTHS_GATHER
			    : any < 44 ? BIRTHS_CHILD
			    : any < 94 ? BIRTHS_SOFT
				       : BIRTHS_ANY;
	m->child = one_of(c, 20, 50, 90);
	m->parent = one_of(c, 40, 75, 95);
	m->gather_soft = chaos_chance(c, 20);
}

void
mood_draw(struct chaos *c)
{
	static const struct {
		struct mood (*draw)(struct chaos *);
		unsigned percent;
	} plans[] = { { few, 34 }, { race, 22 }, { step, 34 }, { rest, 10 } };
	uint64_t any = chaos_below(c, 100);
	struct mood m;
	size_t i = 0;

	while (any >= plans[i].percent)
		any -= plans[i++].percent;
	m = c->names != NULL ? named(c) : plans[i].draw(c);
	if (m.plan != PLAN_STEP && m.plan != PLAN_NAMED)
		draw_taste(c, &m);
	draw_births(c, &m);
	m.woken_last = chaos_chance(c, 65);
	c->mood = m;
	mood_spare(c);
	if (m.taste == TASTE_BETWEEN)
		mood_between(c);
}
