/*
 * Forwards by source line. The rows of a function are met one after the other;
 * the first one of another line than before ends a step, and so does coming
 * back into a function from one that has lines, too.
 *
 *	some instructions on foot; calls without lines (or all) are run through
 *	still the same line: run to where its code is left
 */
#include "replayer/timeline_line.h"

#include <sys/syscall.h>

#include "tracee/memcode.h"

#define ON_FOOT 150u
#define RED_ZONE 128u
#define STUB_INSNS 4u	   /* of an entry of the procedure linkage table */
#define LANDING_INSNS 200u /* of longjmp */
#define EXITS_MAX 14u	   /* leaves room for the caller's breakpoints */

void
walker_init(struct walker *w, struct timeline *t, bool over,
	    struct target_stop *out, struct err *err)
{
	*w = (struct walker){ .t = t,
			      .r = t->r,
			      .task = t->req->task,
			      .over = over,
			      .out = out,
			      .err = err };
}

void
walker_release(struct walker *w)
{
	vec_free(&w->quiet);
	arena_free(&w->arena);
}

/* ---- where it stands */

static void
find_jumps(struct walker *w)
{
	static const char *const names[] = { "longjmp", "__longjmp_chk",
					     "__cxa_begin_catch" };

	w->n_jumps = 0;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		uint64_t size;

		if (symbols_by_name(w->sym, names[i], &w->jumps[w->n_jumps],
				    &size, NULL) == 0)
			w->n_jumps++;
	}
}

int
walker_look(struct walker *w)
{
	const struct puppet *p = world_puppet(w->r->now, w->task);
	struct symbols *sym;

	if (!p || !p->pid)
		return err_set(w->err, E_NOT_FOUND,
			       "task %u does not live here", w->task);
	sym = lines_symbols(w->r, w->task, w->err);
	if (!sym)
		return -E_NOT_FOUND;
	if (sym != w->sym) {
		w->sym = sym;
		find_jumps(w);
	}
	w->regs = p->regs;
	return 0;
}

bool
walker_frame(struct walker *w, uint64_t *cfa, uint64_t *caller, bool *signal)
{
	struct sym_frame *f;
	size_t n = 0;

	*caller = 0;
	*signal = false;
	if (symbols_frame(w->sym, &w->regs, cfa, caller))
		return true;
	if (symbols_backtrace(w->sym, &w->regs, 2, &w->arena, &f, &n, NULL) <
		    0 ||
	    n == 0)
		return false;
	*cfa = f[0].cfa;
	*signal = f[0].signal_frame;
	if (n > 1)
		*caller = f[1].pc;
	return f[0].cfa != 0;
}

int
walker_enter(struct walker *w)
{
	const struct sym_row *row;
	uint64_t caller;
	bool signal;

	if (!symbols_lines(w->sym, w->regs.rip, w->over, &w->arena, &w->fn))
		return 0;
	row = lines_row(&w->fn, w->regs.rip);
	if (!row || !walker_frame(w, &w->cfa, &caller, &signal))
		return 0;
	w->id = row->id;
	return 1;
}

bool
walker_code(struct walker *w, struct code *out)
{
	return tl_code(w->t, w->task, out);
}

/* At a stop: is it not in a deeper frame of the function? */
bool
walker_in_frame(void *ctx, struct target *t, uint32_t task)
{
	const struct walker *w = ctx;
	struct walker here = *w;
	uint64_t cfa, caller;
	bool signal, in;

	if (t->ops->regs(t, task, &here.regs, NULL) < 0)
		return false;
	if (here.regs.rsp >= w->regs.rsp)
		return true;
	here.arena = (struct arena){ 0 };
	in = walker_frame(&here, &cfa, &caller, &signal) && cfa >= w->cfa;
	arena_free(&here.arena);
	return in;
}

/* ---- moving on */

int
walker_step(struct walker *w)
{
	int ret = tl_step(w->t, w->out, w->err);

	if (ret < 0)
		return ret;
	if (w->out->why != TARGET_AT_STEP)
		return 0;
	ret = walker_look(w);
	return ret < 0 ? ret : 1;
}

/* Run to one of mine: 1; 0: the motion is over. Results in *stop. */
static int
run(struct walker *w, struct target_break *mine, size_t n,
    const struct target_watch *watch, bool sigreturn, struct target_stop *stop)
{
	struct target_motion_req req = *w->t->req;
	struct target_break *all;
	size_t users = req.n_breaks;
	int ret;

	all = mem_alloc((users + n + 1) * sizeof(*all));
	for (size_t i = 0; i < users; i++)
		all[i] = req.breaks[i];
	for (size_t i = 0; i < n; i++) {
		all[users + i] = mine[i];
		all[users + i].task = w->task;
	}
	req.motion = TARGET_CONTINUE;
	req.breaks = all;
	req.n_breaks = users + n;
	req.watches = watch;
	req.n_watches = watch != NULL;
	req.events = TARGET_ON_EXIT | (sigreturn ? TARGET_ON_RETURN : 0);
	req.call = SYS_rt_sigreturn;
	req.task = w->task;
	ret = timeline_move(w->r, &req, stop, w->err);
	mem_free(all);
	if (ret < 0)
		return ret;
	if (stop->why == TARGET_AT_BREAK && stop->index >= users) {
		stop->index -= users;
	} else if (stop->why == TARGET_AT_BREAK || stop->why == TARGET_AT_END ||
		   stop->event == TARGET_ON_EXIT) {
		*w->out = *stop;
		if (stop->why == TARGET_AT_EVENT)
			w->out->why = TARGET_AT_END;
		return 0;
	}
	ret = walker_look(w);
	return ret < 0 ? ret : 1;
}

/* Not deeper than the stack pointer in ctx? */
static bool
is_out(void *ctx, struct target *t, uint32_t task)
{
	const uint64_t *rsp = ctx;
	struct regs regs;

	return t->ops->regs(t, task, &regs, NULL) == 0 && regs.rsp >= *rsp;
}

/* It stands in longjmp: on to where that lands. */
static int
land(struct walker *w)
{
	uint64_t rsp = w->regs.rsp;
	int ret = 1;

	for (unsigned i = 0; ret == 1 && i < LANDING_INSNS; i++) {
		struct code c;
		bool jumps = walker_code(w, &c) && c.flow == FLOW_JMP_IND;

		ret = walker_step(w);
		if (ret == 1 && jumps && w->regs.rsp > rsp)
			return 1;
	}
	return ret;
}

/*
 * On to pc in a frame whose stack pointer is rsp or above, unless several
 * frames are left at once. 1: it stands in such a frame; 0: the motion is over.
 */
static int
run_out_to(struct walker *w, uint64_t pc, uint64_t rsp)
{
	struct target_break b[1 + JUMPS_MAX];
	struct target_stop stop;
	int ret;

	do {
		size_t n = 0;

		b[n++] = (struct target_break){ .addr = pc,
						.cond = is_out,
						.ctx = &rsp };
		for (size_t i = 0; i < w->n_jumps; i++)
			b[n++] = (struct target_break){ .addr = w->jumps[i] };
		ret = run(w, b, n, NULL, false, &stop);
		if (ret == 1 && stop.index > 0)
			ret = land(w);
	} while (ret == 1 && w->regs.rsp < rsp);
	return ret;
}

/* Where the lines of main begin, 0 = not known. */
static uint64_t
main_body(struct walker *w)
{
	struct sym_lines fn;
	uint64_t pc, size;

	if (symbols_by_name(w->sym, "main", &pc, &size, NULL) < 0)
		return 0;
	return symbols_lines(w->sym, pc, false, &w->arena, &fn) ? fn.body : pc;
}

/* Out of code without lines into its caller, which may be none; what comes
 * before main leads to main. */
static int
run_out(struct walker *w, uint64_t caller, uint64_t cfa)
{
	struct target_break b[2] = {
		{ .addr = main_body(w) },
		{ .addr = caller, .cond = is_out, .ctx = &cfa },
	};
	struct target_stop stop;

	if (!b[0].addr)
		return caller ? run_out_to(w, caller, cfa)
			      : run(w, b, 0, NULL, false, &stop);
	return run(w, b, caller ? 2 : 1, NULL, false, &stop);
}

/* A handler has begun: on to where it came. */
static int
run_handler(struct walker *w, uint64_t rsp)
{
	struct target_break b[JUMPS_MAX];
	int ret;

	do {
		struct target_stop stop;

		for (size_t i = 0; i < w->n_jumps; i++)
			b[i] = (struct target_break){ .addr = w->jumps[i] };
		ret = run(w, b, w->n_jumps, NULL, true, &stop);
		if (ret == 1 && stop.why == TARGET_AT_BREAK)
			ret = land(w);
	} while (ret == 1 && w->regs.rsp + RED_ZONE < rsp);
	return ret;
}

/* Did a handler begin instead of what the instruction does? */
static bool
is_handler(const struct walker *w, const struct code *c, uint64_t rsp)
{
	uint64_t pc = w->regs.rip;

	if (w->regs.rsp + RED_ZONE >= rsp)
		return false;
	switch ((enum code_flow)c->flow) {
	case FLOW_NEXT:
	case FLOW_EVENT:
		return pc != c->pc && pc != c->pc + c->len;
	case FLOW_JCC:
	case FLOW_LOOP:
	case FLOW_JMP:
	case FLOW_CALL:
		return pc != c->target && pc != c->pc + c->len;
	case FLOW_JMP_IND:
	case FLOW_CALL_IND:
	case FLOW_RET:
		break;
	}
	return true;
}

/* Out of code without lines, and of what called it without any: 1, in code with
 * lines. */
static int
run_to_lines(struct walker *w)
{
	int ret = 1;

	while (ret == 1 && !symbols_has_lines(w->sym, w->regs.rip)) {
		uint64_t cfa = 0, caller = 0;
		bool signal = false;

		walker_frame(w, &cfa, &caller, &signal);
		if (signal) {
			ret = run_handler(w, w->regs.rsp);
			continue;
		}
		ret = run_out(w, caller, cfa);
	}
	return ret;
}

/* ---- into calls */

/* A jump through a slot, as the linkage table has them: the slot, or 0. */
static uint64_t
slot_of(const struct code *c)
{
	int32_t disp;

	if (c->flow != FLOW_JMP_IND || c->disp_at == 0)
		return 0;
	memcpy(&disp, c->bytes + c->disp_at, sizeof(disp));
	return c->pc + c->len + (uint64_t)(int64_t)disp;
}

/* Through an entry of the linkage table, also one that is not bound yet. */
static int
through_stub(struct walker *w, uint64_t back)
{
	struct target_watch slot = { .len = 8 };
	struct target_break b[2] = { { .addr = back } };
	struct target_stop stop;
	struct code c;
	uint64_t to = 0;
	int ret = 1;

	for (unsigned i = 0; ret == 1 && i < STUB_INSNS; i++) {
		if (!walker_code(w, &c) ||
		    (c.flow != FLOW_NEXT && !slot_of(&c)))
			return 1;
		slot.addr = slot_of(&c);
		ret = walker_step(w);
		if (slot.addr)
			break;
	}
	if (ret != 1 || !slot.addr || w->regs.rip - c.pc > 64)
		return ret;
	/* The linker writes the function's address there before it jumps. */
	slot.process = world_puppet(w->r->now, w->task)->group->num;
	ret = run(w, b, 1, &slot, false, &stop);
	if (ret != 1 || stop.why != TARGET_AT_WATCH)
		return ret;
	mem_read(&world_puppet(w->r->now, w->task)->space->mem, slot.addr, &to,
		 sizeof(to));
	b[1].addr = to;
	return run(w, b, 2, NULL, false, &stop);
}

/* At a function's entry: over the making of its frame. */
static int
into_body(struct walker *w)
{
	struct target_break b = { 0 };
	struct target_stop stop;
	struct sym_lines fn;

	if (!symbols_lines(w->sym, w->regs.rip, false, &w->arena, &fn) ||
	    w->regs.rip != fn.entry || fn.body == fn.entry)
		return 1;
	b.addr = fn.body;
	return run(w, &b, 1, NULL, false, &stop);
}

/* It has entered something, which returns to back: 1, it stands where that has
 * lines (*in), or back in the frame. */
static int
into(struct walker *w, uint64_t back, uint64_t rsp, uint64_t call, bool *in)
{
	int ret = 1;

	*in = false;
	if (!symbols_has_lines(w->sym, w->regs.rip))
		ret = through_stub(w, back);
	if (ret != 1 || (w->regs.rip == back && w->regs.rsp >= rsp))
		return ret;
	if (!symbols_has_lines(w->sym, w->regs.rip)) {
		vec_push(&w->quiet, call);
		return run_out_to(w, back, rsp);
	}
	*in = true;
	return into_body(w);
}

/* ---- leaving a line */

struct exits {
	struct target_break v[EXITS_MAX + 1 + JUMPS_MAX];
	size_t n;
	bool full;
};

static void
add_exit(struct walker *w, struct exits *e, uint64_t pc)
{
	for (size_t i = 0; i < e->n; i++) {
		if (e->v[i].addr == pc)
			return;
	}
	e->full |= e->n == EXITS_MAX;
	if (!e->full)
		e->v[e->n++] = (struct target_break){ .addr = pc,
						      .cond = walker_in_frame,
						      .ctx = w };
}

static bool
stays(const struct walker *w, uint64_t pc)
{
	const struct sym_row *row = lines_row(&w->fn, pc);

	return row && row->id == w->id;
}

static bool
is_quiet(const struct walker *w, uint64_t pc)
{
	for (size_t i = 0; i < w->quiet.len; i++) {
		if (w->quiet.v[i] == pc)
			return true;
	}
	return false;
}

static void
exits_of(struct walker *w, struct exits *e, const struct code *c)
{
	uint64_t next = c->pc + c->len;

	switch ((enum code_flow)c->flow) {
	case FLOW_RET:
	case FLOW_JMP_IND:
		add_exit(w, e, c->pc);
		return;
	case FLOW_CALL:
		if (!w->over && !is_quiet(w, c->pc))
			add_exit(w, e, c->pc);
		break;
	case FLOW_CALL_IND:
		if (!w->over)
			add_exit(w, e, c->pc);
		break;
	case FLOW_JCC:
	case FLOW_LOOP:
	case FLOW_JMP:
		if (!stays(w, c->target))
			add_exit(w, e, c->target);
		if (c->flow == FLOW_JMP)
			return;
		break;
	case FLOW_NEXT:
	case FLOW_EVENT:
		break;
	}
	if (!stays(w, next))
		add_exit(w, e, next);
}

static void
exits_of_row(struct walker *w, struct exits *e, const struct sym_row *row)
{
	const struct puppet *p = world_puppet(w->r->now, w->task);

	for (uint64_t pc = row->start; pc < row->end;) {
		struct code c;

		if (!mem_code(&p->space->mem, pc, &c)) {
			e->full = true;
			return;
		}
		exits_of(w, e, &c);
		pc += c.len;
	}
}

/* Run to where the code of the line is left: 1 there, 2: it has too many ways
 * out. */
static int
run_line(struct walker *w)
{
	struct exits e = { .n = 0 };
	struct target_stop stop;
	size_t n;
	int ret;

	for (size_t i = 0; i < w->fn.n; i++) {
		if (w->fn.rows[i].id == w->id)
			exits_of_row(w, &e, &w->fn.rows[i]);
	}
	if (e.full || e.n == 0)
		return 2;
	n = e.n;
	for (size_t i = 0; i < w->n_jumps; i++)
		e.v[n++] = (struct target_break){ .addr = w->jumps[i] };
	ret = run(w, e.v, n, NULL, false, &stop);
	if (ret == 1 && stop.index >= e.n)
		ret = land(w);
	return ret;
}

/* ---- steps */

/* An instruction, or the call that it makes. 1: it goes on; 2: where it stands
 * the step ends; 0: the motion is over. */
static int
advance(struct walker *w)
{
	uint64_t rsp = w->regs.rsp, pc = w->regs.rip;
	struct code c = { 0 };
	bool known = walker_code(w, &c), in = false;
	bool call = known && (c.flow == FLOW_CALL || c.flow == FLOW_CALL_IND);
	int ret;

	if (call && (w->over || is_quiet(w, pc)))
		return run_out_to(w, pc + c.len, rsp);
	ret = walker_step(w);
	if (ret != 1)
		return ret;
	if (known && is_handler(w, &c, rsp))
		return run_handler(w, rsp);
	if (call && w->regs.rip == c.pc + c.len)
		return 1; /* call to the next instruction */
	if (call)
		ret = into(w, pc + c.len, rsp, pc, &in);
	return ret == 1 && in ? 2 : ret;
}

/* Has it left the frame, or does a row of another line begin? 2: the step ends
 * here. */
static int
arrived(struct walker *w)
{
	const struct sym_row *row = lines_row(&w->fn, w->regs.rip);
	uint64_t pc = w->regs.rip;
	int ret;

	if (w->regs.rsp >= w->cfa || !row) {
		/* Out of it, or on by a jump into another function. */
		if (w->regs.rsp < w->cfa && w->over) {
			uint64_t back = 0;

			mem_read(&world_puppet(w->r->now, w->task)->space->mem,
				 w->cfa - 8, &back, sizeof(back));
			if (back)
				ret = run_out_to(w, back, w->cfa);
			else
				ret = 1;
			if (ret != 1)
				return ret;
		}
		ret = run_to_lines(w);
		if (ret == 1)
			ret = into_body(w);
		return ret == 1 ? 2 : ret;
	}
	return pc == row->start && !row->entry && row->id != w->id ? 2 : 1;
}

/* To the next row of another line. */
static int
leave_line(struct walker *w)
{
	int ret = 1;

	for (unsigned n = 0; ret == 1; n++) {
		if (n == ON_FOOT) {
			ret = run_line(w);
			if (ret == 1)
				ret = arrived(w);
			else if (ret == 2)
				ret = 1;
			n = 0;
			if (ret != 1)
				break;
		}
		ret = advance(w);
		if (ret == 1)
			ret = arrived(w);
		if (ret == 1 && tl_tell(w->t, w->err) < 0)
			return -E_CANCELLED;
	}
	return ret;
}

/* A task that is not born yet, or has not executed its program: on to where it
 * has. 1, or 0: the recording ends before. */
static int
await_program(struct walker *w)
{
	for (;;) {
		const struct puppet *p = world_puppet(w->r->now, w->task);
		int ret;

		if (p && p->pid && p->space)
			return 1;
		ret = replayer_peek(w->r, w->err);
		if (ret > 0)
			ret = replayer_advance(w->r, w->err);
		if (ret == 0)
			return tl_done(w->t, TARGET_AT_END, w->out);
		if (ret > 0)
			ret = tl_tell(w->t, w->err);
		if (ret < 0)
			return ret;
	}
}

/* On past a frame's making, or out of code without lines. */
static int
begin(struct walker *w)
{
	int ret = await_program(w);

	if (ret == 1)
		ret = walker_look(w) < 0 ? -E_NOT_FOUND : 1;
	if (ret != 1)
		return ret;
	ret = walker_enter(w);
	if (ret == 1)
		return leave_line(w);
	ret = run_to_lines(w);
	return ret == 1 ? 2 : ret;
}

static int
ended(struct walker *w, int ret)
{
	walker_release(w);
	if (ret < 0)
		return ret;
	return ret == 0 ? 0 : tl_done(w->t, TARGET_AT_STEP, w->out);
}

int
tl_line(struct timeline *t, bool over, struct target_stop *out, struct err *err)
{
	struct walker w;

	walker_init(&w, t, over, out, err);
	return ended(&w, begin(&w));
}

int
tl_finish(struct timeline *t, struct target_stop *out, struct err *err)
{
	uint64_t cfa, caller;
	struct walker w;
	bool signal;
	int ret;

	walker_init(&w, t, true, out, err);
	ret = walker_look(&w);
	if (ret == 0 && !walker_frame(&w, &cfa, &caller, &signal))
		ret = err_set(err, E_NOT_FOUND,
			      "what called this cannot be told here");
	if (ret == 0 && !signal && !caller)
		ret = err_set(err, E_NOT_FOUND, "nothing has called this");
	if (ret == 0)
		ret = signal ? run_handler(&w, w.regs.rsp)
			     : run_out_to(&w, caller, cfa);
	return ended(&w, ret);
}

/* Rows further down that end it, as places to stop. */
static bool
rows_below(struct walker *w, struct exits *e, uint64_t pc)
{
	for (size_t i = 0; i < w->fn.n; i++) {
		const struct sym_row *row = &w->fn.rows[i];

		if (row->start > pc && row->id != w->id && !row->entry)
			add_exit(w, e, row->start);
	}
	return !e->full;
}

int
tl_until(struct timeline *t, struct target_stop *out, struct err *err)
{
	struct target_stop stop;
	struct exits e = { 0 };
	uint64_t pc, caller, back;
	struct walker w;
	bool signal;
	int ret;

	walker_init(&w, t, true, out, err);
	ret = walker_look(&w);
	if (ret < 0)
		return ended(&w, ret);
	pc = w.regs.rip;
	back = w.regs.rsp;
	if (walker_enter(&w) != 1 || !rows_below(&w, &e, pc) ||
	    !walker_frame(&w, &back, &caller, &signal)) {
		/* Line by line, until it is not further up. */
		uint64_t cfa = w.cfa;

		do {
			ret = begin(&w);
			if (ret == 2)
				ret = walker_look(&w) < 0 ? -E_NOT_FOUND : 2;
		} while (ret == 2 && w.regs.rip <= pc && w.regs.rsp < cfa);
		return ended(&w, ret);
	}
	e.v[e.n++] = (struct target_break){ .addr = caller,
					    .cond = is_out,
					    .ctx = &back };
	for (size_t i = 0; i < w.n_jumps; i++)
		e.v[e.n + i] = (struct target_break){ .addr = w.jumps[i] };
	ret = run(&w, e.v, e.n + w.n_jumps, NULL, false, &stop);
	if (ret == 1 && stop.index >= e.n)
		ret = land(&w);
	if (ret == 1)
		ret = run_to_lines(&w);
	return ended(&w, ret);
}
