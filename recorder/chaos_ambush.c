/*
 * Ambushes: a task is stopped at an instruction of the program's own code
 * that touches memory, and waits there while others run.
 *
 *   it goes on after an event: some places are chosen, debug registers watch
 *   them --it comes by--> SIGTRAP --others could use it--> a point, exactly
 *   here (preempt.c), a chaos event, a hold
 *
 * Debug registers change no memory, so that nothing sees them, and neither
 * threads nor children inherit them. Places are chosen near where the task has
 * been (what its stack returns to, where its thread begins) and anywhere in
 * the code of the program and its libraries but the system's.
 */
#include "recorder/chaos_priv.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

#define LOG_DOMAIN "recorder"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "recorder/engine.h"
#include "recorder/nondet.h"
#include "recorder/preempt.h"
#include "recorder/sched.h"
#include "recorder/task.h"
#include "tracee/maps.h"
#include "tracee/places.h"

#define FLAG_RF 0x10000ull
#define TEXTS_MAX 16u
#define TEXTS_AGE_NS (50 * MS) /* until they are looked at anew */
#define STACK_BYTES 1024u      /* looked through for return addresses */
#define THREAD_BYTES 2304u     /* struct pthread: where the thread begins */
#define RETURNS_MAX 4u
#define POINTERS_MAX 4u
#define FAR_BYTES 4096u
#define NEAR_PERCENT 85u
#define ARM_PERCENT 85u
#define DELAY_PERCENT 95u
#define STOP_NS (25 * US) /* what a stop costs besides what we do there */
#define STALK_MAX 1500u	  /* places without a spring */
#define DUE_NS (5 * MS)	  /* no place for so long: it is stopped otherwise */
#define STALK_PATIENCE 12u
#define PATIENCE_MAX 6u	 /* events before other places are chosen */
#define USELESS_MAX 32u	 /* visits while nobody else could run */
#define TRAP_VISITS 200u /* so many stops may cost each replay */
#define SPENT_FREE_NS (600 * MS)
#define SPENT_PERCENT 10u
#define POINT_NS (2 * MS)  /* what a point costs each replay */
#define ABROAD_PERCENT 10u /* springs for the sake of other groups */

/* Code of the program's own in a space. */
struct texts {
	uint64_t read_ns;
	uint64_t bytes;
	size_t n;
	struct span_of_text {
		uint64_t start, end;
	} v[TEXTS_MAX];
};

void
ambush_release(struct chaos *c)
{
	size_t it = 0;
	uint64_t number;
	void *value;

	while (map_next(&c->texts, &it, &number, &value))
		mem_free(value);
	map_free(&c->texts);
}

/* --- the program's code ------------------------------------------------------
 */

static bool
is_own(const struct vma *v)
{
	static const char *const system[] = {
		"/ld-",	     "/ld.so",	   "/libc.",	  "/libc-",
		"/libm.",    "/libm-",	   "/libpthread", "/libgcc_s",
		"/ld-musl-", "/libstdc++", "/librt",	  "/libdl",
	};

	if (!(v->prot & PROT_EXEC) || v->ino == 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(system); i++)
		if (strstr(v->name, system[i]) != NULL)
			return false;
	return true;
}

static struct texts *
texts_of(struct recorder *r, const struct task *t)
{
	struct chaos *c = r->chaos;
	uint32_t number = task_space(t)->number;
	struct texts *x = map_get(&c->texts, number);
	struct arena arena = { 0 };
	struct maps maps;

	if (x != NULL && r->now_ns - x->read_ns < TEXTS_AGE_NS)
		return x;
	if (x == NULL) {
		x = mem_zalloc(sizeof(*x));
		map_set(&c->texts, number, x);
	}
	x->read_ns = r->now_ns;
	x->n = x->bytes = 0;
	if (maps_read(t->tid, &arena, &maps, NULL) == 0) {
		for (size_t i = 0; i < maps.len && x->n < TEXTS_MAX; i++) {
			const struct vma *v = &maps.v[i];

			if (!is_own(v))
				continue;
			x->v[x->n].start = v->start;
			x->v[x->n++].end = v->end;
			x->bytes += v->end - v->start;
		}
	}
	arena_free(&arena);
	return x;
}

static const struct span_of_text *
text_at(const struct texts *x, uint64_t addr)
{
	for (size_t i = 0; i < x->n; i++)
		if (addr >= x->v[i].start && addr < x->v[i].end)
			return &x->v[i];
	return NULL;
}

static void
find_in(const struct task *t, const struct span_of_text *s, uint64_t from,
	uint64_t to, struct places *out)
{
	uint8_t code[FAR_BYTES];
	ssize_t n;

	if (from < s->start)
		from = s->start;
	if (to > s->end)
		to = s->end;
	if (to - from > sizeof(code))
		to = from + sizeof(code);
	n = mem_read(&task_space(t)->mem, from, code, to - from);
	if (n > 0)
		places_find(span_of(code, (size_t)n), from, out);
}

static bool
is_wanted(void *ctx, uint64_t addr)
{
	return text_at(ctx, addr) != NULL;
}

static void
follow(const struct task *t, struct texts *x, uint64_t pc, struct places *out)
{
	const struct places_ops ops = { .wanted = is_wanted, .ctx = x };

	places_follow(&task_space(t)->mem, pc, &ops, out);
}

/* What the words at addr point to, when it is code of the program's own. */
static void
follow_pointers(const struct task *t, struct texts *x, uint64_t addr,
		size_t bytes, struct places *out)
{
	uint64_t word[THREAD_BYTES / 8];
	ssize_t n = mem_read(&task_space(t)->mem, addr, word, bytes);
	unsigned found = 0;

	for (ssize_t i = 0; i < n / 8 && found < POINTERS_MAX; i++) {
		if (text_at(x, word[i]) == NULL)
			continue;
		found++;
		follow(t, x, word[i], out);
	}
}

static void
find_near(const struct task *t, struct texts *x, struct places *out)
{
	if (text_at(x, t->last.rip) != NULL)
		follow(t, x, t->last.rip, out);
	follow_pointers(t, x, t->last.rsp, STACK_BYTES, out);
	/* The first thing that a thread does. */
	if (out->len == 0 && t->last.fs_base != 0)
		follow_pointers(t, x, t->last.fs_base, THREAD_BYTES, out);
}

static void
find_far(struct chaos *c, const struct task *t, const struct texts *x,
	 struct places *out)
{
	uint64_t at = chaos_below(c, x->bytes);

	for (size_t i = 0; i < x->n; i++) {
		const struct span_of_text *s = &x->v[i];

		if (at < s->end - s->start) {
			at = s->end - s->start <= FAR_BYTES ? 0 : at;
			find_in(t, s, s->start + at, s->end, out);
			return;
		}
		at -= s->end - s->start;
	}
}

/* Take one out of p. */
static struct place
pick(struct chaos *c, struct places *p)
{
	uint64_t at = chaos_below(c, p->weight);
	struct place found;
	size_t i = 0;

	while (at >= p->v[i].weight)
		at -= p->v[i++].weight;
	found = p->v[i];
	p->weight -= found.weight;
	p->v[i] = p->v[--p->len];
	return found;
}

/* --- laying ------------------------------------------------------------------
 */

static bool
may_spend(const struct recorder *r)
{
	return r->chaos->ambush_ns <
	       SPENT_FREE_NS + r->now_ns / 100 * SPENT_PERCENT;
}

/* At which visit. What is in no loop comes by once, mostly: then more than one
 * means that it is let through. */
static unsigned
visits(struct chaos *c, bool loop)
{
	if (chaos_chance(c, loop ? 40 : 60))
		return 1;
	return (unsigned)chaos_between(c, 2, loop ? 30 : 6);
}

static void
disarm(const struct task *t, struct chaos_task *ct)
{
	ct->due = false;
	if (ct->armed > 0)
		ptrace_set_breaks(t->tid, NULL, 0);
	ct->armed = 0;
}

/* The own code that words at rsp return to, inner first. Returns how many. */
static unsigned
returns(const struct task *t, const struct texts *x, uint64_t rsp,
	uint64_t ret[RETURNS_MAX])
{
	uint64_t word[STACK_BYTES / 8];
	ssize_t n = mem_read(&task_space(t)->mem, rsp, word, sizeof(word));
	unsigned found = 0;

	for (ssize_t i = 0; i < n / 8 && found < RETURNS_MAX; i++)
		if (text_at(x, word[i]) != NULL)
			ret[found++] = word[i];
	return found;
}

static void
watch_places(struct task *t, struct chaos_task *ct, const uint64_t *pc,
	     unsigned n)
{
	ct->armed = 0;
	if (ptrace_set_breaks(t->tid, pc, n) == 0)
		ct->armed = n;
}

/* Watch what comes next behind pc; with here: what stands at pc, too. */
static bool
stalk(struct task *t, struct chaos_task *ct, struct texts *x, uint64_t pc,
      uint64_t rsp, bool here)
{
	const struct places_ops ops = { .wanted = is_wanted, .ctx = x };
	uint64_t next[AMBUSHES];
	uint64_t ret[RETURNS_MAX];
	unsigned n_ret = returns(t, x, rsp, ret);
	unsigned n = places_next(&task_space(t)->mem, pc, here, ret, n_ret,
				 &ops, next, AMBUSHES);

	for (unsigned i = 0; i < n; i++)
		ct->ambush[i] = (struct ambush){ .pc = next[i], .left = 1 };
	log_debug("task %u: stalked from %lx: %u next, first %lx", t->number,
		  pc, n, n > 0 ? next[0] : 0);
	if (n > 0)
		watch_places(t, ct, next, n);
	return n > 0 && ct->armed > 0;
}

/* Where its own code goes on. */
static uint64_t
own_code_of(const struct task *t, const struct texts *x, bool *here)
{
	uint64_t word[THREAD_BYTES / 8], ret[RETURNS_MAX];
	ssize_t n;

	*here = text_at(x, t->last.rip) == NULL;
	if (!*here)
		return t->last.rip;
	if (returns(t, x, t->last.rsp, ret) > 0)
		return ret[0];
	if (t->last.fs_base == 0)
		return 0;
	n = mem_read(&task_space(t)->mem, t->last.fs_base, word, sizeof(word));
	for (ssize_t i = 0; i < n / 8; i++)
		if (text_at(x, word[i]) != NULL)
			return word[i];
	return 0;
}

static bool
lay_stalk(struct recorder *r, struct task *t, struct chaos_task *ct)
{
	struct texts *x = texts_of(r, t);
	bool here;
	uint64_t pc = own_code_of(t, x, &here);

	if (pc == 0 || !stalk(t, ct, x, pc, t->last.rsp, here))
		return false;
	ct->stalked = true;
	ct->useless = 0;
	ct->patience = STALK_PATIENCE;
	return true;
}

static void
lay_around(struct recorder *r, struct task *t, struct chaos_task *ct)
{
	struct places near = { .len = 0 }, far = { .len = 0 };
	struct texts *x = texts_of(r, t);
	struct chaos *c = r->chaos;
	uint64_t pc[AMBUSHES];
	unsigned n = 0;

	if (x->bytes == 0)
		return;
	find_near(t, x, &near);
	find_far(c, t, x, &far);
	places_without(&far, &near);
	while (n < AMBUSHES && near.len + far.len > 0) {
		bool is_near = far.len == 0 ||
			       (near.len > 0 && chaos_chance(c, NEAR_PERCENT));
		struct place p = pick(c, is_near ? &near : &far);

		if (p.pc == t->last.rip)
			continue; /* it stands there already */

		ct->ambush[n] = (struct ambush){ .pc = p.pc,
						 .left = visits(c, p.loop) };
		pc[n++] = p.pc;
		log_debug("task %u: ambush at %lx, visit %u, of %zu near, %zu "
			  "far",
			  t->number, p.pc, ct->ambush[n - 1].left, near.len,
			  far.len);
	}
	if (n > 0)
		watch_places(t, ct, pc, n);
	ct->stalked = false;
	ct->useless = 0;
	ct->patience = (unsigned)chaos_below(c, PATIENCE_MAX) + 1;
}

static void
lay(struct recorder *r, struct task *t, struct chaos_task *ct)
{
	/* From an ambush on it stays stalked: without events of its own it
	 * would get away. */
	bool stays = ct->stalked && text_at(texts_of(r, t), t->last.rip);

	if (!(stays || chaos_chance(r->chaos, r->chaos->mood.stalk)) ||
	    !lay_stalk(r, t, ct))
		lay_around(r, t, ct);
}

void
chaos_resume(struct recorder *r, struct task *t)
{
	struct chaos_task *ct;
	uint64_t start;

	if (!chaos_has(r, KNOB_ambush) || r->tasks.len < 2)
		return;
	ct = chaos_task(r, t);
	if (ct->armed > 0 && ct->patience-- > 0)
		return;
	start = clock_now_ns();
	disarm(t, ct);
	if (may_spend(r) &&
	    (ct->stalked || chaos_chance(r->chaos, ARM_PERCENT)))
		lay(r, t, ct);
	r->chaos->ambush_ns += clock_now_ns() - start;
}

int
chaos_delays(struct recorder *r, struct task *t, int signo, struct err *err)
{
	int ret;

	if (!chaos_has(r, KNOB_signals) ||
	    !chaos_chance(r->chaos, DELAY_PERCENT))
		return 0;
	ret = chaos_event(r, t, CHAOS_SIGNAL, (uint64_t)signo, 0, err);
	return ret < 0 ? ret : 1;
}

void
chaos_stashed(struct recorder *r, struct task *t)
{
	struct chaos_task *ct;

	if (!chaos_has(r, KNOB_signals) || !may_spend(r))
		return;
	ct = chaos_task(r, t);
	disarm(t, ct);
	lay(r, t, ct);
}

bool
chaos_stops_it(struct recorder *r, struct task *t)
{
	struct chaos_task *ct;

	if (r->chaos == NULL)
		return false;
	ct = chaos_task(r, t);
	ct->due =
		ct->armed > 0 && ct->stalked && r->now_ns - ct->hit_ns < DUE_NS;
	return ct->due;
}

void
chaos_disarm(struct recorder *r, struct task *t)
{
	if (r->chaos != NULL)
		disarm(t, chaos_task(r, t));
}

/* --- springing ---------------------------------------------------------------
 */

/* Somebody could make use of it. */
static bool
is_worth_it(const struct recorder *r, const struct task *t)
{
	const struct group *g = task_group(t);

	return (t->stash.signo != 0 && !t->stash.sent) ||
	       chaos_could_wait(r, g) ||
	       (r->tasks.len > g->live &&
		chaos_chance(r->chaos, ABROAD_PERCENT));
}

static struct ambush *
ambush_at(struct chaos_task *ct, uint64_t pc)
{
	for (unsigned i = 0; i < ct->armed; i++)
		if (ct->ambush[i].pc == pc)
			return &ct->ambush[i];
	return NULL;
}

/* It was let through at pc, where it stands: on to the next place. */
static void
stalk_on(struct recorder *r, struct task *t, struct chaos_task *ct, uint64_t pc)
{
	struct regs regs;

	if (!may_spend(r) || ptrace_get_regs(t->tid, &regs) < 0 ||
	    !stalk(t, ct, texts_of(r, t), pc, regs.rsp, false))
		disarm(t, ct);
}

/* Where it is stalked to: is this the place? For a signal the worst one is
 * before a store to a global, which was loaded before. */
static bool
springs(struct recorder *r, const struct task *t, uint64_t pc)
{
	uint32_t weight = places_weight(&task_space(t)->mem, pc);
	unsigned percent = r->chaos->mood.spring;

	if (chaos_task(r, t)->due)
		return true;
	if (t->stash.signo != 0 && !t->stash.sent)
		percent = weight >= PLACE_STORE_GLOBAL ? 65 : 4;
	else if (weight >= PLACE_STORE_GLOBAL)
		percent *= 3;
	else if (weight >= PLACE_STORE)
		percent *= 2;
	else if (weight < PLACE_GLOBAL)
		percent = percent / 2 + 1;
	return chaos_chance(r->chaos, percent);
}

/* t stands at its new last event: others run. */
static int
spring(struct recorder *r, struct task *t, const struct ambush *a,
       struct err *err)
{
	struct chaos_task *ct = chaos_task(r, t);
	int ret = chaos_event(r, t, CHAOS_AMBUSH, a->pc, a->visits, err);

	if (ret < 0)
		return ret;
	if (t->stash.signo != 0 && !t->stash.sent)
		return signal_now(r, t, err);
	if (chaos_has(r, KNOB_starve) && chaos_may_hold(r) &&
	    chaos_chance(r->chaos, r->chaos->mood.hold)) {
		ret = chaos_hold(r, t, r->chaos->mood.firm, err);
		if (ret < 0)
			return ret;
	}
	ct->out = true;
	ct->priority = chaos_priority(r->chaos);
	chaos_let_other_go(r, t);
	sched_release(t);
	sched_ready(t, NEXT_RESUME);
	return 0;
}

static int
stop_here(struct recorder *r, struct task *t, struct ambush a, struct err *err)
{
	struct regs regs;
	int ret = ptrace_get_regs(t->tid, &regs);

	if (ret < 0)
		return ret;
	regs.eflags &= ~FLAG_RF;
	ret = ptrace_set_regs(t->tid, &regs);
	if (ret < 0)
		return ret;
	if (!task_is_at(t, &regs)) {
		ret = preempt_here(r, t, a.visits <= TRAP_VISITS, err);
		if (ret == PREEMPT_IMPOSSIBLE)
			return task_resume(t, PTRACE_CONT, 0);
	}
	return ret < 0 ? ret : spring(r, t, &a, err);
}

int
chaos_trap(struct recorder *r, struct task *t, const siginfo_t *si,
	   struct err *err)
{
	struct chaos_task *ct;
	struct ambush *a;
	uint64_t start;
	int ret;

	if (r->chaos == NULL || si->si_signo != SIGTRAP ||
	    si->si_code != TRAP_HWBKPT)
		return 0;
	ct = chaos_task(r, t);
	ret = nondet_repair(t, SIGTRAP, err);
	if (ret < 0)
		return ret;
	a = ambush_at(ct, (uint64_t)(uintptr_t)si->si_addr);
	start = clock_now_ns() - STOP_NS;
	ct->hit_ns = r->now_ns;
	if (a != NULL)
		a->visits++;
	if (a != NULL && a->left > 1) {
		a->left--;
	} else if (a != NULL && is_worth_it(r, t) &&
		   (!ct->stalked || springs(r, t, a->pc))) {
		disarm(t, ct);
		ret = stop_here(r, t, *a, err);
		r->chaos->ambush_ns += clock_now_ns() - start + POINT_NS;
		return ret < 0 ? ret : 1;
	} else if (a != NULL && ct->stalked && ct->useless++ < STALK_MAX) {
		stalk_on(r, t, ct, a->pc);
	} else if (ct->useless++ >= USELESS_MAX) {
		disarm(t, ct);
	}
	r->chaos->ambush_ns += clock_now_ns() - start;
	ret = task_resume(t, PTRACE_CONT, 0);
	return ret < 0 ? ret : 1;
}
