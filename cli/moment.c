#include "cli/moment.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "cli/text.h"
#include "event/format.h"
#include "event/sys.h"
#include "replayer/target_sym.h"
#include "store/query.h"
#include "sym/sym.h"

#define FRAMES 64
#define SOURCE_AROUND 2
#define CODE_BEFORE 3
#define CODE_AFTER 4

struct moment {
	struct cli *c;
	struct target *t;
	uint64_t rec;
	struct pos pos;
	struct event ev; /* the event at pos; kind 0 = none */
	uint32_t task;	 /* the one that is shown; 0 = none */
	struct target_task *tasks;
	size_t n_tasks;
	struct regs regs;
	struct symbols *sym;
	bool colour;
};

static void
head(const struct moment *m, const char *title)
{
	printf("\n%s%s%s\n", m->colour ? "\033[1m" : "", title,
	       m->colour ? "\033[0m" : "");
}

/* For sym: memory of the task that is shown. */
static int64_t
read_memory(void *ctx, uint64_t addr, void *out, size_t n)
{
	struct moment *m = ctx;

	return m->t->ops->read(m->t, m->task, addr, out, n);
}

static int
load_maps(struct moment *m, struct err *err)
{
	struct arena *a = &m->c->arena;
	struct target_map *maps = NULL;
	size_t n = 0;
	int ret;

	ret = m->t->ops->maps(m->t, m->task, a, &maps, &n, err);
	if (ret < 0)
		return ret;
	return symbols_set_maps(m->sym, target_sym_maps(m->t, maps, n, a), n,
				err);
}

static int
load_event(struct moment *m, struct err *err)
{
	struct event *ev = NULL;
	uint64_t scanned;
	size_t n = 0;
	int ret;

	if (m->pos.seq == 0)
		return 0;
	ret = query_events(m->c->db, m->rec, m->pos.seq - 1, false, 1, NULL,
			   &m->c->arena, &ev, &n, &scanned, err);
	if (ret == 0 && n == 1 && ev[0].seq == m->pos.seq)
		m->ev = ev[0];
	return ret;
}

static const struct target_task *
find_task(const struct moment *m, uint32_t task)
{
	for (size_t i = 0; i < m->n_tasks; i++) {
		if (m->tasks[i].task == task)
			return &m->tasks[i];
	}
	return NULL;
}

/* The task of the event while it lives, else any that does. */
static void
choose_task(struct moment *m)
{
	uint32_t want = m->pos.task ? m->pos.task : m->ev.task;
	const struct target_task *t = find_task(m, want);

	m->task = t && t->alive ? want : 0;
	for (size_t i = 0; i < m->n_tasks && m->task == 0; i++) {
		if (m->tasks[i].alive)
			m->task = m->tasks[i].task;
	}
}

static void
print_position(const struct moment *m)
{
	char text[POS_TEXT_MAX];
	struct buf line = { 0 };
	struct format_opts f = { 0 };

	pos_format(&m->pos, text);
	printf("%s of recording %lu", text, m->rec);
	if (m->ev.kind != 0) {
		const struct target_task *t = find_task(m, m->ev.task);

		event_format(&m->ev, &f, &line);
		printf(", %.6f s after its start\n%s %d: %s\n",
		       (double)m->ev.time_ns / 1e9,
		       t && t->comm ? text_clean(&m->c->arena, t->comm)
				    : "task",
		       t ? t->tid : (int)m->ev.task,
		       text_clean(&m->c->arena, buf_cstr(&line)));
	} else {
		printf("\nbefore the first event\n");
	}
	buf_free(&line);
}

static void
print_tasks(const struct moment *m)
{
	struct arena *a = &m->c->arena;

	head(m, "Tasks");
	for (size_t i = 0; i < m->n_tasks; i++) {
		const struct target_task *t = &m->tasks[i];

		if (!t->alive)
			continue;
		printf("%c %7d  %-16s 0x%016" PRIx64 "  %s\n",
		       t->task == m->task ? '*' : ' ', t->tid,
		       t->comm ? text_clean(a, t->comm) : "", t->pc,
		       t->in_call ? text_printf(a, "in %s", sys_name(t->call))
				  : "");
	}
}

static void
print_regs(const struct moment *m)
{
	head(m, "Registers");
	for (size_t i = 0; reg_table[i].name; i++)
		printf("%-8s 0x%016" PRIx64 "%s", reg_table[i].name,
		       regs_get(&m->regs, i),
		       i % 3 == 2 || !reg_table[i + 1].name ? "\n" : "   ");
}

static const char *
place_text(struct moment *m, const struct sym_place *p)
{
	struct arena *a = &m->c->arena;
	const char *where = "";

	if (p->file)
		where = text_printf(a, " at %s:%d", p->file, p->line);
	else if (p->module)
		where = text_printf(a, " in %s", p->module);
	if (!p->function)
		return text_printf(a, "??%s", where);
	if (p->offset == 0)
		return text_printf(a, "%s%s", p->function, where);
	return text_printf(a, "%s+%#" PRIx64 "%s", p->function, p->offset,
			   where);
}

/* False when the file is not on this host. */
static bool
print_source(struct moment *m, const struct sym_place *p)
{
	const char **lines = NULL;
	int from = p->line > SOURCE_AROUND ? p->line - SOURCE_AROUND : 1;
	size_t n = 0;

	if (!p->file || sym_source_lines(p->file, from, p->line + SOURCE_AROUND,
					 &m->c->arena, &lines, &n, NULL) < 0)
		return false;
	for (size_t i = 0; i < n; i++)
		printf("      %c %5d  %s\n",
		       from + (int)i == p->line ? '>' : ' ', from + (int)i,
		       lines[i]);
	return n > 0;
}

static void
print_stack(struct moment *m)
{
	struct arena *a = &m->c->arena;
	struct sym_frame *f = NULL;
	bool shown = false;
	size_t n = 0;

	head(m, "Backtrace");
	if (symbols_backtrace(m->sym, &m->regs, FRAMES, a, &f, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		printf("#%-3zu 0x%016" PRIx64 " %s%s\n", i, f[i].pc,
		       place_text(m, &f[i].place),
		       f[i].signal_frame ? " <signal handler called>" : "");
		/* Source of the innermost frame that has it here. */
		if (!shown)
			shown = print_source(m, &f[i].place);
	}
}

static void
print_insns(const struct moment *m, const struct sym_insn *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		printf("%s 0x%016" PRIx64 "  ",
		       v[i].addr == m->regs.rip ? "=>" : "  ", v[i].addr);
		for (uint8_t j = 0; j < 8; j++) {
			if (j < v[i].len)
				printf("%02x%s", v[i].bytes[j],
				       j == 7 && v[i].len > 8 ? "+" : " ");
			else
				fputs("   ", stdout);
		}
		printf(" %s\n", v[i].text);
	}
}

static void
print_code(struct moment *m)
{
	struct sym_insn v[CODE_BEFORE + CODE_AFTER];
	struct sym_place p = { 0 };
	size_t n = 0;

	head(m, "Code");
	symbols_lookup(m->sym, m->regs.rip, &m->c->arena, &p);
	printf("%s\n", place_text(m, &p));
	if (symbols_disasm_before(m->sym, m->regs.rip, CODE_BEFORE, v, &n,
				  NULL) == 0)
		print_insns(m, v, n);
	if (symbols_disasm(m->sym, m->regs.rip, CODE_AFTER, v, &n, NULL) == 0)
		print_insns(m, v, n);
}

int
moment_print(struct cli *c, uint64_t rec, struct target *t, struct err *err)
{
	struct moment m = { .c = c, .t = t, .rec = rec };
	struct sym_ops ops = { .read = read_memory, .ctx = &m };
	int ret;

	m.colour = text_coloured(stdout);
	ret = t->ops->where(t, &m.pos);
	if (ret < 0)
		return err_set(err, -ret, "the replay stands nowhere");
	ret = load_event(&m, err);
	if (ret == 0)
		ret = t->ops->tasks(t, &c->arena, &m.tasks, &m.n_tasks, err);
	if (ret < 0)
		return ret;
	choose_task(&m);
	print_position(&m);
	if (m.task == 0) {
		puts("no task lives here");
		return 0;
	}
	ret = t->ops->regs(t, m.task, &m.regs, err);
	if (ret < 0)
		return ret;
	m.sym = symbols_new(&ops);
	ret = load_maps(&m, err);
	if (ret == 0) {
		print_tasks(&m);
		print_stack(&m);
		print_code(&m);
		print_regs(&m);
	}
	symbols_free(m.sym);
	return ret;
}
