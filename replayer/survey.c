/*
 * The way through a recording with places watched.
 *
 *	for each event: its interval, with stops; what the kernel writes
 *
 *	interval: run, handle each stop
 *	   a stop has no name? back to its beginning, count there, run again
 *	   all have: rows are given
 *
 * Running it again meets the same stops in the same order.
 */
#include "replayer/survey_priv.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "base/clock.h"

#define TELL_NS 50000000u
#define STORE_NS 1000000000u
#define STORE_ROWS 20000u
#define CALL_LEN 5u
#define RERUNS_MAX 64u

/*
 * Stubs are dear to put in place, breakpoints to run into: while stops come one
 * after the other all that is counted has breakpoints, until so many arrivals.
 */
#define COLD_VISITS 250u
#define COLD_NS 2000000u

static int
tell(struct survey *t, struct err *err)
{
	const struct survey_req *q = t->req;
	uint64_t now = clock_now_ns();

	if (!q->progress || now - t->told_ns < TELL_NS)
		return 0;
	t->told_ns = now;
	if (q->progress(q->ctx, t->r->now->seq, t->to))
		return 0;
	return err_set(err, E_CANCELLED, "stopped at e%lu", t->r->now->seq);
}

/* ---- rows */

static int
give_call(struct survey *t, struct survey_call *c, struct err *err)
{
	int ret;

	if (c->task == 0)
		return 0; /* inherited: its parent's */
	ret = t->req->sink.call(t->req->sink.ctx, c, err);
	c->stored = true;
	t->given++;
	return ret;
}

/* All up to here is found; calls that are open are given as such. */
static int
give_upto(struct survey *t, struct err *err)
{
	uint64_t key, seq = t->r->now->seq;
	size_t it = 0;
	void *val;
	int ret = 0;

	while (ret == 0 && map_next(&t->tasks, &it, &key, &val)) {
		struct survey_task *k = val;

		for (size_t i = 0; ret == 0 && i < k->frames.len; i++) {
			if (!k->frames.v[i].c.stored)
				ret = give_call(t, &k->frames.v[i].c, err);
		}
	}
	if (seq > t->to)
		seq = t->to;
	if (ret == 0)
		ret = t->req->sink.upto(t->req->sink.ctx, seq, err);
	if (ret == 0)
		t->out->upto = seq;
	t->given = 0;
	t->stored_ns = clock_now_ns();
	return ret;
}

static int
give_done(struct survey *t, struct err *err)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < t->done.len; i++)
		ret = give_call(t, &t->done.v[i].c, err);
	frames_clear(&t->done);
	return ret;
}

static void
name_stop(const struct survey *t, size_t stop, struct pos *pos, uint32_t *nth)
{
	const struct survey_stop *s;

	if (stop == 0)
		return;
	s = &t->stops.v[stop - 1];
	*pos = (struct pos){ .seq = t->r->now->seq,
			     .task = t->r->now->inside.task,
			     .pc = s->pc,
			     .visit = s->visit };
	*nth = (uint32_t)stop;
}

static void
name_frame(const struct survey *t, struct frame *f)
{
	name_stop(t, f->entry_stop, &f->c.entry, &f->c.entry_nth);
	name_stop(t, f->exit_stop, &f->c.exit, &f->c.exit_nth);
	f->entry_stop = f->exit_stop = 0;
}

/* Every stop has a name: the interval is done. */
static int
give_interval(struct survey *t, struct survey_task *k, struct err *err)
{
	int ret = 0;

	for (size_t i = 0; i < t->done.len; i++)
		name_frame(t, &t->done.v[i]);
	for (size_t i = 0; i < k->frames.len; i++)
		name_frame(t, &k->frames.v[i]);
	for (size_t i = 0; ret == 0 && i < t->writes.len; i++) {
		struct survey_found *f = &t->writes.v[i];

		name_stop(t, f->stop, &f->w.pos, &f->w.nth);
		ret = t->req->sink.write(t->req->sink.ctx, &f->w, err);
		t->out->writes++;
		t->given++;
	}
	t->out->calls += t->entries;
	return ret < 0 ? ret : give_done(t, err);
}

/* ---- one run of an interval */

static int
stop_at(struct spec *s, uint64_t pc, enum tally_how how, bool hot)
{
	struct tally_site *site = tally_site(&s->tally, pc);

	if (!site)
		return 0;
	site->stop = 1;
	site->how = how == TALLY_INT3 && hot ? TALLY_STUB : how;
	return 1;
}

/* Returns from the innermost calls first: others come later. */
static void
put_returns(struct spec *s, const struct survey_task *k, bool hot)
{
	uint64_t last = 0;
	size_t looked = 0;

	for (size_t i = k->frames.len; i-- > 0 && looked < 256;) {
		const struct frame *f = &k->frames.v[i];

		if (f->how == TALLY_OFF || f->c.caller_pc == last)
			continue;
		last = f->c.caller_pc;
		looked++;
		if (s->tally.n + 1 >= TALLY_MAX ||
		    !stop_at(s, last, f->how, hot))
			return;
	}
}

static int
put_sites(struct survey *t, const struct survey_space *sp,
	  const struct survey_task *k, struct spec *s, bool hot)
{
	const struct inside *in = &t->r->now->inside;

	for (size_t i = 0; i < in->counts.len; i++) {
		struct tally_site *site =
			tally_site(&s->tally, in->counts.v[i].pc);

		if (!site)
			return -E_UNSUPPORTED;
		if (!hot) {
			site->how = TALLY_INT3;
			site->stop = COLD_VISITS;
		}
	}
	for (size_t i = 0; i < sp->n_entries && !survey_closing(t); i++)
		stop_at(s, sp->entry[i].addr, sp->entry[i].how, hot);
	for (size_t i = 0; i < sp->n_watch && !survey_closing(t); i++)
		s->watch[s->n_watch++] = sp->watch[i];
	s->slice_ns = timeline_slice(t->r);
	if (inside_add_end(t->r, s) < 0)
		return -E_UNSUPPORTED;
	put_returns(s, k, hot);
	return 0;
}

/*
 * Which of the watched bytes: from the first piece to the last that trapped or
 * is another now. A repeated instruction traps at its first piece only.
 */
static void
touched(const struct survey_space *s, unsigned hits, const uint8_t *old,
	const uint8_t *new, uint32_t *from, uint32_t *len)
{
	uint64_t start = UINT64_MAX, end = 0;

	for (size_t i = 0; i < s->n_watch; i++) {
		const struct spec_watch *w = &s->watch[i];
		size_t at = w->addr - s->addr;

		if (!(hits >> i & 1) && memcmp(old + at, new + at, w->len) == 0)
			continue;
		start = w->addr < start ? w->addr : start;
		end = w->addr + w->len > end ? w->addr + w->len : end;
	}
	*from = (uint32_t)(start - s->addr);
	*len = (uint32_t)(end - start);
}

/* A call instruction may have written its return address. */
static uint64_t
writing_call(const struct puppet *p, const struct survey_space *s)
{
	uint64_t ret, sp = p->regs.rsp;
	uint8_t b[CALL_LEN];
	int32_t rel;

	if (sp + 8 <= s->addr || sp >= s->addr + s->len ||
	    mem_read_all(&p->space->mem, sp, &ret, 8) < 0 ||
	    mem_read_all(&p->space->mem, ret - CALL_LEN, b, sizeof(b)) < 0 ||
	    b[0] != 0xe8)
		return 0;
	memcpy(&rel, b + 1, sizeof(rel));
	return ret + (uint64_t)(int64_t)rel == p->regs.rip ? ret : 0;
}

static void
written(struct survey *t, struct survey_space *s, const struct puppet *p,
	unsigned hits)
{
	struct survey_found f = { .stop = survey_stop(t, p->regs.rip) };
	const struct survey_at *at;
	uint64_t ret = writing_call(p, s);
	uint8_t new[SURVEY_PASS];
	uint32_t from, len;

	memcpy(new, t->value, sizeof(new));
	mem_read(&p->space->mem, s->addr, new, s->len);
	touched(s, hits, t->value, new, &from, &len);
	t->task = p->task;
	at = survey_before(s, ret ? ret : p->regs.rip);
	f.w = (struct survey_write){ .task = p->task,
				     .process = p->group->num,
				     .insn = at->insn,
				     .place = at->place,
				     .addr = s->addr + from,
				     .len = len };
	memcpy(f.w.old, t->value + from, len);
	memcpy(f.w.new, new + from, len);
	memcpy(t->value, new, sizeof(new));
	vec_push(&t->writes, f);
}

/* What it stands at, out of many stops: 1 = the interval is over. */
static int
handle(struct survey *t, struct survey_space *sp, struct survey_task *k,
       struct puppet *p, const struct spec *s, struct err *err)
{
	int ret = 0;

	t->r->now->inside.unnamed = true;
	if (s->end == SPEC_WATCH)
		written(t, sp, p, s->hits);
	if (survey_is_site(t, sp, k, p->regs.rip))
		ret = survey_at_site(t, sp, k, p, err);
	if (ret == 0 && inside_at_end(t->r, p->regs.rip))
		return 1;
	return ret < 0 ? ret : tell(t, err);
}

/* From where it stands to the end of the interval. */
static int
run(struct survey *t, struct survey_space *sp, struct survey_task *k,
    struct puppet *p, struct err *err)
{
	struct replayer *r = t->r;
	bool hot = true;
	int ret = 0;

	while (ret == 0) {
		struct spec s = { .n_watch = 0 };
		uint64_t began = clock_now_ns();

		ret = put_sites(t, sp, k, &s, hot);
		if (ret < 0)
			return err_set(err, -ret, "too many addresses");
		r->work_mark = began;
		ret = spec_go(r, p, &s, err);
		replayer_worked(r);
		if (ret < 0)
			return ret;
		if (s.end == SPEC_HALT)
			return 0;
		hot = clock_now_ns() - began > COLD_NS;
		ret = handle(t, sp, k, p, &s, err);
	}
	return ret < 0 ? ret : 0;
}

/* ---- names for stops */

/* Count at these from the beginning, as far as there is room. */
static void
track(struct survey *t, const struct addresses *a)
{
	const struct inside *in = &t->r->now->inside;

	for (size_t i = a->len; i-- > 0 && in->counts.len < SURVEY_COUNTED;)
		inside_track(t->r, a->v[i]);
}

/* Stops that the other runs named; addresses that this one could not. */
static bool
all_named(struct survey *t, const struct survey_stop *known, size_t n,
	  struct addresses *todo)
{
	uint64_t c;

	vec_clear(todo);
	for (size_t i = 0; i < t->stops.len; i++) {
		struct survey_stop *s = &t->stops.v[i];

		if (s->visit == 0 && i < n && known[i].pc == s->pc)
			s->visit = known[i].visit;
		if (s->visit == 0)
			addresses_add(todo, s->pc);
	}
	for (size_t i = 0; i < t->want.len; i++) {
		if (!inside_count(&t->r->now->inside, t->want.v[i], &c))
			addresses_add(todo, t->want.v[i]);
	}
	return todo->len == 0;
}

/* Copies own their texts, as the originals do. */
static void
copy_frames(struct frames *to, const struct frames *from)
{
	frames_clear(to);
	for (size_t i = 0; i < from->len; i++) {
		struct frame f = from->v[i];

		if (f.c.arguments)
			f.c.arguments = mem_strdup(f.c.arguments);
		if (f.c.result)
			f.c.result = mem_strdup(f.c.result);
		vec_push(to, f);
	}
}

static void
forget_run(struct survey *t)
{
	vec_clear(&t->stops);
	vec_clear(&t->writes);
	vec_clear(&t->want);
	frames_clear(&t->done);
	t->entries = 0;
}

static int
begin(struct survey *t, struct survey_space *s, struct survey_task *k,
      struct puppet *p, const struct addresses *todo, struct err *err)
{
	forget_run(t);
	for (size_t i = 0; i < s->n_entries && !survey_closing(t); i++)
		inside_track(t->r, s->entry[i].addr);
	if (todo)
		track(t, todo);
	track(t, &s->learned);
	if (s->len)
		mem_read(&p->space->mem, s->addr, t->value, s->len);
	/* The event may have put it where a call begins. */
	if (p->arrived && survey_is_site(t, s, k, p->regs.rip))
		return survey_at_site(t, s, k, p, err);
	return 0;
}

static int
again(struct survey *t, struct puppet **p, struct err *err)
{
	uint64_t seq = t->r->now->seq;
	int ret = replayer_seek(t->r, seq, NULL, NULL, err);

	if (ret == 0)
		ret = inside_enter(t->r, p, err);
	if (ret == 0)
		ret = err_set(err, E_DIVERGED,
			      "the code after e%lu does not run again", seq);
	return ret < 0 ? ret : 0;
}

static int
trace_named(struct survey *t, struct survey_space *s, struct survey_task *k,
	    struct puppet *p, struct addresses *todo, struct err *err)
{
	struct survey_stop *known = NULL;
	size_t n = 0;
	int ret = 0;

	copy_frames(&t->saved, &k->frames);
	for (unsigned runs = 0; ret == 0; runs++) {
		ret = begin(t, s, k, p, runs ? todo : NULL, err);
		if (ret == 0)
			ret = run(t, s, k, p, err);
		if (ret < 0 || all_named(t, known, n, todo))
			break;
		if (runs == RERUNS_MAX) {
			ret = err_set(err, E_UNSUPPORTED,
				      "after e%lu more addresses are reached "
				      "than can be counted",
				      t->r->now->seq);
			break;
		}
		for (size_t i = 0; i < todo->len; i++)
			addresses_add(&s->learned, todo->v[i]);
		known = mem_realloc(known, (t->stops.len + 1) * sizeof(*known));
		n = t->stops.len;
		if (n)
			memcpy(known, t->stops.v, n * sizeof(*known));
		ret = again(t, &p, err);
		copy_frames(&k->frames, &t->saved);
	}
	mem_free(known);
	if (ret < 0) {
		/* What it found so far is not complete. */
		copy_frames(&k->frames, &t->saved);
		forget_run(t);
	}
	return ret;
}

/* The interval before event r->peek, in which p runs. */
static int
trace_interval(struct survey *t, struct puppet *p, struct err *err)
{
	struct survey_task *k = survey_task(t, p->task);
	struct addresses todo = { 0 };
	struct survey_space *s;
	bool any;
	int ret = survey_space(t, p, &s, err);

	if (ret < 0)
		return ret;
	any = (s->n_entries > 0 || s->n_watch > 0) && !survey_closing(t);
	if (!any && k->frames.len == 0)
		return 0;
	ret = inside_enter(t->r, &p, err);
	if (ret <= 0)
		return ret;
	ret = trace_named(t, s, k, p, &todo, err);
	vec_free(&todo);
	return ret < 0 ? ret : give_interval(t, k, err);
}

/* ---- events */

/* What an event may write, in the space of its task. */
struct kernel {
	uint32_t space, task, process;
	uint64_t pc;
	bool readable, told;
	uint8_t old[SURVEY_PASS];
};

static bool
overlaps(const struct survey_space *s, uint64_t addr, uint64_t len)
{
	return addr < s->addr + s->len && s->addr < addr + len;
}

static void
before_event(struct survey *t, const struct event *ev, struct kernel *k)
{
	const struct puppet *p = world_puppet(t->r->now, ev->task);
	const struct survey_space *s;
	struct item_reader ir;
	struct item it;

	*k = (struct kernel){ 0 };
	if (!p || !p->pid || !p->space || ev->kind == EV_exec ||
	    survey_closing(t))
		return;
	k->space = p->space->num;
	k->task = p->task;
	k->process = p->group->num;
	k->pc = ev->pc;
	s = map_get(&t->spaces, k->space);
	if (!s || s->len == 0)
		return;
	k->readable = mem_read(&p->space->mem, s->addr, k->old, s->len) ==
		      (ssize_t)s->len;
	item_reader_init(&ir, ev->payload);
	while (item_next(&ir, &it, NULL) > 0) {
		if ((it.kind == ITEM_MEM || it.kind == ITEM_MEM_BLOB ||
		     it.kind == ITEM_ZERO) &&
		    overlaps(s, it.addr, it.len))
			k->told = true;
	}
}

static int
after_event(struct survey *t, const struct kernel *k, struct err *err)
{
	struct survey_space *s = map_get(&t->spaces, k->space);
	const struct space *space = map_get(&t->r->now->spaces, k->space);
	struct survey_write w = { .by_kernel = true };
	const struct survey_at *at;

	if (!k->readable || !s || !space || s->len == 0 ||
	    mem_read(&space->mem, s->addr, w.new, s->len) != (ssize_t)s->len ||
	    (!k->told && memcmp(w.new, k->old, s->len) == 0))
		return 0;
	memcpy(w.old, k->old, s->len);
	w.pos = (struct pos){ .seq = t->r->now->seq, .task = k->task };
	w.task = k->task;
	w.process = k->process;
	w.addr = s->addr;
	w.len = s->len;
	w.insn = k->pc;
	if (k->pc && s->names) {
		t->task = k->task;
		at = survey_at(s, k->pc);
		w.place = at->place;
	}
	t->out->writes++;
	t->given++;
	return t->req->sink.write(t->req->sink.ctx, &w, err);
}

/* Calls that an event ends or copies. */
static void
follow_calls(struct survey *t, const struct event *ev, uint32_t space)
{
	struct survey_task *k;

	if (ev->kind == EV_birth && ev->args[2] != 0 && ev->args[4] != space)
		survey_inherit(t, (uint32_t)ev->args[2], ev->task);
	k = map_get(&t->tasks, ev->task);
	if (k && (ev->kind == EV_exec || ev->kind == EV_death))
		survey_end_calls(t, k,
				 ev->kind == EV_exec ? SURVEY_EXECED
						     : SURVEY_DIED);
}

/* The space that a child comes from, or that the event is in. */
static uint32_t
space_of(const struct survey *t, const struct event *ev)
{
	uint32_t task = ev->kind == EV_birth ? (uint32_t)ev->args[2] : ev->task;
	const struct puppet *p = world_puppet(t->r->now, task);

	return p && p->space ? p->space->num : 0;
}

static int
trace_event(struct survey *t, struct err *err)
{
	struct event ev = t->r->peek;
	uint32_t space = space_of(t, &ev);
	struct kernel k;
	int ret;

	before_event(t, &ev, &k);
	ev.payload = (struct span){ 0 };
	ret = replayer_advance(t->r, err);
	if (ret <= 0)
		return ret < 0 ? ret : err_set(err, E_FORMAT, "no event");
	survey_remapped(t, &ev, space);
	follow_calls(t, &ev, space);
	ret = after_event(t, &k, err);
	return ret < 0 ? ret : give_done(t, err);
}

/* ---- all of it */

static void
take_open(struct survey *t)
{
	for (size_t i = 0; i < t->req->n_open; i++) {
		struct frame f = { .c = t->req->open[i], .how = TALLY_INT3 };
		struct survey_task *k = survey_task(t, f.c.task);
		const struct puppet *p = world_puppet(t->r->now, f.c.task);
		struct arena a = { 0 };
		struct vma vma;

		if (!p || !p->pid)
			continue;
		if (f.c.arguments)
			f.c.arguments = mem_strdup(f.c.arguments);
		if (maps_query(p->pid, f.c.sp, &a, &vma, NULL) == 0)
			f.stack = vma.end;
		arena_free(&a);
		f.c.stored = true;
		vec_push(&k->frames, f);
	}
}

static bool
is_any_open(const struct survey *t)
{
	uint64_t key;
	size_t it = 0;
	void *val;

	while (map_next(&t->tasks, &it, &key, &val)) {
		if (((struct survey_task *)val)->frames.len > 0)
			return true;
	}
	return false;
}

static bool
is_over(struct survey *t)
{
	uint64_t seq = t->r->now->seq;

	if (seq < t->to)
		return false;
	if (t->to < t->req->limit && is_any_open(t)) {
		t->to = seq + 1;
		return false;
	}
	return seq >= t->req->follow || !is_any_open(t);
}

static int
trace_all(struct survey *t, struct err *err)
{
	struct replayer *r = t->r;
	int ret = 0;

	while (ret == 0 && !is_over(t)) {
		struct puppet *p;

		ret = replayer_peek(r, err);
		if (ret <= 0)
			break;
		p = world_puppet(r->now, r->peek.task);
		ret = 0;
		if ((r->peek.flags & EVF_RUNS) &&
		    !(r->peek.flags & EVF_UNTIMED) && p && p->pid && p->space)
			ret = trace_interval(t, p, err);
		/* It may have been run again: the event is read anew. */
		if (ret == 0)
			ret = replayer_peek(r, err) < 0 ? -E_FORMAT : 0;
		if (ret == 0)
			ret = trace_event(t, err);
		if (ret == 0)
			ret = tell(t, err);
		if (ret == 0 && (t->given >= STORE_ROWS ||
				 clock_now_ns() - t->stored_ns > STORE_NS))
			ret = give_upto(t, err);
	}
	return ret;
}

static void
release(struct survey *t)
{
	size_t it = 0;
	uint64_t key;
	void *val;

	while (map_next(&t->spaces, &it, &key, &val))
		survey_space_free(val);
	it = 0;
	while (map_next(&t->tasks, &it, &key, &val))
		survey_task_free(val);
	map_free(&t->spaces);
	map_free(&t->tasks);
	forget_run(t);
	frames_clear(&t->saved);
	vec_free(&t->saved);
	vec_free(&t->done);
	vec_free(&t->stops);
	vec_free(&t->writes);
	vec_free(&t->want);
}

int
survey_run(struct replayer *r, const struct survey_req *req,
	   struct survey_result *out, struct err *err)
{
	struct survey t = { .r = r, .req = req, .to = req->to, .out = out };
	struct err later = { 0 };
	int ret, rc;

	*out = (struct survey_result){ .upto = req->from, .passes = 1 };
	if (req->n_functions > SURVEY_FUNCTIONS)
		return err_set(err, E_UNSUPPORTED,
			       "%zu functions; %u at a time are possible",
			       req->n_functions, SURVEY_FUNCTIONS);
	ret = replayer_seek(r, req->from, req->progress, req->ctx, err);
	if (ret < 0)
		return ret;
	take_open(&t);
	t.stored_ns = clock_now_ns();
	ret = trace_all(&t, err);
	rc = give_upto(&t, ret < 0 ? &later : err);
	release(&t);
	return ret < 0 ? ret : rc;
}
