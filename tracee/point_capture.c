/*
 * Taking a point. The interrupted instruction is rarely a good place: from it
 * the task is stepped to one that a jump can replace.
 *
 *   interrupt -> point_hot: protect pages -> run 200 us -> interrupt ->
 *   point_take: steps -> registers, stack, what was written
 *
 * A stop that is not ours is left for the caller (tracee/step.h).
 */
#include "tracee/point.h"

#include <string.h>
#include <sys/mman.h>

#include "base/arena.h"
#include "base/mem.h"
#include "tracee/deadline.h"
#include "tracee/memcode.h"
#include "tracee/point_here.h"
#include "tracee/point_priv.h"
#include "tracee/ptrace.h"
#include "tracee/step.h"

#define WALK_MAX 64u /* steps */
/* What will do, by the number of steps taken. A jump that may change flags
 * makes each visit far cheaper when the point is sought. */
#define WALK_BEST 4u	/* before: one long instruction, flags dead */
#define WALK_GOOD 12u	/* before: flags dead */
#define NEAR 2048u	/* branches into a window are looked for so far away */
#define REP_STEPS 4096u /* without a debug register */
#define TRIES_MAX 8u
#define EFLAGS_TF 0x100u
#define ANCHOR_READS 24u

struct walk {
	const struct point_taking *taking;
	pid_t tid;
	const struct mem *mem;
	struct regs regs; /* where it stands */
	struct code code;
	uint8_t way;
	unsigned steps;
	unsigned tried;		 /* as if so many had been taken */
	uint64_t seen[WALK_MAX]; /* where it stood since tried changed */
	unsigned n_seen;
	bool round; /* it was somewhere twice */
	bool kept;
	uint8_t was[POINT_NEAR]; /* the code at taking->code_at on the way */
};

static int
gone(pid_t tid, struct err *err)
{
	return err_set(err, E_GONE, "task %d is gone", tid);
}

/* What the code near it is now. */
static void
keep_code(struct point_taking *c)
{
	struct regs regs;
	ssize_t n;

	if (ptrace_get_regs(c->tid, &regs) < 0)
		return;
	c->code_at = regs.rip - POINT_NEAR / 2;
	n = mem_read(c->mem, c->code_at, c->code, sizeof(c->code));
	if (n <= (ssize_t)POINT_NEAR / 2) {
		/* Nothing is mapped before the page. */
		c->code_at = regs.rip & ~(uint64_t)(POINT_PAGE - 1);
		n = mem_read(c->mem, c->code_at, c->code, sizeof(c->code));
	}
	c->code_len = n > 0 ? (uint32_t)n : 0;
}

/* What it knows of the interval's time stays. Returns as step_event_due. */
static int
begin_taking(struct point_taking *c, pid_t tid, const struct mem *m,
	     struct dirty *dirty, struct err *err)
{
	*c = (struct point_taking){ .tid = tid,
				    .mem = m,
				    .dirty = dirty,
				    .mark_ns = c->mark_ns,
				    .mark_cpu_ns = c->mark_cpu_ns,
				    .last_cpu_ns = c->last_cpu_ns,
				    .asked_ns = c->asked_ns,
				    .same_maps = c->same_maps };
	return step_event_due(tid, err);
}

/* On a busy machine a turn may be over before it began: without this nobody
 * gets anywhere. */
static bool
has_run(const struct point_taking *c)
{
	return cputime_ns(c->tid) - c->mark_cpu_ns >= POINT_HOT_NS;
}

/* So few pages, none of them code near it, that all may count as hot? */
static bool
little_is_written(struct point_taking *c)
{
	struct dirty_set s;

	c->ready = dirty_few(c->dirty, POINT_HOT_MAX, &s) == 1 &&
		   !dirty_set_has(&s, c->code_at, c->code_at + c->code_len);
	dirty_set_free(&s);
	return c->ready;
}

int
point_hot(struct point_taking *c, pid_t tid, const struct mem *m,
	  struct dirty *dirty, struct err *err)
{
	const struct maps *maps;
	int ret;

	ret = begin_taking(c, tid, m, dirty, err);
	if (ret != 0)
		return ret < 0 ? ret : POINT_EVENT;
	keep_code(c);
	if (has_run(c) && little_is_written(c))
		return POINT_READY;
	ret = dirty_maps(dirty, tid, !c->same_maps, &maps, err);
	if (ret == 0)
		ret = dirty_look(dirty, maps, &c->before, err);
	c->hot_cpu_ns = cputime_ns(tid);
	return ret;
}

void
point_cancel(struct point_taking *c)
{
	if (c->dirty != NULL)
		dirty_put_back(c->dirty, &c->before);
	dirty_set_free(&c->before);
	c->dirty = NULL;
}

/* ---- walking */

/* 1, or POINT_STOP. */
static int
resume_once(struct walk *w, int request, struct err *err)
{
	int ret = step_resume(w->tid, request, err);

	w->steps++;
	return ret == STEP_OTHER ? POINT_STOP : ret < 0 ? ret : 1;
}

/* A repeated string instruction: all of it, at native speed. */
static int
step_rep(struct walk *w, struct err *err)
{
	uint64_t next = w->code.pc + w->code.len;
	int ret;

	if (ptrace_set_break(w->tid, next) == 0) {
		ret = resume_once(w, PTRACE_CONT, err);
		ptrace_set_break(w->tid, 0);
		return ret;
	}
	for (unsigned i = 0; i < REP_STEPS; i++) {
		ret = resume_once(w, PTRACE_SINGLESTEP, err);
		if (ret != 1)
			return ret;
		if (ptrace_get_regs(w->tid, &w->regs) < 0)
			return gone(w->tid, err);
		if (w->regs.rip != w->code.pc)
			return 1;
	}
	return POINT_AGAIN;
}

/* The pushed flags have the tracer's trap flag in them. */
static int
mend_pushf(const struct walk *w, struct err *err)
{
	uint64_t flags;
	struct regs regs;

	if (ptrace_get_regs(w->tid, &regs) < 0)
		return gone(w->tid, err);
	if (regs.rsp == w->regs.rsp - 8 &&
	    mem_read_all(w->mem, regs.rsp, &flags, 8) == 0) {
		flags &= ~(uint64_t)EFLAGS_TF;
		mem_write_all(w->mem, regs.rsp, &flags, 8);
	}
	return 1;
}

static int
step(struct walk *w, struct err *err)
{
	int ret;

	if (w->code.rep)
		return step_rep(w, err);
	ret = resume_once(w, PTRACE_SINGLESTEP, err);
	if (ret == 1 && w->code.pushf)
		ret = mend_pushf(w, err);
	return ret;
}

/* Be content with less after some steps, and at once when it comes round to
 * where it was: there is nothing better in that loop. */
static void
count_tries(struct walk *w)
{
	bool round = false;

	for (unsigned i = 0; i < w->n_seen; i++)
		round |= w->seen[i] == w->regs.rip;
	if (w->tried < w->steps)
		w->tried = w->steps;
	if (round) {
		w->round = true;
		w->n_seen = 0;
		w->tried = w->tried < WALK_BEST ? WALK_BEST : WALK_GOOD;
	}
	if (w->n_seen < WALK_MAX)
		w->seen[w->n_seen++] = w->regs.rip;
}

/* The program writes its own code there: a jump would not last, and what is
 * moved would be stale. */
static bool
is_written(const struct walk *w, const struct window *win, struct span code)
{
	const struct point_taking *c = w->taking;
	uint64_t at = win->pc - c->code_at;
	size_t len = win->len < WINDOW_JUMP ? WINDOW_JUMP : win->len;

	return at < c->code_len && c->code_len - at >= len && code.len >= len &&
	       (memcmp(c->code + at, code.p, len) != 0 ||
		(w->kept && memcmp(w->was + at, code.p, len) != 0));
}

/* It changed code around here in the interval, perhaps there: its bytes may be
 * the same again by chance, or it did not run. Once round the loop tells. */
static bool
may_change(struct walk *w, const struct window *win)
{
	const struct point_taking *c = w->taking;
	const struct maps *maps;
	const struct vma *v;

	if (w->round || w->tried >= WALK_GOOD ||
	    dirty_maps(c->dirty, w->tid, false, &maps, NULL) < 0)
		return false;
	v = maps_find(maps, win->pc);
	if (v == NULL || !(v->prot & PROT_WRITE) ||
	    (!dirty_set_has(&c->before, win->pc, win->pc + WINDOW_JUMP) &&
	     !dirty_wrote(c->dirty, win->pc, WINDOW_JUMP)))
		return false;
	if (!w->kept)
		w->kept = mem_read_all(w->mem, c->code_at, w->was,
				       c->code_len) == 0;
	return true;
}

/* Can a jump replace what is here, and nobody is known to land within? */
static bool
suits(struct walk *w)
{
	uint8_t near[2 * NEAR];
	uint64_t pc = w->regs.rip, from = pc - NEAR;
	ssize_t n = mem_read(w->mem, from, near, sizeof(near));
	struct window win;
	struct span code, here;

	if (n <= (ssize_t)NEAR) {
		from = pc;
		n = mem_read(w->mem, from, near, NEAR);
	}
	if (n <= 0)
		return false;
	code = span_of(near, (size_t)n);
	here = span_of(near + (pc - from), (size_t)n - (size_t)(pc - from));
	w->way = POINT_JUMP;
	return window_at(here, pc, &win) && !is_written(w, &win, here) &&
	       (win.count == 1 || w->tried >= WALK_BEST) &&
	       (w->tried >= WALK_GOOD || code_flags_dead(code, from, pc)) &&
	       !window_has_target(&win, code, from) && !may_change(w, &win);
}

/* Decode what the task is about to execute. */
static bool
decode_here(struct walk *w)
{
	return mem_code(w->mem, w->regs.rip, &w->code);
}

static int
walk_on(struct walk *w, struct err *err)
{
	int ret;

	for (unsigned i = 0;; i++) {
		bool half;

		if (ptrace_get_regs(w->tid, &w->regs) < 0)
			return gone(w->tid, err);
		if (step_is_agent(w->regs.rip) || !decode_here(w) ||
		    w->code.flow == FLOW_EVENT)
			return POINT_EVENT;
		/* The interrupt may have hit it between two repetitions. */
		half = i == 0 && (w->code.rep || w->code.gather);
		count_tries(w);
		if (!half && suits(w))
			return POINT_TAKEN;
		if (i >= WALK_MAX) {
			w->way = POINT_TRAP;
			return POINT_TAKEN;
		}
		ret = step(w, err);
		if (ret != 1)
			return ret;
	}
}

static int
walk(struct walk *w, struct err *err)
{
	uint64_t mask;
	int ret = step_quiet(w->tid, &mask, err);

	if (ret < 0)
		return ret;
	ret = walk_on(w, err);
	step_loud(w->tid, mask);
	return ret;
}

/* ---- what is stored */

static void
add_range(const struct mem *m, uint64_t addr, uint64_t len, struct point *p)
{
	struct point_range r = { .addr = addr,
				 .len = (uint32_t)len,
				 .at = (uint32_t)p->bytes.len };

	if (p->ranges.len == STUB_RANGES || p->bytes.len + len > STUB_WANT_SIZE)
		return;
	point_read(m, addr, buf_grow(&p->bytes, len), len);
	vec_push(&p->ranges, r);
}

static void
add_stack(const struct mem *m, const struct maps *maps, struct point *p)
{
	const struct vma *v = maps_find(maps, p->regs.rsp);
	uint64_t from = (p->regs.rsp - POINT_STACK_BELOW) & ~7ull;
	uint64_t to = (p->regs.rsp + POINT_STACK_ABOVE) & ~7ull;

	if (v == NULL || dirty_ignores(v))
		return;
	if (from < v->start)
		from = v->start;
	if (to > v->end)
		to = v->end;
	add_range(m, from, to - from, p);
}

static bool
is_near_register(const struct regs *r, uint64_t page)
{
	for (unsigned n = 0; n < 16; n++)
		if (point_gpr(r, n) - page < POINT_PAGE)
			return true;
	return false;
}

/* Not all when there are many: first those that were certainly written, and of
 * these what registers point to. */
static bool
is_of_round(const struct regs *regs, const struct dirty_set *unsure,
	    uint64_t page, int round)
{
	return is_near_register(regs, page) == (round % 2 == 0) &&
	       dirty_set_has(unsure, page, page + POINT_PAGE) == (round >= 2);
}

static void
add_hot(const struct mem *m, const struct dirty_set *hot,
	const struct dirty_set *unsure, struct point *p)
{
	bool all = hot->pages <= POINT_HOT_MAX;
	unsigned left = POINT_HOT_MAX;

	for (int round = 0; round < (all ? 1 : 4); round++) {
		for (size_t i = 0; i < hot->runs.len; i++) {
			const struct dirty_run *g = &hot->runs.v[i];

			for (uint64_t k = 0; k < g->pages && left > 0; k++) {
				uint64_t a = g->addr + k * POINT_PAGE;

				if (!all &&
				    !is_of_round(&p->regs, unsure, a, round))
					continue;
				add_range(m, a, POINT_PAGE, p);
				left--;
			}
		}
	}
}

static void
add_sums_of(uint64_t at, uint64_t end, struct point *p)
{
	while (at < end) {
		uint64_t n = (end - at) / POINT_PAGE;
		struct point_sum s = { .addr = at };

		if (n > POINT_SUM_PAGES)
			n = POINT_SUM_PAGES;
		s.pages = (uint32_t)n;
		vec_push(&p->sums, s);
		at += n * POINT_PAGE;
	}
}

/* Of what the program can write now: what changes that is an event, so the rest
 * was written before the interval; above all code of JITs. */
static void
add_sums(const struct mem *m, const struct maps *maps,
	 const struct dirty_set *written, struct point *p)
{
	for (size_t i = 0; i < written->runs.len; i++) {
		const struct dirty_run *g = &written->runs.v[i];
		uint64_t at = g->addr, last = at + g->pages * POINT_PAGE, end;

		for (; at < last; at = end) {
			const struct vma *v = maps_find(maps, at);

			end = v == NULL ? at + POINT_PAGE : v->end;
			if (end > last)
				end = last;
			if (v != NULL && (v->prot & PROT_WRITE))
				add_sums_of(at, end, p);
		}
	}
	point_hash_all(m, p->sums.v, p->sums.len);
}

/* A call instruction ends at addr. */
static bool
is_after_call(const struct mem *m, uint64_t addr)
{
	uint8_t b[7];

	if (mem_read_all(m, addr - sizeof(b), b, sizeof(b)) < 0)
		return false;
	if (b[2] == 0xe8)
		return true;
	for (unsigned len = 2; len <= sizeof(b); len++) {
		const uint8_t *p = b + sizeof(b) - len;
		struct code c;

		if (p[0] == 0xff && code_decode(span_of(p, len), 0, &c) &&
		    c.len == len && c.flow == FLOW_CALL_IND)
			return true;
	}
	return false;
}

static void
add_anchors(const struct mem *m, const struct maps *maps, struct point *p)
{
	const struct point_range *r = &p->ranges.v[0];
	unsigned n = 0, reads = 0;

	if (p->ranges.len == 0)
		return;
	for (uint32_t at = 0; at < r->len; at += 8) {
		const struct vma *v;
		uint64_t word;

		if (n == POINT_ANCHORS || reads == ANCHOR_READS)
			return;
		memcpy(&word, p->bytes.p + r->at + at, 8);
		if (r->addr + at < p->regs.rsp || word < POINT_PAGE)
			continue;
		v = maps_find(maps, word);
		if (v == NULL || !(v->prot & PROT_EXEC))
			continue;
		reads++;
		if (is_after_call(m, word))
			p->anchors[n++] = word;
	}
}

/* All that was written, and where the stack is? */
static bool
all_are_mapped(const struct maps *maps, const struct dirty_set *s, uint64_t sp)
{
	for (size_t i = 0; i < s->runs.len; i++) {
		uint64_t at = s->runs.v[i].addr;
		uint64_t end = at + s->runs.v[i].pages * POINT_PAGE;

		while (at < end) {
			const struct vma *v = maps_find(maps, at);

			if (v == NULL)
				return false;
			at = v->end;
		}
	}
	return maps_find(maps, sp) != NULL;
}

static int
capture(struct point_taking *c, const struct walk *w, struct point *p,
	struct err *err)
{
	struct dirty_set hot = { 0 }, written = { 0 };
	const struct maps *maps;
	ssize_t n;
	int ret;

	p->way = w->way;
	p->regs = w->regs;
	p->regs.eflags &= POINT_FLAGS;
	p->regs.orig_rax = UINT64_MAX;
	n = mem_read(c->mem, w->regs.rip, p->code, sizeof(p->code));
	p->code_len = n > 0 ? (uint8_t)n : 0;
	if (ptrace_get_xstate(c->tid, &p->xstate) < 0)
		return gone(c->tid, err);
	ret = dirty_maps(c->dirty, c->tid, c->hot_cpu_ns == 0 && !c->same_maps,
			 &maps, err);
	if (ret == 0)
		ret = dirty_look(c->dirty, maps, &hot, err);
	if (ret == 0 && dirty_hashes(c->dirty))
		ret = dirty_all(c->dirty, maps, &written, err);
	else if (ret == 0)
		dirty_set_join(&hot, &c->before, &written);
	/* A stack has grown since the maps were read. */
	if (ret == 0 && !all_are_mapped(maps, &written, w->regs.rsp))
		ret = dirty_maps(c->dirty, c->tid, true, &maps, err);
	if (ret == 0) {
		dirty_learn(c->dirty, &written);
		add_stack(c->mem, maps, p);
		add_hot(c->mem, &hot, dirty_unsure(c->dirty), p);
		add_sums(c->mem, maps, &written, p);
		add_anchors(c->mem, maps, p);
		p->complete = true;
	}
	dirty_set_free(&hot);
	dirty_set_free(&written);
	return ret < 0 ? ret : POINT_TAKEN;
}

int
point_take(struct point_taking *c, uint64_t interval_ns, struct point *out,
	   struct err *err)
{
	struct walk w = { .taking = c, .tid = c->tid, .mem = c->mem };
	struct point p = { .cpu_ns = interval_ns };
	int ret = step_event_due(c->tid, err);

	if (ret == 1)
		ret = POINT_EVENT;
	else if (ret == 0 && !c->ready && c->tries++ < TRIES_MAX &&
		 cputime_ns(c->tid) - c->hot_cpu_ns < POINT_HOT_NS / 4)
		return POINT_AGAIN; /* it got no CPU to speak of */
	if (ret == 0)
		ret = walk(&w, err);
	c->steps = w.steps;
	if (ret == POINT_TAKEN)
		ret = capture(c, &w, &p, err);
	if (ret == POINT_AGAIN)
		return ret;
	if (ret != POINT_TAKEN) {
		point_free(&p);
		point_cancel(c);
		return ret;
	}
	dirty_set_free(&c->before);
	c->dirty = NULL;
	*out = p;
	return ret;
}

int
point_here(struct point_taking *c, pid_t tid, const struct mem *m,
	   struct dirty *dirty, uint64_t interval_ns, bool may_trap,
	   struct point *out, struct err *err)
{
	struct walk w = { .taking = c, .tid = tid, .mem = m };
	struct point p = { .cpu_ns = interval_ns };
	int ret;

	ret = begin_taking(c, tid, m, dirty, err);
	if (ret == 0 && ptrace_get_regs(tid, &w.regs) < 0)
		ret = gone(tid, err);
	if (ret < 0)
		return ret;
	if (ret == 1 || !decode_here(&w) || w.code.flow == FLOW_EVENT)
		return POINT_EVENT;
	w.tried = WALK_GOOD; /* it is this place or none */
	if (!suits(&w)) {
		w.way = POINT_TRAP;
		if (!may_trap)
			return POINT_EVENT;
	}
	ret = capture(c, &w, &p, err);
	c->dirty = NULL;
	if (ret != POINT_TAKEN) {
		point_free(&p);
		return ret;
	}
	*out = p;
	return ret;
}
