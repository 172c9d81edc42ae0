/*
 * Calls as they nest. A frame is known by where its return address lies (sp at
 * the entry) and what that is. Stacks grow down: a call that began deeper, on
 * the same stack, than where the task now stands is over, returned or not.
 */
#include "replayer/survey_priv.h"

#include "sym/calls.h"
#include "tracee/maps.h"
#include "tracee/ptrace.h"

#define CALL_LEN 5u /* e8 and where to, relative */

struct survey_task *
survey_task(struct survey *t, uint32_t task)
{
	struct survey_task *k = map_get(&t->tasks, task);

	if (!k) {
		k = mem_zalloc(sizeof(*k));
		k->task = task;
		map_set(&t->tasks, task, k);
	}
	return k;
}

static void
frame_release(struct frame *f)
{
	mem_free((char *)(uintptr_t)f->c.arguments);
	mem_free((char *)(uintptr_t)f->c.result);
	f->c.arguments = f->c.result = NULL;
}

void
frames_clear(struct frames *f)
{
	for (size_t i = 0; i < f->len; i++)
		frame_release(&f->v[i]);
	vec_clear(f);
}

void
survey_task_free(struct survey_task *k)
{
	frames_clear(&k->frames);
	vec_free(&k->frames);
	mem_free(k);
}

void
addresses_add(struct addresses *a, uint64_t addr)
{
	for (size_t i = 0; i < a->len; i++) {
		if (a->v[i] == addr)
			return;
	}
	vec_push(a, addr);
}

size_t
survey_stop(struct survey *t, uint64_t pc)
{
	struct survey_stop s = { .pc = pc };

	if (!inside_count(&t->r->now->inside, pc, &s.visit))
		s.visit = 0;
	vec_push(&t->stops, s);
	return t->stops.len;
}

/* The end of the mapping that sp points into names the stack. */
static uint64_t
stack_of(struct survey_task *k, const struct puppet *p, uint64_t sp)
{
	struct arena a = { 0 };
	struct vma vma;

	if (sp < k->stack_lo || sp >= k->stack) {
		k->stack_lo = k->stack = 0;
		if (maps_query(p->pid, sp, &a, &vma, NULL) == 0) {
			k->stack_lo = vma.start;
			k->stack = vma.end;
		}
		arena_free(&a);
	}
	return k->stack;
}

/* ---- ends */

static void
end_call(struct survey *t, struct survey_task *k, size_t i, enum survey_end how)
{
	struct frame f = k->frames.v[i];

	vec_remove(&k->frames, i);
	f.c.end = how;
	vec_push(&t->done, f);
}

void
survey_end_calls(struct survey *t, struct survey_task *k, enum survey_end how)
{
	while (k->frames.len > 0)
		end_call(t, k, k->frames.len - 1, how);
}

static const char *
result_text(struct survey *t, struct survey_space *s, const struct puppet *p,
	    uint64_t entry)
{
	struct sym_call c = { .entry = entry, .regs = &p->regs };
	struct arena a = { 0 };
	struct buf x = { 0 };
	const char *text;

	t->task = p->task;
	if (ptrace_get_xstate(p->pid, &x) == 0)
		c.xstate = buf_span(&x);
	text = symbols_result(s->names->sym, &c, &a);
	text = text ? mem_strdup(text) : NULL;
	arena_free(&a);
	buf_free(&x);
	return text;
}

/* Behind a return, at pc: which calls was it of? */
static void
at_return(struct survey *t, struct survey_space *s, struct survey_task *k,
	  const struct puppet *p, size_t *stop)
{
	uint64_t sp = p->regs.rsp, pc = p->regs.rip;
	uint64_t stack = stack_of(k, p, sp);

	for (size_t i = k->frames.len; i-- > 0;) {
		struct frame *f = &k->frames.v[i];

		if (f->c.caller_pc == pc && f->c.sp + 8 == sp) {
			if (*stop == 0)
				*stop = survey_stop(t, pc);
			f->exit_stop = *stop;
			f->c.ret = p->regs.rax;
			f->c.result = result_text(t, s, p, f->c.pc);
			end_call(t, k, i, SURVEY_RETURNED);
		} else if (f->stack == stack && f->c.sp + 8 < sp) {
			end_call(t, k, i, SURVEY_UNWOUND);
		}
	}
}

/* ---- entries */

/* The direct call that ends at ret goes where? 0 = it is none. */
static uint64_t
call_target(const struct puppet *p, uint64_t ret)
{
	uint8_t b[CALL_LEN];
	int32_t rel;

	if (mem_read_all(&p->space->mem, ret - CALL_LEN, b, sizeof(b)) < 0 ||
	    b[0] != 0xe8)
		return 0;
	memcpy(&rel, b + 1, sizeof(rel));
	return ret + (uint64_t)(int64_t)rel;
}

/*
 * The call f lies where the new one does, with the same return address. Did it
 * jump to this one (a tail call), or was it left and the call instruction
 * executed again? When that calls this function only its arrivals tell.
 */
static bool
is_tail_call(struct survey *t, const struct puppet *p, const struct frame *f,
	     size_t function)
{
	uint64_t site = f->c.caller_pc - CALL_LEN, n, before;

	if (call_target(p, f->c.caller_pc) != p->regs.rip)
		return f->c.function != function;
	if (!inside_count(&t->r->now->inside, site, &n)) {
		addresses_add(&t->want, site);
		return false;
	}
	before = f->entry_stop ? f->site_n : 0;
	return n == before;
}

static void
describe(struct survey *t, struct survey_space *s, const struct puppet *p,
	 struct frame *f)
{
	const struct regs *r = &p->regs;
	struct sym_call c = { .entry = r->rip, .regs = r };
	struct arena a = { 0 };
	struct buf x = { 0 };

	t->task = p->task;
	if (ptrace_get_xstate(p->pid, &x) == 0)
		c.xstate = buf_span(&x);
	f->c.args[0] = r->rdi;
	f->c.args[1] = r->rsi;
	f->c.args[2] = r->rdx;
	f->c.args[3] = r->rcx;
	f->c.args[4] = r->r8;
	f->c.args[5] = r->r9;
	f->c.arguments = mem_strdup(symbols_arguments(s->names->sym, &c, &a));
	f->c.place = survey_at(s, r->rip)->place;
	f->c.caller = survey_before(s, f->c.caller_pc)->place;
	arena_free(&a);
	buf_free(&x);
}

static int
at_entry(struct survey *t, struct survey_space *s, struct survey_task *k,
	 const struct puppet *p, size_t function, size_t *stop, struct err *err)
{
	struct frame f = { .c.function = function };
	uint64_t sp = p->regs.rsp;

	f.stack = stack_of(k, p, sp);
	if (mem_read_all(&p->space->mem, sp, &f.c.caller_pc, 8) < 0)
		return err_set(err, E_DIVERGED,
			       "task %u enters 0x%lx without a stack", p->task,
			       p->regs.rip);
	for (size_t i = k->frames.len; i-- > 0;) {
		const struct frame *o = &k->frames.v[i];

		if (o->stack != f.stack || o->c.sp > sp)
			continue;
		if (o->c.sp == sp && o->c.caller_pc == f.c.caller_pc &&
		    is_tail_call(t, p, o, function)) {
			f.c.tail = true;
			break; /* those below are as live as it is */
		}
		end_call(t, k, i, SURVEY_UNWOUND);
	}
	if (*stop == 0)
		*stop = survey_stop(t, p->regs.rip);
	f.entry_stop = *stop;
	f.c.task = p->task;
	f.c.process = p->group->num;
	f.c.depth = (uint32_t)k->frames.len + 1;
	f.c.outer = k->frames.len ? k->frames.v[0].c.outer : t->r->now->seq;
	f.c.pc = p->regs.rip;
	f.c.sp = sp;
	f.how = survey_how(p, f.c.caller_pc);
	if (!inside_count(&t->r->now->inside, f.c.caller_pc - CALL_LEN,
			  &f.site_n))
		f.site_n = 0;
	describe(t, s, p, &f);
	vec_push(&k->frames, f);
	t->entries++;
	return 0;
}

bool
survey_is_site(const struct survey *t, const struct survey_space *s,
	       const struct survey_task *k, uint64_t pc)
{
	for (size_t i = 0; i < s->n_entries && !survey_closing(t); i++) {
		if (s->entry[i].addr == pc)
			return true;
	}
	for (size_t i = k->frames.len; i-- > 0;) {
		if (k->frames.v[i].c.caller_pc == pc)
			return true;
	}
	return false;
}

int
survey_at_site(struct survey *t, struct survey_space *s, struct survey_task *k,
	       struct puppet *p, struct err *err)
{
	size_t stop = 0;

	for (size_t i = 0; i < k->frames.len; i++) {
		if (k->frames.v[i].c.caller_pc == p->regs.rip) {
			at_return(t, s, k, p, &stop);
			break;
		}
	}
	for (size_t i = 0; i < s->n_entries && !survey_closing(t); i++) {
		if (s->entry[i].addr == p->regs.rip)
			return at_entry(t, s, k, p, s->entry[i].function, &stop,
					err);
	}
	return 0;
}

void
survey_inherit(struct survey *t, uint32_t parent, uint32_t child)
{
	struct survey_task *from = map_get(&t->tasks, parent);
	struct survey_task *to;

	if (!from)
		return;
	to = survey_task(t, child);
	for (size_t i = 0; i < from->frames.len; i++) {
		struct frame f = from->frames.v[i];

		/* Its entry is a row of the parent. */
		f.c.arguments = NULL;
		f.c.task = 0;
		vec_push(&to->frames, f);
	}
}
