#include "tui/look_priv.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/vec.h"
#include "replayer/target_sym.h"
#include "sym/names.h"

#define FRAMES_MAX 128
#define LINES_AROUND 100
#define CODE_BEFORE 60

struct look *
look_new(struct target *t)
{
	struct look *l = mem_zalloc(sizeof(*l));

	l->t = t;
	return l;
}

void
look_free(struct look *l)
{
	size_t it = 0;
	uint64_t key;
	void *value;

	if (!l)
		return;
	while (map_next(&l->spaces, &it, &key, &value)) {
		struct space *s = value;

		symbols_free(s->sym);
		buf_free(&s->maps);
		mem_free(s);
	}
	map_free(&l->spaces);
	mem_free(l);
}

static int64_t
read_memory(void *ctx, uint64_t addr, void *out, size_t n)
{
	struct space *s = ctx;
	struct target *t = s->look->t;

	return t->ops->read(t, s->task, addr, out, n);
}

struct space *
look_space(struct look *l, uint32_t space, uint32_t task)
{
	struct space *s = map_get(&l->spaces, space);

	if (!s) {
		s = mem_zalloc(sizeof(*s));
		s->look = l;
		s->sym = symbols_new(
			&(struct sym_ops){ .read = read_memory, .ctx = s });
		map_set(&l->spaces, space, s);
	}
	s->task = task;
	return s;
}

int
look_tell_maps(struct space *s, const struct tui_moment *m, struct arena *a,
	       struct err *err)
{
	struct sym_map *v = target_sym_maps(s->look->t, m->maps, m->n_maps, a);
	struct buf seen = { 0 };
	int rc = 0;

	for (size_t i = 0; i < m->n_maps; i++) {
		buf_printf(&seen, "%" PRIx64 " %" PRIx64 " %" PRIx64 " %s\n",
			   v[i].start, v[i].end, v[i].offset,
			   v[i].path ? v[i].path : "");
	}
	if (!span_eq(buf_span(&seen), buf_span(&s->maps)) || !m->n_maps) {
		rc = symbols_set_maps(s->sym, v, m->n_maps, err);
		buf_free(&s->maps);
		s->maps = seen;
		seen = (struct buf){ 0 };
	}
	buf_free(&seen);
	return rc;
}

/* ---- addresses by name */

static bool
register_value(const struct regs *regs, const char *name, uint64_t *out)
{
	static const struct {
		const char *name, *is;
	} others[] = { { "pc", "rip" }, { "sp", "rsp" }, { "fp", "rbp" } };

	if (*name == '$')
		name++;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (!strcmp(name, others[i].name))
			name = others[i].is;
	for (size_t i = 0; reg_table[i].name; i++) {
		if (strcmp(name, reg_table[i].name) != 0)
			continue;
		*out = regs_get(regs, i);
		return true;
	}
	return false;
}

static int
term_value(const char *term, const struct regs *regs,
	   int (*by_name)(void *ctx, const char *name, uint64_t *out),
	   void *ctx, uint64_t *out, struct err *err)
{
	char *end;

	if (isdigit((uint8_t)*term)) {
		*out = strtoull(term, &end, 0);
		return *end ? err_set(err, E_USAGE, "%s is no number", term)
			    : 0;
	}
	if (regs && register_value(regs, term, out))
		return 0;
	if (*term && by_name && by_name(ctx, term, out) >= 0)
		return 0;
	return err_set(err, E_USAGE, "no register or symbol is named \"%s\"",
		       term);
}

int
look_value(const char *expr, const struct regs *regs,
	   int (*by_name)(void *ctx, const char *name, uint64_t *out),
	   void *ctx, uint64_t *out, struct err *err)
{
	uint64_t sum = 0;
	char sign = '+';
	int rc = 0;

	do {
		size_t len;
		uint64_t v = 0;
		char *term;

		expr += strspn(expr, " ");
		len = strcspn(expr, "+- ");
		term = mem_printf("%.*s", (int)len, expr);
		rc = term_value(term, regs, by_name, ctx, &v, err);
		mem_free(term);
		if (rc < 0)
			return rc;
		sum = sign == '+' ? sum + v : sum - v;
		expr += len;
		expr += strspn(expr, " ");
		sign = *expr;
	} while (*expr && (sign == '+' || sign == '-') && *++expr);
	if (sign)
		return err_set(err, E_USAGE,
			       "an address is a register, symbol or number, "
			       "with + or -");
	*out = sum;
	return 0;
}

static int
symbol_value(void *ctx, const char *name, uint64_t *out)
{
	struct space *s = ctx;
	uint64_t size;

	return symbols_by_name(s->sym, name, out, &size, NULL);
}

/* ---- parts of a moment */

/* The readable addresses around addr without a gap; false: none there. */
static bool
readable_around(const struct tui_moment *m, uint64_t addr, uint64_t *lo,
		uint64_t *hi)
{
	size_t at = 0, first, last;

	while (at < m->n_maps &&
	       (addr < m->maps[at].start || addr >= m->maps[at].end))
		at++;
	if (at == m->n_maps || !(m->maps[at].prot & PROT_READ))
		return false;
	for (first = at; first > 0 &&
			 m->maps[first - 1].end == m->maps[first].start &&
			 (m->maps[first - 1].prot & PROT_READ);)
		first--;
	for (last = at; last + 1 < m->n_maps &&
			m->maps[last + 1].start == m->maps[last].end &&
			(m->maps[last + 1].prot & PROT_READ);)
		last++;
	*lo = m->maps[first].start;
	*hi = m->maps[last].end;
	return true;
}

/* Is the expression a variable that lies in memory? A register's name is none,
 * nor is a number. */
static bool
variable_place(struct space *s, struct arena *a, struct tui_moment *m)
{
	unsigned at = m->n_src ? m->src_frame : m->frame;
	struct sym_var v;
	uint64_t ignored;

	if (register_value(&m->regs, m->mem_expr, &ignored) ||
	    at >= m->n_frames ||
	    symbols_var(s->sym, &m->frames[at], m->mem_expr, a, &v, NULL) < 0 ||
	    !v.addr)
		return false;
	m->mem_base = v.addr;
	m->mem_size = v.size;
	return true;
}

/* A window of memory around what the expression comes to, moved by the
 * shift as far as there is memory. */
static void
take_memory(struct space *s, const struct tui_moment_req *req, struct arena *a,
	    struct tui_moment *m)
{
	struct err err = { 0 };
	uint64_t lo, hi, middle, start;
	int64_t got, before;

	m->mem_expr = arena_strdup(a, req->mem_expr ? req->mem_expr : "rsp");
	if (!variable_place(s, a, m) &&
	    look_value(m->mem_expr, &m->regs, symbol_value, s, &m->mem_base,
		       &err) < 0) {
		m->mem_note = arena_strdup(a, err.text);
		return;
	}
	if (!readable_around(m, m->mem_base, &lo, &hi)) {
		char text[64];

		snprintf(text, sizeof(text), "0x%" PRIx64 " is not readable",
			 m->mem_base);
		m->mem_note = arena_strdup(a, text);
		return;
	}
	middle = m->mem_base & ~15ull;
	before = (int64_t)TUI_MEM_WINDOW / 2 - req->mem_shift;
	if (before >= 0 && (uint64_t)before > middle - lo)
		start = lo;
	else
		start = middle - (uint64_t)before;
	if (hi - lo <= TUI_MEM_WINDOW)
		start = lo;
	else if (start > hi - TUI_MEM_WINDOW)
		start = hi - TUI_MEM_WINDOW;
	m->mem_shift = (int64_t)(start - (middle - TUI_MEM_WINDOW / 2));
	m->mem_addr = start;
	m->mem = arena_alloc(a, TUI_MEM_WINDOW);
	got = read_memory(s, start, m->mem,
			  hi - start < TUI_MEM_WINDOW ? hi - start
						      : TUI_MEM_WINDOW);
	m->mem_len = got > 0 ? (size_t)got : 0;
}

static bool
same_function(const struct tui_moment *m, size_t a, size_t b)
{
	const struct sym_place *p = &m->insn_places[a], *q = &m->insn_places[b];

	if (!p->function || !q->function)
		return !p->function && !q->function;
	return m->insns[a].addr - p->offset == m->insns[b].addr - q->offset &&
	       !strcmp(p->function, q->function);
}

/*
 * The places of the instructions between two that are known. What lies
 * between two of one function belongs to it: asking for each of them would be
 * most of the work of a moment.
 */
static void
fill_places(struct space *s, struct arena *a, struct tui_moment *m, size_t lo,
	    size_t hi)
{
	size_t mid = lo + (hi - lo) / 2;

	if (hi - lo < 2)
		return;
	if (same_function(m, lo, hi)) {
		for (size_t i = lo + 1; i < hi; i++) {
			m->insn_places[i] = m->insn_places[lo];
			m->insn_places[i].offset +=
				m->insns[i].addr - m->insns[lo].addr;
		}
		return;
	}
	symbols_lookup(s->sym, m->insns[mid].addr, a, &m->insn_places[mid]);
	fill_places(s, a, m, lo, mid);
	fill_places(s, a, m, mid, hi);
}

static void
take_code(struct space *s, uint64_t pc, struct arena *a, struct tui_moment *m)
{
	size_t before = 0, after = 0;

	m->insns = arena_alloc(a, TUI_CODE_LINES * sizeof(*m->insns));
	if (symbols_disasm_before(s->sym, pc, CODE_BEFORE, m->insns, &before,
				  NULL) < 0)
		before = 0;
	if (symbols_disasm(s->sym, pc, TUI_CODE_LINES - CODE_BEFORE,
			   m->insns + before, &after, NULL) < 0)
		after = 0;
	if (!after)
		return;
	m->insn_at = before;
	m->n_insns = before + after;
	m->insn_places = arena_alloc(a, m->n_insns * sizeof(*m->insn_places));
	symbols_lookup(s->sym, m->insns[0].addr, a, &m->insn_places[0]);
	symbols_lookup(s->sym, m->insns[m->n_insns - 1].addr, a,
		       &m->insn_places[m->n_insns - 1]);
	fill_places(s, a, m, 0, m->n_insns - 1);
}

static bool
take_lines(const struct sym_place *p, struct arena *a, struct tui_moment *m)
{
	int from = p->line > LINES_AROUND ? p->line - LINES_AROUND : 1;
	const char **lines = NULL;
	size_t n = 0;

	if (!p->file || p->line <= 0 ||
	    sym_source_lines(p->file, from, p->line + LINES_AROUND, a, &lines,
			     &n, NULL) < 0 ||
	    !n)
		return false;
	m->src_file = p->file;
	m->src_line = p->line;
	m->src_first = from;
	m->src = lines;
	m->n_src = n;
	return true;
}

/*
 * Events are system calls as a rule, and the innermost frame is a wrapper in
 * the C library: what people want to read is where the program called it.
 */
static void
take_source(unsigned frame, struct arena *a, struct tui_moment *m)
{
	m->src_frame = m->frame;
	if (frame != TUI_FRAME_AUTO) {
		take_lines(&m->frames[m->frame].place, a, m);
		return;
	}
	for (unsigned i = 0; i < m->n_frames; i++) {
		if (!take_lines(&m->frames[i].place, a, m))
			continue;
		m->src_frame = i;
		return;
	}
}

/* Without symbols there is still the place where it stands. */
static void
take_frames(struct space *s, unsigned frame, struct arena *a,
	    struct tui_moment *m)
{
	if (symbols_backtrace(s->sym, &m->regs, FRAMES_MAX, a, &m->frames,
			      &m->n_frames, NULL) < 0 ||
	    !m->n_frames) {
		m->n_frames = 1;
		m->frames = arena_alloc(a, sizeof(*m->frames));
		m->frames[0].pc = m->regs.rip;
		m->frames[0].sp = m->regs.rsp;
		m->frames[0].at = m->regs.rip;
		m->frames[0].regs = m->regs;
		symbols_lookup(s->sym, m->regs.rip, a, &m->frames[0].place);
	}
	m->frame = frame < m->n_frames ? frame : 0;
}

/* Of the frame whose source is shown: people read both together. */
static void
take_vars(struct space *s, const struct tui_moment_req *req, struct arena *a,
	  struct tui_moment *m)
{
	unsigned at = m->n_src ? m->src_frame : m->frame;
	struct sym_frame *f = &m->frames[at];
	struct target *t = s->look->t;
	struct buf xstate = { 0 };

	if (!f->outer && t->ops->xstate &&
	    t->ops->xstate(t, s->task, &xstate, NULL) >= 0)
		f->xstate = arena_span(a, buf_span(&xstate));
	buf_free(&xstate);
	m->vars_function = f->place.function;
	if (symbols_vars(s->sym, f, req->open, req->n_open, a, &m->vars,
			 &m->n_vars, NULL) < 0)
		m->n_vars = 0;
}

static const struct target_task *
find_task(const struct tui_moment *m, uint32_t task)
{
	for (size_t i = 0; i < m->n_tasks; i++)
		if (m->tasks[i].task == task && m->tasks[i].alive)
			return &m->tasks[i];
	return NULL;
}

int
look_at(struct look *l, const struct tui_moment_req *req, struct arena *a,
	struct tui_moment *out, struct err *err)
{
	struct tui_moment m = { .pos = req->pos, .task = req->task };
	const struct target_task *task;
	struct target *t = l->t;
	struct err why = { 0 };
	struct space *s;
	int rc;

	rc = t->ops->tasks(t, a, &m.tasks, &m.n_tasks, err);
	if (rc < 0)
		return rc;
	task = find_task(&m, req->task);
	if (!req->task || !task) {
		m.note = req->task ? "the task does not live here" : NULL;
		*out = m;
		return 0;
	}
	if (t->ops->regs(t, task->task, &m.regs, &why) < 0 ||
	    t->ops->maps(t, task->task, a, &m.maps, &m.n_maps, &why) < 0) {
		/* Born, but not yet with a program: no failure of ours. */
		m.note = arena_strdup(a, why.text);
		*out = m;
		return 0;
	}
	m.has_regs = true;
	s = look_space(l, task->space, task->task);
	rc = look_tell_maps(s, &m, a, err);
	if (rc < 0)
		return rc;
	l->last = s;
	take_frames(s, req->frame, a, &m);
	take_code(s, m.frames[m.frame].pc, a, &m);
	take_source(req->frame, a, &m);
	take_vars(s, req, a, &m);
	take_memory(s, req, a, &m);
	*out = m;
	return 0;
}

int
look_variable(struct look *l, const struct tui_moment_req *req,
	      const char *expr, struct arena *a, struct sym_var *out,
	      struct err *err)
{
	struct tui_moment m;
	struct err other = { 0 };
	uint64_t v;
	char text[32];
	int rc = look_at(l, req, a, &m, err);

	if (rc < 0)
		return rc;
	if (!m.has_regs)
		return err_set(err, E_NOT_FOUND, "no program runs here");
	*out = (struct sym_var){ .name = expr, .path = expr };
	if (!register_value(&m.regs, expr, &v) && m.n_frames &&
	    symbols_var(l->last->sym,
			&m.frames[m.n_src ? m.src_frame : m.frame], expr, a,
			out, err) == 0)
		return 0;
	/* Why it is no variable is the better answer. */
	if (look_value(expr, &m.regs, symbol_value, l->last, &v,
		       err->code ? &other : err) < 0)
		return err->code;
	err_clear(err);
	snprintf(text, sizeof(text), "0x%" PRIx64, v);
	out->value = arena_strdup(a, text);
	out->counts = true;
	out->number = (int64_t)v;
	return 0;
}

bool
look_is_part(const char *prefix)
{
	return strpbrk(prefix, ".[") || strstr(prefix, "->");
}

/* Parts of the variable before the last sign. */
static int
part_names(struct look *l, const struct tui_names_req *req, struct arena *a,
	   const char ***out, size_t *n, size_t *all, struct err *err)
{
	char *whole = arena_strdup(a, req->prefix),
	     *end = whole + strlen(whole);
	const char *open[] = { "globals", whole };
	struct tui_moment_req at = req->at;
	size_t len = strlen(req->prefix);
	struct tui_moment m;
	int rc;

	while (end > whole && !strchr(".[>", end[-1]))
		end--;
	end -= end - whole > 1 && end[-1] == '>' ? 2 : 1;
	*end = '\0';
	at.open = open;
	at.n_open = ARRAY_LEN(open);
	rc = look_at(l, &at, a, &m, err);
	if (rc < 0)
		return rc;
	*out = arena_alloc(a, (m.n_vars + 1) * sizeof(**out));
	for (size_t i = 0; i < m.n_vars; i++) {
		if (strncmp(m.vars[i].path, req->prefix, len) != 0)
			continue;
		if (*n < req->max)
			(*out)[(*n)++] = m.vars[i].path;
		++*all;
	}
	return 0;
}

int
look_names(struct look *l, const struct tui_names_req *req, struct arena *a,
	   const char ***out, size_t *n, size_t *all, struct err *err)
{
	*n = *all = 0;
	if (look_is_part(req->prefix) && (req->kinds & SYM_VARIABLES))
		return part_names(l, req, a, out, n, all, err);
	if (l->last)
		symbols_names(l->last->sym, req->kinds, req->prefix, req->max,
			      a, out, n, all);
	return 0;
}
