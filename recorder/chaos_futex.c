/*
 * Who is woken. The kernel wakes those who have waited for longest; here
 * each waits for a bit of its own, and a wake-up names some of these bits. And
 * waits end for nothing, which futex(2) allows.
 */
#include "recorder/chaos_priv.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "recorder/engine.h"
#include "recorder/sched.h"
#include "recorder/task.h"

#define SPURIOUS_PERCENT 3u
#define WAKE_PERCENT 50u
#define BITS 31u
#define WAITERS_MAX 64u

static int
command(const struct sys_call *sc)
{
	return (int)(sc->args[1] & (unsigned)FUTEX_CMD_MASK);
}

/* A wait for any bit that a restart does not change. */
static bool
is_wait(const struct sys_call *sc)
{
	if (command(sc) == FUTEX_WAIT)
		return sc->args[3] == 0;
	return command(sc) == FUTEX_WAIT_BITSET &&
	       (uint32_t)sc->args[5] == FUTEX_BITSET_MATCH_ANY;
}

static bool
is_wake(const struct sys_call *sc)
{
	return command(sc) == FUTEX_WAKE ||
	       (command(sc) == FUTEX_WAKE_BITSET &&
		(uint32_t)sc->args[5] == FUTEX_BITSET_MATCH_ANY);
}

/* Those who wait at one place are moved to another, where nobody knows them. */
static bool
is_requeue(const struct sys_call *sc)
{
	switch (command(sc)) {
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
	case FUTEX_CMP_REQUEUE_PI:
		return true;
	}
	return false;
}

static void
set_command(uint64_t *arg, int cmd, uint32_t bits)
{
	arg[1] = (arg[1] & ~(uint64_t)(unsigned)FUTEX_CMD_MASK) | (uint64_t)cmd;
	arg[5] = bits;
}

static uint32_t
bit_of(const struct task *t)
{
	return 1u << t->number % BITS;
}

/* --- waiting -----------------------------------------------------------------
 */

/* 1: it is answered. */
static int
spurious(struct recorder *r, struct task *t, struct err *err)
{
	const struct sys_call *sc = &t->call.sc;
	uint32_t now;
	int ret;

	if (!chaos_has(r, KNOB_spurious) ||
	    !chaos_chance(r->chaos, SPURIOUS_PERCENT) ||
	    mem_read_all(&task_space(t)->mem, sc->args[0], &now, sizeof(now)) <
		    0 ||
	    now != (uint32_t)sc->args[2])
		return 0;
	ret = chaos_event(r, t, CHAOS_SPURIOUS, sc->args[0], 0, err);
	if (ret < 0)
		return ret;
	syscall_answer(t, 0, false);
	return 1;
}

static int
wait_for_bit(struct task *t)
{
	set_command(call_given(t), FUTEX_WAIT_BITSET, bit_of(t));
	return call_give(t);
}

/* --- waking ------------------------------------------------------------------
 */

/* It sleeps in the kernel: it is in the queue, or about to be with the lock of
 * the queue held. */
static bool
is_asleep(const struct task *t)
{
	char path[32], text[128];
	const char *p;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", t->tid);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	p = strrchr(text, ')');
	return p != NULL && p[1] == ' ' && p[2] == 'S';
}

/* o waits for a bit where t wakes. */
static bool
waits_there(const struct task *o, const struct task *t)
{
	const struct sys_call *sc = &o->call.sc;

	return o != t && o->state == TASK_BLOCKED && o->proc != NULL &&
	       task_space(o) == task_space(t) && o->call.active &&
	       o->call.given != NULL && sc->nr == SYS_futex && is_wait(sc) &&
	       sc->args[0] == t->call.sc.args[0] && is_asleep(o);
}

/* How many there are; the first of them are in out. */
static unsigned
waiters(const struct recorder *r, const struct task *t,
	const struct task *out[WAITERS_MAX])
{
	unsigned n = 0;
	size_t it = 0;
	uint64_t tid;
	void *value;

	while (n < WAITERS_MAX && map_next(&r->tasks, &it, &tid, &value))
		if (waits_there(value, t))
			out[n++] = value;
	return n;
}

static int
choose(struct recorder *r, struct task *t, struct err *err)
{
	const struct task *w[WAITERS_MAX];
	unsigned wanted = (unsigned)t->call.sc.args[2];
	unsigned n = waiters(r, t, w);
	uint32_t bits = 0, first = 0;
	int ret;

	if (wanted == 0 || wanted >= n)
		return 0; /* all of them */
	for (unsigned i = 0; i < wanted; i++) {
		uint64_t at = chaos_below(r->chaos, n);

		bits |= bit_of(w[at]);
		if (first == 0)
			first = w[at]->number;
		w[at] = w[--n];
	}
	set_command(call_given(t), FUTEX_WAKE_BITSET, bits);
	ret = chaos_event(r, t, CHAOS_WAKE, wanted, first, err);
	return ret < 0 ? ret : call_give(t);
}

int
futex_call(struct recorder *r, struct task *t, struct err *err)
{
	const struct sys_call *sc = &t->call.sc;
	int ret;

	if (is_requeue(sc))
		r->chaos->requeues = true;
	if (command(sc) == FUTEX_WAIT || command(sc) == FUTEX_WAIT_BITSET) {
		ret = spurious(r, t, err);
		if (ret != 0)
			return ret < 0 ? ret : 0;
	}
	if (!chaos_has(r, KNOB_wakes) || r->chaos->requeues || !sched_others(t))
		return 0;
	if (is_wait(sc))
		return wait_for_bit(t);
	if (is_wake(sc) && chaos_chance(r->chaos, WAKE_PERCENT))
		return choose(r, t, err);
	return 0;
}
