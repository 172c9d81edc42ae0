/* What of memory is meant: by the cursor, or by what Memory shows. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tui/ui.h"

#define WORD 8u

/* A variable; of a large one as much as can be watched at a time. */
static struct watched
part_of(uint64_t addr, uint64_t size)
{
	uint64_t most = addr % WORD ? 2 * WORD : 3 * WORD;

	return (struct watched){ addr, (uint32_t)(size < most ? size : most) };
}

static bool
of_variable(struct ui *ui, const struct line *line, struct watched *out)
{
	const struct tui_moment *m = &ui->moment.m;
	const struct sym_var *v;

	if (line->num >= m->n_vars)
		return false;
	v = &m->vars[line->num];
	if (!v->addr || !v->size) {
		ui_say(ui, "%s lies in no memory here", v->path);
		return false;
	}
	*out = part_of(v->addr, v->size);
	return true;
}

/* What :memory chose, unless the cursor went elsewhere. */
static bool
of_memory(struct ui *ui, const struct line *line, struct watched *out)
{
	const struct tui_moment *m = &ui->moment.m;

	if (!m->mem_addr || !m->mem_len) {
		ui_say(ui, "Memory shows nothing; :memory ADDRESS chooses");
		return false;
	}
	if (line && line->gutter != '>')
		*out = (struct watched){ line->num, WORD };
	else if (m->mem_size)
		*out = part_of(m->mem_base, m->mem_size);
	else
		*out = (struct watched){ m->mem_base & ~7ull, WORD };
	return true;
}

bool
watch_here(struct ui *ui, struct watched *out)
{
	const struct view *v = ui_focused(ui);
	const struct line *line = lines_current(&v->lines);

	if (!ui->moment.valid) {
		ui_say(ui, "the replay has shown nothing yet");
		return false;
	}
	if (v == ui->views[VIEW_VARS] && line)
		return of_variable(ui, line, out);
	if (v == ui->views[VIEW_REGS] && line && ui->moment.m.has_regs) {
		*out = (struct watched){ line->num & ~7ull, WORD };
		return true;
	}
	return of_memory(ui, v == ui->views[VIEW_MEMORY] ? line : NULL, out);
}

uint32_t
watch_process(const struct ui *ui)
{
	const struct tui_moment *m = &ui->moment.m;

	for (size_t i = 0; ui->moment.valid && i < m->n_tasks; i++)
		if (m->tasks[i].task == m->task)
			return m->tasks[i].process;
	return 0;
}

/* ---- by an expression: watchpoints in the list of breakpoints, and values */

struct watch_job {
	struct job job;
	struct ui *ui;
	struct tui_moment_req at;
	char *expr;
	uint32_t len; /* 0 = as large as it is */
	struct sym_var var;
};

static int
watch_run(struct job *job, void *data)
{
	struct watch_job *j = (struct watch_job *)job;

	return j->ui->o->replay->variable(data, &j->at, j->expr, &job->arena,
					  &j->var, &job->err);
}

static void
ask(struct ui *ui, const char *expr, size_t len, uint32_t bytes,
    void (*done)(struct job *job, void *owner))
{
	struct watch_job *j =
		job_new(sizeof(*j), JOB_BREAK, watch_run, done, ui);

	j->ui = ui;
	j->expr = mem_printf("%.*s", (int)len, expr);
	j->len = bytes;
	j->at = (struct tui_moment_req){ .pos = nav_pos(ui),
					 .task = nav_task(ui),
					 .frame = ui->frame };
	worker_submit(ui->rep, &j->job);
}

static void
print_done(struct job *job, void *owner)
{
	struct watch_job *j = (struct watch_job *)job;
	struct ui *ui = owner;

	if (job->rc < 0 && job->rc != -E_CANCELLED)
		ui_complain_err(ui, &job->err);
	else if (job->rc >= 0)
		ui_say(ui, "%s = %s%s%s", j->expr,
		       j->var.value ? j->var.value : "?",
		       j->var.type ? "  " : "", j->var.type ? j->var.type : "");
	mem_free(j->expr);
}

void
watch_print(struct ui *ui, const char *expr)
{
	if (*expr)
		ask(ui, expr, strlen(expr), 0, print_done);
	else
		ui_say(ui, "print a variable, a part of one, or a register");
}

/* The same once more takes it away. */
static void
add_watch(struct ui *ui, const struct watched *w, const char *expr)
{
	struct ui_break b = { .addr = w->addr,
			      .len = w->len,
			      .text = mem_strdup(expr) };

	for (size_t i = 0; i < ui->breaks.len; i++) {
		const struct ui_break *o = &ui->breaks.v[i];

		if (o->len != w->len || o->addr != w->addr)
			continue;
		mem_free(b.text);
		breaks_remove(ui, i);
		return;
	}
	vec_push(&ui->breaks, b);
	ui_invalidate(ui, DIRTY_BREAKS);
	ui_say(ui, "watchpoint at %s: %u bytes at 0x%" PRIx64, expr, w->len,
	       w->addr);
}

static void
set_done(struct job *job, void *owner)
{
	struct watch_job *j = (struct watch_job *)job;
	struct watched w = part_of(j->var.addr, j->len ? j->len : j->var.size);
	struct ui *ui = owner;

	if (job->rc < 0 && job->rc != -E_CANCELLED)
		ui_complain_err(ui, &job->err);
	/* An address, or what a register points to. */
	if (job->rc >= 0 && !j->var.type && j->var.counts)
		w = part_of((uint64_t)j->var.number, j->len ? j->len : WORD);
	if (job->rc >= 0 && (!w.addr || !w.len))
		ui_complain(ui, "%s lies in no memory here", j->expr);
	else if (job->rc >= 0)
		add_watch(ui, &w, j->expr);
	mem_free(j->expr);
}

void
watch_set(struct ui *ui, const char *text)
{
	const char *comma = strrchr(text, ',');
	size_t len = comma ? (size_t)(comma - text) : strlen(text);
	unsigned long bytes = 0;
	char *end;

	if (comma) {
		bytes = strtoul(comma + 1, &end, 0);
		if (!bytes || bytes > 3ul * WORD || *end) {
			ui_complain(ui, "1 to %u bytes can be watched",
				    3 * WORD);
			return;
		}
	}
	if (!len)
		ui_say(ui, "watch VARIABLE, or ADDRESS,BYTES");
	else
		ask(ui, text, len, (uint32_t)bytes, set_done);
}
