/*
 * Backwards by source line. Going forwards a step ends at the first of several
 * rows of one line that are met; going back, the rows before now are met in the
 * other order, so the first one is known when one of another line comes, or the
 * function's beginning.
 *
 *	feet: the instructions just before now, of the frame, calls left out
 *	many of them, all of one line: the last row of another line,
 *		by counting, then forwards to the first one of this line
 */
#include "replayer/timeline_line.h"

#include "tracee/memcode.h"

#define FEET_MAX 300u
#define RED_ZONE 128u

/* A moment before an instruction. */
struct foot {
	struct pos pos;
	uint64_t pc, rsp;
};

struct trail {
	struct walker w;
	VEC(struct foot) feet; /* the latest first */
	size_t at;	       /* where it has come to */
	uint64_t seen;	       /* of this line */
	bool has_first;	       /* of the line's rows the earliest so far */
	struct foot first;
};

enum way {
	WAY_SAME = 1, /* an instruction of the same frame */
	WAY_CALLED,   /* what has been called has lines; at its return now */
	WAY_JUMPED,   /* longjmp, from deeper frames, led here */
	WAY_LEFT,     /* what called the frame */
	WAY_BEGIN,    /* there is nothing before */
};

static const struct foot *
here(const struct trail *l)
{
	return &l->feet.v[l->at];
}

static int
stand(struct trail *l, const struct pos *p)
{
	const struct target_motion_req *q = l->w.t->req;
	int ret =
		inside_seek(l->w.r, p, NULL, 0, q->progress, q->ctx, l->w.err);

	return ret < 0 ? ret : walker_look(&l->w);
}

static struct foot
foot_here(const struct trail *l)
{
	struct foot f = { .pc = l->w.regs.rip, .rsp = l->w.regs.rsp };

	inside_pos(l->w.r, &f.pos);
	return f;
}

/* Start anew where it stands. */
static void
restart(struct trail *l)
{
	vec_clear(&l->feet);
	vec_push(&l->feet, foot_here(l));
	l->at = 0;
}

/* ---- earlier instructions */

/* The steps from where q counts from up to q, the last first. */
static int
on_foot(struct trail *l, const struct pos *q)
{
	struct pos base = *q;
	VEC(struct foot) v = { 0 };
	struct puppet *p;
	int ret;

	base.steps = 0;
	ret = stand(l, &base);
	if (ret == 0 && base.pc == 0)
		ret = inside_enter(l->w.r, &p, l->w.err) < 0 ? -E_GONE : 0;
	for (uint64_t i = 0; ret >= 0 && i <= q->steps; i++) {
		ret = walker_look(&l->w);
		if (ret < 0)
			break;
		vec_push(&v, foot_here(l));
		v.v[i].pos = base;
		v.v[i].pos.steps = i;
		if (i == q->steps)
			break;
		p = world_puppet(l->w.r->now, l->w.task);
		ret = inside_step(l->w.r, p, l->w.err);
		if (ret == 0)
			ret = err_set(l->w.err, E_DIVERGED,
				      "a step after e%lu is not repeated",
				      q->seq);
	}
	for (size_t i = v.len; ret >= 0 && i > 0; i--)
		vec_push(&l->feet, v.v[i - 1]);
	vec_free(&v);
	return ret < 0 ? ret : 1;
}

/* Instructions before the earliest one that is known: 1, 0: there are none. */
static int
extend(struct trail *l)
{
	struct foot last = l->feet.v[l->feet.len - 1];
	struct target_stop stop;
	struct pos q;
	int ret = stand(l, &last.pos);

	if (ret == 0)
		ret = tl_step_back(l->w.t, &stop, l->w.err);
	if (ret < 0 || stop.why != TARGET_AT_STEP)
		return ret < 0 ? ret : 0;
	inside_pos(l->w.r, &q);
	if (q.steps > 0)
		return on_foot(l, &q);
	ret = walker_look(&l->w);
	if (ret < 0)
		return ret;
	vec_push(&l->feet, foot_here(l));
	return 1;
}

/* Back to before who wrote the word at slot: 1; 0: nobody did. */
static int
before_write(struct trail *l, uint64_t slot)
{
	struct walker *w = &l->w;
	struct target_watch watch = {
		.addr = slot,
		.len = 8,
		.process = world_puppet(w->r->now, w->task)->group->num
	};
	struct target_motion_req req = { .motion = TARGET_CONTINUE,
					 .back = true,
					 .watches = &watch,
					 .n_watches = 1,
					 .call = -1,
					 .before_write = true,
					 .progress = w->t->req->progress,
					 .ctx = w->t->req->ctx };
	struct target_stop stop;
	int ret = timeline_move(w->r, &req, &stop, w->err);

	if (ret < 0)
		return ret;
	if (stop.why != TARGET_AT_WATCH)
		return 0;
	ret = walker_look(w);
	if (ret == 0)
		restart(l);
	return ret < 0 ? ret : 1;
}

/* Something deeper went before: to what the frame called. slot: where the
 * return from it was kept. */
static int
over_call(struct trail *l, uint64_t slot)
{
	size_t i = l->at + 1;

	while (i < l->feet.len && l->feet.v[i].rsp <= slot)
		i++;
	if (i < l->feet.len) {
		l->at = i;
		return 1;
	}
	if (stand(l, &here(l)->pos) < 0)
		return -E_GONE;
	return before_write(l, slot);
}

/* A handler returned to here, whose frame is at sp: to before its signal. */
static int
over_signal(struct trail *l, uint64_t sp)
{
	struct walker *w = &l->w;
	struct target_motion_req req = { .motion = TARGET_CONTINUE,
					 .back = true,
					 .task = w->task,
					 .events = TARGET_ON_SIGNAL,
					 .call = -1,
					 .progress = w->t->req->progress,
					 .ctx = w->t->req->ctx };
	struct target_stop stop;
	int ret = stand(l, &here(l)->pos);

	do {
		if (ret == 0)
			ret = timeline_move(w->r, &req, &stop, w->err);
		if (ret < 0 || stop.why != TARGET_AT_EVENT)
			return ret;
		ret = walker_look(w);
	} while (ret == 0 && w->regs.rsp != sp);
	if (ret == 0)
		ret = tl_step_back(w->t, &stop, w->err);
	if (ret < 0 || stop.why != TARGET_AT_STEP)
		return ret;
	ret = walker_look(w);
	if (ret == 0)
		restart(l);
	return ret < 0 ? ret : 1;
}

/* Several frames were left at once: to where longjmp was called. */
static int
to_jump(struct trail *l)
{
	struct walker *w = &l->w;
	struct target_break b[JUMPS_MAX];
	struct target_motion_req req = { .motion = TARGET_CONTINUE,
					 .back = true,
					 .breaks = b,
					 .n_breaks = w->n_jumps,
					 .call = -1,
					 .progress = w->t->req->progress,
					 .ctx = w->t->req->ctx };
	struct target_stop stop;
	int ret = stand(l, &here(l)->pos);

	for (size_t i = 0; i < w->n_jumps; i++)
		b[i] = (struct target_break){ .addr = w->jumps[i],
					      .task = w->task };
	if (ret < 0 || w->n_jumps == 0)
		return ret;
	ret = timeline_move(w->r, &req, &stop, w->err);
	if (ret < 0 || stop.why != TARGET_AT_BREAK)
		return ret;
	ret = walker_look(w);
	return ret < 0 ? ret : before_write(l, w->regs.rsp);
}

/* The same, and from there up to the frame. */
static int
over_jump(struct trail *l, uint64_t rsp)
{
	struct walker *w = &l->w;
	int ret = to_jump(l);

	while (ret == 1 && w->regs.rsp < rsp) {
		uint64_t cfa, caller;
		bool signal;

		if (!walker_frame(w, &cfa, &caller, &signal))
			return 0;
		ret = before_write(l, cfa - 8);
	}
	return ret;
}

static bool
code_at(struct trail *l, uint64_t pc, struct code *out)
{
	const struct puppet *p = world_puppet(l->w.r->now, l->w.task);

	return p && p->pid && mem_code(&p->space->mem, pc, out);
}

/* To what was executed in the frame before here, or what else the way says. */
static int
back_one(struct trail *l, enum way *way)
{
	struct foot now = *here(l), was;
	struct code c;
	int ret = 1;

	if (l->at + 1 == l->feet.len)
		ret = extend(l);
	*way = WAY_BEGIN;
	if (ret <= 0)
		return ret;
	was = l->feet.v[l->at + 1];
	*way = WAY_SAME;
	if (!code_at(l, was.pc, &c))
		c.flow = FLOW_NEXT;
	if (c.flow == FLOW_RET && was.rsp < now.rsp) {
		if (!l->w.over && symbols_has_lines(l->w.sym, was.pc)) {
			*way = WAY_CALLED;
			return 0;
		}
		ret = over_call(l, was.rsp);
	} else if (was.rsp >= l->w.cfa ||
		   (c.flow == FLOW_JMP && l->w.cfa && was.rsp + 8 == l->w.cfa &&
		    !lines_row(&l->w.fn, was.pc))) {
		l->at++;
		*way = WAY_LEFT;
	} else if (c.flow == FLOW_EVENT && was.rsp + RED_ZONE < now.rsp) {
		/* The kernel has put a frame there, and taken it away. */
		ret = over_signal(l, was.rsp - 8);
	} else if (c.flow == FLOW_JMP_IND && now.pc != l->w.fn.entry &&
		   !lines_row(&l->w.fn, was.pc) &&
		   lines_row(&l->w.fn, now.pc)) {
		*way = WAY_JUMPED;
		if (!l->w.over)
			return 0;
		*way = WAY_SAME;
		ret = over_jump(l, now.rsp);
	} else {
		l->at++;
	}
	if (ret == 0)
		*way = WAY_BEGIN;
	return ret < 0 ? ret : 0;
}

/* ---- a line that is long under way */

struct sites {
	VEC(struct target_break) v;
};

static void
add_site(struct trail *l, struct sites *s, uint64_t pc)
{
	for (size_t i = 0; i < s->v.len; i++) {
		if (s->v.v[i].addr == pc)
			return;
	}
	vec_push(&s->v, ((struct target_break){ .addr = pc,
						.task = l->w.task,
						.cond = walker_in_frame,
						.ctx = &l->w }));
}

/* Behind calls of the line, where coming back from lines ends a step. */
static void
add_returns(struct trail *l, struct sites *s, const struct sym_row *row)
{
	for (uint64_t pc = row->start; pc < row->end;) {
		struct code c;

		if (!code_at(l, pc, &c))
			return;
		if (c.flow == FLOW_CALL || c.flow == FLOW_CALL_IND)
			add_site(l, s, pc + c.len);
		pc += c.len;
	}
}

/* Where it might have come from: rows of other lines, the function's entry. */
static void
choose_sites(struct trail *l, struct sites *s, uint64_t id)
{
	add_site(l, s, l->w.fn.entry);
	for (size_t i = 0; i < l->w.fn.n; i++) {
		const struct sym_row *row = &l->w.fn.rows[i];

		if (row->id != id && !row->entry)
			add_site(l, s, row->start);
		else if (row->id == id && !l->w.over)
			add_returns(l, s, row);
	}
}

/* The last arrival before from at one of the sites: 1 it stands there, 0 none.
 */
static int
last_arrival(struct trail *l, const struct pos *from, struct sites *s)
{
	struct walker *w = &l->w;
	struct pos best;
	bool has = false;
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < s->v.len; i += BREAKS_MAX) {
		size_t n = s->v.len - i;
		struct target_motion_req req = {
			.motion = TARGET_CONTINUE,
			.back = true,
			.breaks = &s->v.v[i],
			.n_breaks = n < BREAKS_MAX ? n : BREAKS_MAX,
			.call = -1,
			.progress = w->t->req->progress,
			.ctx = w->t->req->ctx,
		};
		struct target_stop stop;
		int order = 1;

		ret = stand(l, from);
		if (ret == 0)
			ret = timeline_move(w->r, &req, &stop, w->err);
		if (ret < 0 || stop.why != TARGET_AT_BREAK)
			continue;
		if (has)
			ret = timeline_compare(w->r, &stop.pos, &best, &order,
					       w->err);
		if (ret == 0 && order > 0)
			best = stop.pos;
		has = true;
	}
	if (ret == 0 && has)
		ret = stand(l, &best);
	return ret < 0 ? ret : has;
}

/* The same in this frame. Arrivals are counted, which is quick, unless deeper
 * frames of the function come in between: then each is looked at. */
static int
last_of(struct trail *l, const struct pos *from, struct sites *s)
{
	uint64_t rsp = l->w.regs.rsp, cfa, caller;
	bool signal;
	int ret;

	for (size_t i = 0; i < s->v.len; i++)
		s->v.v[i].cond = NULL;
	ret = last_arrival(l, from, s);
	if (ret <= 0 ||
	    (walker_frame(&l->w, &cfa, &caller, &signal) && cfa == l->w.cfa))
		return ret;
	for (size_t i = 0; i < s->v.len; i++)
		s->v.v[i].cond = walker_in_frame;
	l->w.regs.rsp = rsp;
	return last_arrival(l, from, s);
}

/* From here on to the first row of the line. */
static int
first_after(struct trail *l, uint64_t id)
{
	struct target_break b[BREAKS_MAX];
	struct target_motion_req req = { .motion = TARGET_CONTINUE,
					 .breaks = b,
					 .call = -1,
					 .progress = l->w.t->req->progress,
					 .ctx = l->w.t->req->ctx };
	struct target_stop stop;
	int ret;

	for (size_t i = 0; i < l->w.fn.n && req.n_breaks < BREAKS_MAX; i++) {
		if (l->w.fn.rows[i].id == id && !l->w.fn.rows[i].entry)
			b[req.n_breaks++] = (struct target_break){
				.addr = l->w.fn.rows[i].start,
				.task = l->w.task,
				.cond = walker_in_frame,
				.ctx = &l->w,
			};
	}
	ret = timeline_move(l->w.r, &req, &stop, l->w.err);
	if (ret == 0)
		ret = walker_look(&l->w);
	if (ret < 0)
		return ret;
	l->first = foot_here(l);
	return 1;
}

/* By counting: 1, first is known; 2: go on where it stands now. */
static int
long_line(struct trail *l)
{
	const struct sym_row *row = lines_row(&l->w.fn, here(l)->pc);
	struct pos from = here(l)->pos;
	uint64_t id = row ? row->id : l->w.id;
	struct sites s = { 0 };
	enum way way;
	int ret;

	if (l->has_first)
		id = lines_row(&l->w.fn, l->first.pc)->id;
	choose_sites(l, &s, id);
	/* Frames are told from each other by where this one stands. */
	l->w.regs.rsp = here(l)->rsp;
	ret = last_of(l, &from, &s);
	vec_free(&s.v);
	if (ret <= 0)
		return ret < 0 ? ret : 1;
	restart(l);
	row = lines_row(&l->w.fn, here(l)->pc);
	if (!row || row->id != id || here(l)->pc == l->w.fn.entry)
		return first_after(l, id);
	/* Behind a call of the line itself. */
	ret = back_one(l, &way);
	if (ret < 0)
		return ret;
	l->seen = 0;
	if (way != WAY_CALLED)
		return 2;
	l->first = *here(l);
	return 1;
}

/* ---- the line before */

/* What a row at here says of the line: 1 = first is known. */
static bool
meet_row(struct trail *l)
{
	const struct sym_row *row = lines_row(&l->w.fn, here(l)->pc);

	if (!row || row->start != here(l)->pc || row->entry)
		return false;
	if (l->has_first && row->id != l->w.id)
		return true;
	l->has_first = true;
	l->first = *here(l);
	l->w.id = row->id;
	return false;
}

/* A call with lines has returned to here: that ends a step. */
static void
meet_return(struct trail *l)
{
	const struct sym_row *row = lines_row(&l->w.fn, here(l)->pc);

	if (!l->has_first || (row && row->id == l->w.id))
		l->first = *here(l);
}

/* Up to the function's beginning: 1, first is known; 0: go on in what called
 * it; 2: nothing is before. */
static int
scan_frame(struct trail *l)
{
	for (;;) {
		enum way way;
		int ret;

		if (meet_row(l))
			return 1;
		if (++l->seen > FEET_MAX) {
			ret = long_line(l);
			if (ret != 2)
				return ret;
			continue;
		}
		ret = back_one(l, &way);
		if (ret == 0)
			ret = tl_tell(l->w.t, l->w.err);
		if (ret < 0)
			return ret;
		switch (way) {
		case WAY_SAME:
			continue;
		case WAY_CALLED:
		case WAY_JUMPED:
			meet_return(l);
			return 1;
		case WAY_LEFT:
			return l->has_first;
		case WAY_BEGIN:
			return l->has_first ? 1 : 2;
		}
	}
}

/* Out of code without lines, to the call that led there: 1; 0: none. */
static int
up_to_lines(struct trail *l)
{
	int ret = stand(l, &here(l)->pos);

	while (ret >= 0 && walker_enter(&l->w) != 1) {
		uint64_t cfa, caller;
		bool signal;

		if (!walker_frame(&l->w, &cfa, &caller, &signal) || !caller)
			return 0;
		ret = before_write(l, signal ? l->w.regs.rsp - 8 : cfa - 8);
		if (ret == 0)
			return 0;
	}
	return ret < 0 ? ret : 1;
}

/* The last end of a step up to here: 1, in first; 0: there is none. */
static int
last_end(struct trail *l)
{
	for (;;) {
		int ret = up_to_lines(l);

		if (ret <= 0)
			return ret;
		l->has_first = false;
		l->seen = 0;
		ret = scan_frame(l);
		if (ret != 0)
			return ret == 2 ? 0 : ret;
	}
}

static int
begin(struct trail *l)
{
	int ret = walker_look(&l->w);

	if (ret == 0)
		restart(l);
	return ret;
}

/* One line back from where it stands: 1; 0: nothing is before. */
static int
line_back(struct trail *l)
{
	enum way way = WAY_SAME;
	int ret = begin(l);

	if (ret == 0 && walker_enter(&l->w) == 1) {
		ret = back_one(l, &way);
		if (ret < 0 || way == WAY_BEGIN)
			return ret;
		if (way == WAY_CALLED)
			l->at++;
		if (way == WAY_JUMPED)
			ret = to_jump(l) < 0 ? -E_GONE : 0;
	}
	if (ret == 0)
		ret = last_end(l);
	if (ret == 1)
		ret = stand(l, &l->first.pos) < 0 ? -E_GONE : 1;
	return ret;
}

/* To the call of the function. */
static int
finish_back(struct trail *l)
{
	uint64_t cfa, caller;
	bool signal;
	int ret = begin(l);

	if (ret == 0 && (!walker_frame(&l->w, &cfa, &caller, &signal) ||
			 (!caller && !signal)))
		return err_set(l->w.err, E_NOT_FOUND,
			       "nothing has called this, as far as is known");
	if (ret == 0)
		ret = before_write(l, signal ? l->w.regs.rsp - 8 : cfa - 8);
	return ret;
}

/* To a row further up, over loops, or the call. */
static int
until_back(struct trail *l)
{
	struct sites s = { 0 };
	struct foot now;
	int ret = begin(l);

	if (ret < 0 || walker_enter(&l->w) != 1)
		return ret < 0 ? ret : line_back(l);
	now = *here(l);
	add_site(l, &s, l->w.fn.entry);
	for (size_t i = 0; i < l->w.fn.n; i++) {
		const struct sym_row *row = &l->w.fn.rows[i];

		if (row->end <= now.pc && row->id != l->w.id && !row->entry)
			add_site(l, &s, row->start);
	}
	ret = last_of(l, &now.pos, &s);
	vec_free(&s.v);
	if (ret <= 0)
		return ret;
	if (l->w.regs.rip == l->w.fn.entry)
		return finish_back(l);
	restart(l);
	ret = last_end(l);
	if (ret == 1)
		ret = stand(l, &l->first.pos) < 0 ? -E_GONE : 1;
	return ret;
}

int
tl_line_back(struct timeline *t, struct target_stop *out, struct err *err)
{
	bool into = t->req->motion == TARGET_LINE;
	struct trail l = { 0 };
	struct pos began;
	int ret;

	inside_pos(t->r, &began);
	walker_init(&l.w, t, !into, out, err);
	if (t->req->motion == TARGET_FINISH)
		ret = finish_back(&l);
	else if (t->req->motion == TARGET_UNTIL)
		ret = until_back(&l);
	else
		ret = line_back(&l);
	if (ret < 0 || ret == 0)
		inside_seek(t->r, &began, NULL, 0, NULL, NULL, NULL);
	vec_free(&l.feet);
	walker_release(&l.w);
	if (ret < 0)
		return ret;
	return tl_done(t, ret == 1 ? TARGET_AT_STEP : TARGET_AT_START, out);
}
