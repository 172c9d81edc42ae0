/* The replay's side of recordings that never were. */
#include "tests/unit/tui_fake.h"

#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/mem.h"
#include "event/format.h"
#include "event/sys.h"
#include "sym/names.h"

static void
fake_frames(struct tui_moment *m, struct arena *a)
{
	static const char *const names[] = { "parse_line", "read_config",
					     "main", "_start" };
	static const char *const files[] = { "/src/flaky.c", "/src/flaky.c",
					     "/src/main.c", NULL };

	m->n_frames = ARRAY_LEN(names);
	m->frames = arena_alloc(a, m->n_frames * sizeof(*m->frames));
	for (size_t i = 0; i < m->n_frames; i++) {
		struct sym_frame *f = &m->frames[i];

		f->pc = m->regs.rip + i * 0x100;
		f->sp = m->regs.rsp + i * 64;
		f->place.function = names[i];
		f->place.module = "/usr/bin/flaky-test";
		f->place.offset = 4 * (i + 1);
		f->place.file = files[i];
		f->place.line = 100 + 10 * (int)i;
	}
}

static void
fake_code(struct tui_moment *m, struct arena *a)
{
	static const char *const text[] = { "mov rax, qword ptr [rsp + 8]",
					    "syscall", "test eax, eax",
					    "jne 0x401080" };
	const struct sym_frame *f = &m->frames[m->frame];

	m->n_insns = 40;
	m->insn_at = 20;
	m->insns = arena_alloc(a, m->n_insns * sizeof(*m->insns));
	m->insn_places = arena_alloc(a, m->n_insns * sizeof(*m->insn_places));
	for (size_t i = 0; i < m->n_insns; i++) {
		struct sym_insn *insn = &m->insns[i];

		insn->addr = f->pc + 4 * i - 80;
		insn->len = 4;
		snprintf(insn->text, sizeof(insn->text), "%s", text[i % 4]);
		m->insn_places[i] = f->place;
		m->insn_places[i].offset = i < 19 ? 4 * (i + 30) : 4 * (i - 19);
	}
	m->src_frame = m->frame;
	if (!f->place.file)
		return;
	m->src_file = f->place.file;
	m->src_line = f->place.line;
	m->src_first = f->place.line - 20;
	m->n_src = 40;
	m->src = arena_alloc(a, m->n_src * sizeof(*m->src));
	for (size_t i = 0; i < m->n_src; i++) {
		char line[80];

		snprintf(line, sizeof(line), "\tif (step_%zu(line, &rest))", i);
		m->src[i] = arena_strdup(a, line);
	}
}

static void
fake_memory(struct tui_moment *m, const struct tui_moment_req *req,
	    struct arena *a)
{
	m->mem_expr = req->mem_expr ? arena_strdup(a, req->mem_expr) : "rsp";
	m->mem_base = m->regs.rsp;
	if (req->mem_expr && !strncmp(req->mem_expr, "0x", 2))
		m->mem_base = strtoull(req->mem_expr, NULL, 16);
	else if (req->mem_expr && strcmp(req->mem_expr, "rsp") != 0)
		m->mem_note = "no register or symbol is named so";
	if (m->mem_note)
		return;
	m->mem_shift = req->mem_shift;
	m->mem_addr = (m->mem_base & ~15ull) - TUI_MEM_WINDOW / 2 +
		      (uint64_t)req->mem_shift;
	m->mem_len = TUI_MEM_WINDOW;
	m->mem = arena_alloc(a, m->mem_len);
	for (size_t i = 0; i < m->mem_len; i++) {
		uint64_t addr = m->mem_addr + i;

		m->mem[i] = (uint8_t) "flaky memory "[addr % 13];
		if (addr % 16 == 5)
			m->mem[i] = (uint8_t)m->pos.seq;
	}
}

/* A counter that grows with the events, and a list that can be opened. */
static void
fake_vars(struct tui_moment *m, const struct tui_moment_req *req,
	  struct arena *a)
{
	const bool open = req->n_open && !strcmp(req->open[0], "list");
	struct sym_var *v = arena_alloc(a, 4 * sizeof(*v));
	char count[32];

	snprintf(count, sizeof(count), "%" PRIu64, req->pos.seq / 2);
	v[0] = (struct sym_var){ "count",    "count",
				 "long",     arena_strdup(a, count),
				 0x7ffe0010, 8 };
	v[1] = (struct sym_var){ .name = "list",
				 .path = "list",
				 .type = "struct node *",
				 .value = "0x405010",
				 .parts = true,
				 .open = open };
	v[2] = (struct sym_var){ .name = ".value",
				 .path = "list->value",
				 .type = "int",
				 .value = "17",
				 .depth = 1 };
	m->vars_function = "worker";
	m->vars = v;
	m->n_vars = open ? 3 : 2;
}

static int
fake_moment(void *d, const struct tui_moment_req *req,
	    bool (*progress)(void *, uint64_t, uint64_t), void *ctx,
	    struct arena *a, struct tui_moment *m, struct err *err)
{
	static const struct target_map maps[] = {
		{ 0x400000, 0x402000, PROT_READ | PROT_EXEC, MAP_PRIVATE, 0, 1,
		  "/usr/bin/flaky-test" },
		{ 0x7ffd0000, 0x7ffe1000, PROT_READ | PROT_WRITE, MAP_PRIVATE,
		  0, 0, "[stack]" },
	};
	struct fake *f = d;
	struct event ev;

	atomic_fetch_add(&f->moments, 1);
	if (!progress(ctx, 0, req->pos.seq))
		return err_set(err, E_CANCELLED, "cancelled");
	if (f->diverges && req->pos.seq >= f->diverges)
		return err_set(err, E_DIVERGED,
			       "replay diverged at e%" PRIu64
			       ": expected read, found write",
			       f->diverges);
	fake_event(f, req->pos.seq, a, &ev);
	*m = (struct tui_moment){ .pos = req->pos,
				  .frame = req->frame < 4 ? req->frame : 0 };
	m->task = req->task ? req->task : ev.task;
	m->has_regs = true;
	m->regs = (struct regs){ .rip = ev.pc,
				 .rsp = ev.sp,
				 .rax = (uint64_t)ev.ret,
				 .rdi = ev.args[0],
				 .rsi = ev.args[1],
				 .rdx = ev.args[2],
				 .rbp = 0x7ffe0100,
				 .eflags = 0x246,
				 .cs = 0x33,
				 .ss = 0x2b };
	fake_frames(m, a);
	fake_code(m, a);
	fake_memory(m, req, a);
	fake_vars(m, req, a);
	m->maps = arena_dup(a, maps, sizeof(maps));
	m->n_maps = ARRAY_LEN(maps);
	m->n_tasks = 1;
	m->tasks = arena_alloc(a, sizeof(*m->tasks));
	m->tasks[0] = (struct target_task){ .task = 2,
					    .process = 1,
					    .tid = 4712,
					    .alive = true,
					    .in_call = true,
					    .call = SYS_futex,
					    .comm = "w" };
	return 0;
}

static unsigned
fake_bits(unsigned kind)
{
	switch (kind) {
	case EV_syscall:
		return TARGET_ON_CALL | TARGET_ON_RETURN;
	case EV_signal:
		return TARGET_ON_SIGNAL;
	case EV_birth:
		return TARGET_ON_FORK;
	case EV_death:
		return TARGET_ON_EXIT;
	}
	return 0;
}

/* The next event of those that are caught. */
static void
fake_catch(const struct fake *f, uint64_t seq,
	   const struct target_motion_req *req, struct target_stop *out)
{
	struct arena a = { 0 };
	struct event ev;

	out->why = req->back ? TARGET_AT_START : TARGET_AT_END;
	for (seq += req->back ? -1ul : 1; seq >= 1 && seq <= f->events;
	     seq += req->back ? -1ul : 1) {
		unsigned bits;

		fake_event(f, seq, &a, &ev);
		bits = fake_bits(ev.kind) & req->events;
		if (!bits)
			continue;
		*out = (struct target_stop){ .why = TARGET_AT_EVENT,
					     .pos = { .seq = seq },
					     .task = ev.task,
					     .event = bits & -bits };
		break;
	}
	arena_free(&a);
}

/* Steps of each kind are told apart by their length; breakpoints are met in the
 * code behind the events beside, and what is watched is written by them. */
static int
fake_move(void *d, const struct pos *from, const struct target_motion_req *req,
	  struct target_stop *out, struct err *err)
{
	static const uint64_t lengths[] = {
		[TARGET_STEP] = 1,    [TARGET_NEXT] = 2,
		[TARGET_LINE] = 10,   [TARGET_LINE_OVER] = 20,
		[TARGET_FINISH] = 30, [TARGET_UNTIL] = 40,
	};
	struct fake *f = d;
	bool edge = req->back ? from->seq == 1 : from->seq == f->events;

	*out = (struct target_stop){ .pos = *from, .task = req->task };
	if (f->diverges && from->seq >= f->diverges)
		return err_set(err, E_DIVERGED, "replay diverged");
	if (edge) {
		out->why = req->back ? TARGET_AT_START : TARGET_AT_END;
	} else if (req->motion != TARGET_CONTINUE) {
		out->why = TARGET_AT_STEP;
		out->pos.task = req->task;
		if (!req->back)
			out->pos.steps += lengths[req->motion];
		else if (from->steps < lengths[req->motion])
			out->pos = (struct pos){ .seq = from->seq - 1 };
		else
			out->pos.steps -= lengths[req->motion];
	} else if (req->n_breaks && req->breaks[0].addr == FAKE_ENDLESS) {
		out->pos.seq = from->seq + 5;
		while (req->progress(req->ctx, out->pos.seq, f->events))
			sched_yield();
		return err_set(err, E_CANCELLED, "cancelled");
	} else if (req->events && !req->n_breaks) {
		fake_catch(f, from->seq, req, out);
	} else {
		out->pos = (struct pos){ .seq = from->seq + 1 };
		if (req->back)
			out->pos.seq = from->seq - 1 - req->before_write;
		out->task = 1;
		out->why = req->n_breaks ? TARGET_AT_BREAK : TARGET_AT_WATCH;
		out->by_kernel = true;
		out->new[0] = 0x2a;
		if (req->n_breaks) {
			out->pos.task = 1;
			out->pos.pc = req->breaks[0].addr;
			out->pos.visit = 17;
		}
	}
	return 0;
}

static int
fake_places(void *d, const struct pos *at, const char *spec, const char *file,
	    uint64_t *out, size_t max, size_t *n, struct err *err)
{
	(void)d;
	(void)at;
	(void)file;
	(void)max;
	if (!strcmp(spec, "nowhere"))
		return err_set(err, E_NOT_FOUND,
			       "\"%s\" is no function, line or address of the "
			       "program",
			       spec);
	out[0] = 0x401100 + strlen(spec);
	*n = 1;
	return 0;
}

/* A few functions of the program, and thousands of a library. */
static int
fake_names(void *d, const struct tui_names_req *req, struct arena *a,
	   const char ***out, size_t *n, size_t *all, struct err *err)
{
	static const struct {
		const char *name;
		unsigned kind;
	} own[] = {
		{ "main", SYM_FUNCTIONS },
		{ "parse_line", SYM_FUNCTIONS },
		{ "parse_word", SYM_FUNCTIONS },
		{ "parser_count", SYM_VARIABLES },
		{ "parse.c", SYM_FILES },
		{ "list->next", SYM_VARIABLES },
		{ "list->value", SYM_VARIABLES },
	};
	size_t len = strlen(req->prefix);

	(void)d;
	(void)err;
	*n = *all = 0;
	*out = arena_alloc(a, (req->max + 1) * sizeof(**out));
	for (size_t i = 0; i < 5000 + ARRAY_LEN(own); i++) {
		const char *name;
		char text[32];
		unsigned kind = SYM_FUNCTIONS;

		snprintf(text, sizeof(text), "lib_%04zu",
			 i < ARRAY_LEN(own) ? 0 : i - ARRAY_LEN(own));
		name = i < ARRAY_LEN(own) ? own[i].name : arena_strdup(a, text);
		kind = i < ARRAY_LEN(own) ? own[i].kind : kind;
		if (!(req->kinds & kind) || strncmp(name, req->prefix, len) ||
		    (strstr(name, "->") && !strstr(req->prefix, "->")))
			continue;
		if (*n < req->max)
			(*out)[(*n)++] = name;
		++*all;
	}
	return 0;
}

static int
fake_variable(void *d, const struct tui_moment_req *at, const char *expr,
	      struct arena *a, struct sym_var *out, struct err *err)
{
	(void)d;
	if (!strcmp(expr, "nothing"))
		return err_set(err, E_NOT_FOUND, "there is no \"nothing\"");
	*out = (struct sym_var){ .name = expr, .path = expr };
	if (!strncmp(expr, "0x", 2)) {
		out->counts = true;
		out->number = strtoll(expr, NULL, 16);
		out->value = arena_strdup(a, expr);
		return 0;
	}
	out->type = "long";
	out->value = arena_strdup(a, at->pos.seq % 2 ? "1" : "0");
	out->addr = 0x404010;
	out->size = 8;
	return 0;
}

static int
fake_find_event(void *d, uint64_t seq, struct arena *a, struct event *out,
		struct err *err)
{
	(void)err;
	fake_event(d, seq, a, out);
	return 0;
}

static bool
fake_holds(void *d, uint32_t task, const char *cond)
{
	(void)d;
	(void)task;
	return strcmp(cond, "0") != 0;
}

static void
close_replay(void *d)
{
	fake_query.close(d);
}

const struct tui_replay_ops fake_replay = {
	.places = fake_places,
	.names = fake_names,
	.variable = fake_variable,
	.holds = fake_holds,
	.move = fake_move,
	.event = fake_find_event,
	.moment = fake_moment,
	.close = close_replay,
};
