/*
 * One instruction back, without counting instructions. P is the k-th arrival at
 * x; what came just before it?
 *
 *	stand at the arrival before it, or at the interval's beginning
 *	walk a little: is x reached? then the walk tells
 *	no: run on to x with counting stubs at places seen on the way and just
 *	before x; the one that was reached last is close to P: go there, again
 *	none was reached: half of the way, by time
 *
 * What was found has a name: arrivals since the event, when running to here
 * again costs next to nothing; else since the arrival at x before P.
 */
#include "replayer/timeline_priv.h"

#include "base/clock.h"

#define WALK 150u     /* single steps to learn the way */
#define WALK_ALL 300u /* all the way, when it is near */
#define NEAR_NS 60000u
#define WALK_LONG 3000u /* when nothing else leads on */
#define ANCHORS 10u
#define ANCHORS_BEFORE 4u /* of them, in the text just before x */
#define BEFORE 300u	  /* how far that is looked at */
#define ROUNDS 200u
#define HALF_MIN_NS 20000u

struct chase {
	struct replayer *r;
	struct pos p;
	target_progress *progress;
	void *ctx;
	struct pos from;    /* the arrival before P, or the beginning */
	bool far;	    /* from the event: name by what is near */
	struct world *base; /* where it has come to, before P */
	struct pos base_pos;
	bool base_named;
	uint64_t base_pc;
	VEC(uint64_t) path; /* addresses from base on */
	bool arrived;	    /* its last one is P */
	size_t named;	    /* of the path, where the base is to be */
	uint64_t run_ns;    /* from base to P */
	VEC(uint64_t) seen; /* instructions in the text before x */
	bool plain;	    /* only instructions that were executed */
};

/* Let now be a copy of base. */
static int
back_to_base(struct chase *c, struct err *err)
{
	struct world *w;
	int ret = checkpoint_copy(c->r, c->base, &w, err);

	if (ret < 0)
		return ret;
	world_free(c->r, c->r->now);
	c->r->now = w;
	c->r->stale = false;
	c->r->reseek = true;
	target_forget(c->r);
	return replayer_peek(c->r, err) < 0 ? -E_FORMAT : 0;
}

/* now is closer: it becomes the base. */
static int
move_base(struct chase *c, struct err *err)
{
	struct world *w;
	int ret = checkpoint_copy(c->r, c->r->now, &w, err);

	if (ret < 0)
		return ret;
	world_free(c->r, c->base);
	c->base = w;
	c->base_pc = world_puppet(c->r->now, c->r->now->inside.task)->regs.rip;
	return 0;
}

/* base itself runs on, to become the next one: now is it. */
static int
use_base(struct chase *c, struct err *err)
{
	struct world *w = c->r->now;

	c->r->now = c->base;
	c->base = NULL;
	c->r->stale = false;
	c->r->reseek = true;
	target_forget(c->r);
	world_free(c->r, w);
	return replayer_peek(c->r, err) < 0 ? -E_FORMAT : 0;
}

static struct puppet *
runner(const struct chase *c)
{
	return world_puppet(c->r->now, c->r->now->inside.task);
}

/* From base, on foot. */
static int
walk(struct chase *c, unsigned most, struct err *err)
{
	struct puppet *p = runner(c);
	int ret = 1;

	vec_clear(&c->path);
	c->arrived = false;
	vec_push(&c->path, p->regs.rip);
	while (ret == 1 && c->path.len <= most && !c->arrived) {
		ret = inside_step(c->r, p, err);
		if (ret == 1)
			vec_push(&c->path, p->regs.rip);
		c->arrived = p->regs.rip == c->p.pc;
	}
	if (ret == 0)
		return err_set(err, E_DIVERGED,
			       "an arrival at 0x%lx is not repeated", c->p.pc);
	return ret < 0 ? ret : 0;
}

/* ---- anchors */

/* One instruction that a jump fits on: nothing can land inside. */
static bool
is_anchor(struct chase *c, uint64_t pc)
{
	uint8_t bytes[32];
	struct window w;
	ssize_t n = mem_read(&runner(c)->space->mem, pc, bytes, sizeof(bytes));

	return n > 0 && pc != c->p.pc &&
	       window_at(span_of(bytes, (size_t)n), pc, &w) && w.count == 1;
}

static void
add_anchor(struct chase *c, struct tally *t, uint64_t pc)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->v[i].pc < pc + WINDOW_JUMP &&
		    pc < t->v[i].pc + WINDOW_JUMP)
			return;
	}
	if (is_anchor(c, pc))
		tally_site(t, pc)->how = TALLY_STUB;
}

static void
remember_seen(struct chase *c)
{
	for (size_t i = 0; i < c->path.len; i++) {
		uint64_t pc = c->path.v[i];
		bool known = pc >= c->p.pc || pc + BEFORE < c->p.pc;

		for (size_t k = 0; k < c->seen.len && !known; k++)
			known = c->seen.v[k] == pc;
		if (!known)
			vec_push(&c->seen, pc);
	}
}

/* The first instruction that was seen at pc or behind it; 0 = none. */
static uint64_t
next_seen(const struct chase *c, uint64_t pc)
{
	uint64_t next = 0;

	for (size_t i = 0; i < c->seen.len; i++) {
		uint64_t v = c->seen.v[i];

		if (v >= pc && (!next || v < next))
			next = v;
	}
	return next;
}

/* Does what follows the end of a function fill up to the next one? There no
 * instruction begins where decoding says so. */
static bool
is_filling(const struct code *code, const uint8_t *next, size_t left)
{
	switch ((enum code_flow)code->flow) {
	case FLOW_RET:
	case FLOW_JMP:
	case FLOW_JMP_IND:
	case FLOW_EVENT:
		return left == 0 || *next == 0;
	case FLOW_NEXT:
	case FLOW_JCC:
	case FLOW_LOOP:
	case FLOW_CALL:
	case FLOW_CALL_IND:
		break;
	}
	return false;
}

/* In the text just before x, decoded from an instruction that was seen. */
static void
anchors_before(struct chase *c, struct tally *t)
{
	uint64_t from, pcs[BEFORE + 1];
	uint8_t bytes[BEFORE + CODE_LEN_MAX];
	size_t n = 0;
	ssize_t got;

	from = next_seen(c, 0);
	if (!from)
		return;
	got = mem_read(&runner(c)->space->mem, from, bytes, sizeof(bytes));
	for (uint64_t at = from; got > 0 && at < c->p.pc;) {
		size_t off = (size_t)(at - from);
		struct code code;

		if (off >= (size_t)got ||
		    !code_decode(span_of(bytes + off, (size_t)got - off), at,
				 &code))
			return;
		pcs[n++] = at;
		at += code.len;
		off += code.len;
		if (off < (size_t)got &&
		    is_filling(&code, bytes + off, (size_t)got - off))
			at = next_seen(c, at);
		if (at == 0)
			break;
	}
	for (size_t i = n; i > 0 && t->n < ANCHORS_BEFORE; i--)
		add_anchor(c, t, pcs[i - 1]);
}

static void
choose_anchors(struct chase *c, struct tally *t)
{
	remember_seen(c);
	if (!c->plain)
		anchors_before(c, t);
	/* Spread over the path, its end first. */
	for (size_t gap = c->path.len; gap >= 1 && t->n < ANCHORS; gap /= 2) {
		for (size_t i = c->path.len;
		     i > 0 && t->n<ANCHORS; i = i> gap ? i - gap : 0)
			add_anchor(c, t, c->path.v[i - 1]);
	}
}

/* ---- a round */

static int
go_on(struct chase *c, struct spec *s, struct err *err)
{
	int ret = inside_add_end(c->r, s);

	if (ret == 0)
		ret = spec_go(c->r, runner(c), s, err);
	c->r->now->inside.unnamed = true;
	if (ret < 0)
		return ret;
	if (s->end == SPEC_HALT)
		return err_set(err, E_DIVERGED,
			       "an arrival at 0x%lx is not repeated", c->p.pc);
	return 0;
}

static void
put_site(struct spec *s, uint64_t pc, uint64_t stop, enum tally_how how)
{
	struct tally_site *site = tally_site(&s->tally, pc);

	site->stop = stop;
	site->how = how;
}

/* Of those anchors that were not reached any more the last on the path. */
static void
last_on_path(const struct chase *c, const struct tally *t, size_t n_anchors,
	     uint64_t *pc)
{
	for (size_t i = c->path.len; i > 1 && !*pc; i--) {
		for (size_t k = 0; k < n_anchors; k++) {
			if (t->v[k].pc == c->path.v[i - 1])
				*pc = t->v[k].pc;
		}
	}
}

/* On from the end of the path to P: the anchor that was reached last, and how
 * often since base. 1 = one. */
static int
last_anchor(struct chase *c, uint64_t *pc, uint64_t *n, struct err *err)
{
	struct spec s = { .tally = { .ticks = true } };
	uint64_t began, last = 0;
	size_t n_anchors;
	int ret;

	choose_anchors(c, &s.tally);
	n_anchors = s.tally.n;
	put_site(&s, c->p.pc, 1, TALLY_INT3);
	began = clock_now_ns();
	ret = go_on(c, &s, err);
	c->run_ns = clock_now_ns() - began;
	if (ret < 0)
		return ret;
	*pc = *n = 0;
	for (size_t i = 0; i < n_anchors; i++) {
		const struct tally_site *a = &s.tally.v[i];

		if (a->seen == 0 || (*pc && a->last < last))
			continue;
		*pc = a->pc;
		*n = a->seen;
		last = a->last;
	}
	if (!*pc)
		last_on_path(c, &s.tally, n_anchors, pc);
	for (size_t i = 1; i < c->path.len; i++)
		*n += c->path.v[i] == *pc;
	return *n > 0;
}

static int
to_anchor(struct chase *c, uint64_t pc, uint64_t n, struct err *err)
{
	struct spec s = { .n_watch = 0 };
	int ret = use_base(c, err);

	/* What has been counted goes on being counted. */
	if (ret == 0)
		ret = inside_put_counts(&c->r->now->inside, &s.tally);
	put_site(&s, pc, n, TALLY_STUB);
	if (ret == 0)
		ret = go_on(c, &s, err);
	return ret < 0 ? ret : move_base(c, err);
}

/* No anchor leads on: some of the way by time, or a long walk. */
static int
halve(struct chase *c, struct err *err)
{
	int ret;

	for (uint64_t ns = c->run_ns / 2; ns >= HALF_MIN_NS; ns /= 2) {
		struct spec s = { .slice_ns = ns };

		ret = back_to_base(c, err);
		if (ret == 0)
			ret = inside_put_counts(&c->r->now->inside, &s.tally);
		put_site(&s, c->p.pc, 1, TALLY_INT3);
		if (ret == 0)
			ret = go_on(c, &s, err);
		if (ret < 0)
			return ret;
		if (s.end == SPEC_SLICE && runner(c)->regs.rip != c->base_pc &&
		    runner(c)->regs.rip != c->p.pc)
			return move_base(c, err);
	}
	ret = back_to_base(c, err);
	if (ret == 0)
		ret = walk(c, WALK_LONG, err);
	if (ret == 0 && !c->arrived)
		ret = move_base(c, err);
	return ret;
}

/* now is at base. 1: the path leads to P, 0: closer than before. */
static int
chase_round(struct chase *c, struct err *err)
{
	unsigned steps = c->run_ns && c->run_ns < NEAR_NS ? WALK_ALL : WALK;
	uint64_t pc, n;
	int ret = walk(c, steps, err);

	if (ret < 0 || c->arrived)
		return ret < 0 ? ret : 1;
	if (c->progress && !c->progress(c->ctx, c->p.seq, c->p.seq))
		return err_set(err, E_CANCELLED, "stopped on the way back");
	ret = last_anchor(c, &pc, &n, err);
	if (ret == -E_DIVERGED && !c->plain) {
		/* Not all that was decoded is code. */
		c->plain = true;
		err_clear(err);
		return back_to_base(c, err);
	}
	if (ret < 0)
		return ret;
	c->base_named = false;
	if (ret == 1)
		return to_anchor(c, pc, n, err);
	ret = halve(c, err);
	return ret < 0 ? ret : c->arrived;
}

/* ---- the result */

/* Arrivals at base's address from the event to P. */
static int
count_from_event(struct chase *c, uint64_t *n, struct err *err)
{
	int ret = inside_seek(c->r, &c->p, &c->base_pc, 1, c->progress, c->ctx,
			      err);

	if (ret == 0)
		inside_count(&c->r->now->inside, c->base_pc, n);
	return ret;
}

/* The same from via to P. */
static int
count_from(struct chase *c, const struct arrivals *via, uint64_t *n,
	   struct err *err)
{
	struct pos from = { .seq = c->p.seq,
			    .task = c->p.task,
			    .pc = via->pc,
			    .visit = via->n };
	struct spec s = { .n_watch = 0 };
	int ret = inside_seek(c->r, &from, NULL, 0, c->progress, c->ctx, err);

	if (ret < 0)
		return ret;
	inside_start_via(&c->r->now->inside, via, c->base_pc);
	tally_site(&s.tally, c->base_pc);
	put_site(&s, c->p.pc, c->p.via_pc ? c->p.visit : 1, TALLY_STUB);
	ret = go_on(c, &s, err);
	c->r->stale = true; /* not all was counted */
	*n = c->r->now->inside.since.n;
	return ret;
}

/* Arrivals at where base stands, base's own included: all up to P but those on
 * the path behind it. */
static int
name_base(struct chase *c, struct err *err)
{
	struct arrivals via = { c->p.via_pc, c->p.via_visit };
	uint64_t n = 0;
	int ret;

	if (!via.pc && c->far)
		via = (struct arrivals){ c->from.pc, c->from.visit };
	ret = via.pc ? count_from(c, &via, &n, err)
		     : count_from_event(c, &n, err);
	if (ret < 0)
		return ret;
	for (size_t i = c->named + 1; i < c->path.len; i++)
		n -= c->path.v[i] == c->base_pc;
	if (via.pc == c->base_pc) {
		n += via.n;
		via.pc = via.n = 0;
	}
	c->base_pos = (struct pos){ .seq = c->p.seq,
				    .task = c->p.task,
				    .pc = c->base_pc,
				    .visit = n,
				    .via_pc = via.pc,
				    .via_visit = via.n };
	return 0;
}

/* now is base: let it say where that is. */
static void
say_name(struct chase *c)
{
	struct inside *in = &c->r->now->inside;
	const struct pos *p = &c->base_pos;
	uint64_t n;

	in->unnamed = false;
	in->pc = p->pc;
	in->visit = p->visit;
	in->steps = p->steps;
	inside_leave_via(in);
	if (p->via_pc) {
		in->via = (struct arrivals){ p->via_pc, p->via_visit };
		in->since = (struct arrivals){ p->pc, p->visit };
	} else if (in->pc && !inside_count(in, in->pc, &n)) {
		struct arrivals a = { in->pc, in->visit };

		vec_push(&in->counts, a);
	}
}

/*
 * A place on the path whose arrivals a stub counts, beside that at x: in a
 * tight loop those of an int3 would take a thousand times as long.
 */
static void
choose_named(struct chase *c)
{
	const uint64_t near = 2 * CODE_LEN_MAX;

	for (size_t i = 0; i + 1 < c->path.len; i++) {
		uint64_t pc = c->path.v[i];

		if (pc + near > c->p.pc && pc < c->p.pc + near)
			continue;
		c->named = i;
		c->base_pc = pc;
		return;
	}
}

/* Stand on the path one step before P, with a checkpoint where it begins. */
static int
stand_before(struct chase *c, struct err *err)
{
	size_t steps = c->path.len - 2;
	int more = 1, ret = 0;

	c->named = 0;
	if (!c->base_named) {
		choose_named(c);
		ret = name_base(c, err);
	}
	if (ret == 0)
		ret = use_base(c, err);
	for (size_t i = 0; ret == 0 && more == 1 && i < c->named; i++) {
		more = inside_step(c->r, runner(c), err);
		ret = more < 0 ? more : 0;
	}
	if (ret < 0)
		return ret;
	steps -= c->named;
	say_name(c);
	if (inside_moved(&c->r->now->inside))
		ret = checkpoint_here(c->r, err);
	for (; ret == 0 && more == 1 && steps > 0; steps--) {
		more = inside_step(c->r, runner(c), err);
		ret = more < 0 ? more : 0;
	}
	return ret;
}

static int
chase(struct chase *c, struct err *err)
{
	int ret = 0;

	for (unsigned i = 0; ret == 0 && i < ROUNDS; i++)
		ret = chase_round(c, err);
	if (ret == 0)
		return err_set(err, E_UNSUPPORTED,
			       "the instruction before 0x%lx was not found",
			       c->p.pc);
	return ret < 0 ? ret : stand_before(c, err);
}

/* Be at the copy that is closest to P, when that is after the arrival before
 * it: 1. */
static int
go_close(struct chase *c, struct err *err)
{
	const struct inside *in;
	struct pos here;
	int ret = checkpoint_go_inside(c->r, &c->p, NULL, 0, err);

	if (ret <= 0)
		return ret;
	target_forget(c->r);
	in = &c->r->now->inside;
	inside_pos(c->r, &here);
	return inside_arrived(in, &c->p) == c->p.visit - 1 &&
	       inside_moved(in) &&
	       (in->unnamed || here.pc != c->from.pc || here.steps > 0);
}

static int
go_from(struct chase *c, struct err *err)
{
	/* By a name that counts from the event, so does what follows. */
	int ret = inside_seek(c->r, &c->from, &c->p.pc, !c->p.via_pc,
			      c->progress, c->ctx, err);

	/* Names will count from here. */
	if (ret == 0 && c->far && c->from.pc)
		ret = checkpoint_here(c->r, err);
	return ret;
}

/* The arrival before P, or the beginning, or a copy after it. 1 = P is the
 * beginning. */
static int
start(struct chase *c, struct err *err)
{
	struct puppet *p;
	int close, ret;

	c->from = (struct pos){ .seq = c->p.seq, .task = c->p.task };
	if (c->p.visit > 1) {
		c->from = c->p;
		c->from.visit--;
	} else if (c->p.via_pc) {
		c->from.pc = c->p.via_pc;
		c->from.visit = c->p.via_visit;
	}
	close = c->far ? go_close(c, err) : 0;
	ret = close < 0 ? close : close ? 0 : go_from(c, err);
	if (ret == 0)
		ret = inside_enter(c->r, &p, err);
	if (ret < 0)
		return ret;
	if (ret == 0)
		return err_set(err, E_POSITION, "no code runs after e%lu",
			       c->p.seq);
	if (!inside_moved(&c->r->now->inside))
		inside_track(c->r, c->p.pc);
	c->base_pos = c->from;
	c->base_named = !close;
	if (!close && !c->from.pc && p->regs.rip == c->p.pc)
		return 1;
	return checkpoint_copy(c->r, c->r->now, &c->base, err);
}

int
before_here(struct replayer *r, target_progress *progress, void *ctx,
	    struct err *err)
{
	struct chase c = { .r = r, .progress = progress, .ctx = ctx };
	struct pos base;
	int ret;

	inside_pos(r, &c.p);
	c.far = r->work_ns >
		r->now->inside.began_ns +
			(r->opts.far_ns ? r->opts.far_ns : timeline_slice(r));
	if (c.p.steps > 0) {
		/* Its arrival is near, and will be wanted again. */
		base = c.p;
		base.steps = 0;
		ret = inside_seek(r, &base, NULL, 0, progress, ctx, err);
		if (ret == 0 && base.pc)
			ret = checkpoint_here(r, err);
		base.steps = c.p.steps - 1;
		if (ret == 0 && base.steps)
			ret = inside_seek(r, &base, NULL, 0, progress, ctx,
					  err);
		return ret;
	}
	ret = start(&c, err);
	if (ret == 0) {
		c.base_pc = runner(&c)->regs.rip;
		ret = chase(&c, err);
	}
	world_free(r, c.base);
	vec_free(&c.path);
	vec_free(&c.seen);
	if (ret < 0)
		r->stale = true;
	return ret;
}
