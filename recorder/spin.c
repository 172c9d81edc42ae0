/*
 * Who spins: a lock that is tried again and again, a flag that another will
 * set. Natively that costs the time of a processor; here, where one task of a
 * group runs at a time, whoever spins keeps those from running that it waits
 * for.
 *
 * Two looks at its registers that agree make it likely. Then it is stepped
 * round its loop once (tracee/spin.h): if all is as before, the words that
 * it has read are what it waits for, and as long as they stay it is
 * passed over. When they change it is tried out, and undone, whether it would
 * go on all the same. It has a turn because of a signal, or after a long time.
 */
#include "recorder/spin.h"

#include <signal.h>
#include <string.h>

#include "recorder/chaos.h"
#include "recorder/engine.h"
#include "recorder/internal.h"
#include "recorder/sched.h"
#include "recorder/task.h"
#include "tracee/deadline.h"

#define MS 1000000ull
#define NEAR 256u /* bytes of code that a spin may cover */
#define PAUSE_NEAR 64u
#define STUCK_NS (30 * MS) /* until it is seen whether a signal is due */
#define STUCK_MAX_NS (1000 * MS)
#define TRIES_MAX 4u /* to see what it waits for, in a turn */
#define RAN_NS 20000u
#define LOOK_NS (MS * 3 / 20) /* who has spun may do so again at once */

void
spin_turn(struct task *t)
{
	struct waiting *w = &t->waiting;

	w->spun = w->found = false;
	w->tries = 0;
	w->since_ns = 0;
	/* Not before anybody has computed for so long that it had to end. */
	if (task_space(t)->dirty != NULL && sched_others(t))
		w->cpu_ns = cputime_ns(t->tid);
}

bool
spin_has_run(const struct task *t)
{
	return cputime_ns(t->tid) - t->waiting.cpu_ns >= RAN_NS;
}

/* Until a short time ago it waited. */
static bool
was_stuck(const struct recorder *r, const struct task *t)
{
	return t->waiting.since_ns != 0 && t->next == NEXT_RESUME &&
	       t->stash.signo == 0 &&
	       r->now_ns - t->waiting.since_ns < STUCK_MAX_NS;
}

void
spin_tick(const struct recorder *r, struct task *t)
{
	struct waiting *w = &t->waiting;

	if (w->since_ns == 0 || r->now_ns - w->seen_ns < STUCK_NS)
		return;
	w->seen_ns = r->now_ns;
	if (signal_is_due(t))
		w->since_ns = 0;
}

bool
spin_is_stuck(const struct recorder *r, const struct task *t)
{
	return was_stuck(r, t) &&
	       spin_goes_on(&t->waiting.on, &task_space(t)->mem);
}

bool
spin_stays_stuck(struct recorder *r, struct task *t)
{
	if (spin_is_stuck(r, t))
		return true;
	if (!was_stuck(r, t))
		return false;
	chaos_disarm(r, t);
	if (spin_would(t->tid, &task_space(t)->mem, &t->waiting.on, NULL) ==
	    SPIN_FOUND)
		return true;
	t->waiting.since_ns = 0;
	return false;
}

size_t
spin_oldest(const struct group *g)
{
	size_t found = 0;

	for (size_t i = 1; i < g->ready.len; i++)
		if (g->ready.v[i]->turn_ns < g->ready.v[found]->turn_ns)
			found = i;
	return found;
}

size_t
spin_first(struct recorder *r, const struct group *g)
{
	for (size_t i = 0; i < g->ready.len; i++)
		if (!spin_stays_stuck(r, g->ready.v[i]))
			return i;
	return spin_oldest(g);
}

static bool
is_in_loop(const struct spin *s, const struct regs *regs)
{
	return s->n > 0 && regs->rip >= s->from && regs->rip <= s->to;
}

bool
spin_is_there_again(const struct task *t, const struct regs *regs)
{
	const struct waiting *w = &t->waiting;

	return w->tries < TRIES_MAX && is_in_loop(&w->on, regs);
}

uint64_t
spin_look_ns(const struct task *t, uint64_t ns)
{
	return t->waiting.on.n > 0 && ns > LOOK_NS ? LOOK_NS : ns;
}

/* Do two samples differ by no more than a spin's place in its loop? */
static bool
samples_agree(const struct regs *a, const struct regs *b)
{
	struct regs x = *a, y = *b;
	uint64_t far = x.rip > y.rip ? x.rip - y.rip : y.rip - x.rip;

	x.rip = y.rip = 0;
	x.eflags = y.eflags = 0;
	return far < NEAR && memcmp(&x, &y, sizeof(x)) == 0;
}

/* Code near an instruction says that it waits: PAUSE. */
static bool
pauses(const struct task *t, uint64_t rip)
{
	uint8_t code[2 * PAUSE_NEAR];
	uint64_t from = rip > PAUSE_NEAR ? rip - PAUSE_NEAR : 0;
	ssize_t n = mem_read(&task_space(t)->mem, from, code, sizeof(code));

	for (ssize_t i = 0; i + 1 < n; i++)
		if (code[i] == 0xf3 && code[i + 1] == 0x90)
			return true;
	return false;
}

/* Its registers are as they were the last time or the time before (an attempt
 * to take a lock changes one and back again), or it pauses in one place. */
static bool
seems_to(struct task *t, const struct regs *regs)
{
	struct regs *old = t->waiting.samples;
	uint64_t far = regs->rip - old[0].rip + NEAR;
	bool same = samples_agree(regs, &old[0]) ||
		    samples_agree(regs, &old[1]) ||
		    (far <= 2 * NEAR && regs->rsp == old[0].rsp &&
		     pauses(t, regs->rip));

	old[1] = old[0];
	old[0] = *regs;
	return same;
}

int
spin_try(struct recorder *r, struct task *t, struct err *err)
{
	struct waiting *w = &t->waiting;
	struct spin on;
	int ret;

	w->tries++;
	if (signal_is_ignored(t, SIGTRAP))
		return SPIN_NONE; /* the kernel would not leave it so */
	chaos_disarm(r, t);
	ret = spin_find(t->tid, &task_space(t)->mem, &on, err);
	w->found = ret == SPIN_FOUND;
	if (w->found) {
		w->on = on;
		w->spun = true;
	}
	return ret;
}

int
spin_look(struct recorder *r, struct task *t, const struct regs *regs,
	  struct err *err)
{
	struct waiting *w = &t->waiting;
	bool again = spin_is_there_again(t, regs);

	w->spun = seems_to(t, regs);
	if (w->tries >= TRIES_MAX || !(w->spun || again))
		return SPIN_NONE;
	return spin_try(r, t, err);
}

void
spin_ends(const struct recorder *r, struct task *t)
{
	struct waiting *w = &t->waiting;

	/* It has run on since, and may be elsewhere. */
	w->since_ns = w->found && is_in_loop(&w->on, &t->last) ? r->now_ns : 0;
	w->seen_ns = r->now_ns;
	w->found = false;
}
