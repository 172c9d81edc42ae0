/*
 * What Tab offers after the text typed so far. What the interface knows is
 * there at once; names of the program are asked of the replay's worker, and
 * come unless the text was changed meanwhile.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event/event.h"
#include "event/format.h"
#include "event/regs.h"
#include "event/sys.h"
#include "sym/names.h"
#include "tui/ui.h"

#define NAMES_MAX 500u /* offered; how many more there are is said */

static void
offer(struct completion *c, const char *word, const char *key, const char *text)
{
	char *whole = mem_printf("%s%s", key, text);

	if (!strncmp(whole, word, strlen(word)))
		completion_add(c, whole);
	mem_free(whole);
}

static void
offer_marks(const struct ui *ui, struct completion *c, const char *word,
	    const char *key)
{
	for (size_t i = 0; i < ui->marks.n; i++)
		offer(c, word, key, ui->marks.v[i].name);
}

/* Of its process. */
static bool
is_first(const struct ui *ui, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (ui->tasks.v[i].process == ui->tasks.v[at].process)
			return false;
	return true;
}

/* Numbers of tasks, or of processes as they were then. */
static void
offer_tasks(const struct ui *ui, struct completion *c, const char *word,
	    const char *key, bool pids)
{
	for (size_t i = 0; i < ui->tasks.n; i++) {
		const struct task_row *t = &ui->tasks.v[i];
		char text[32];

		if (pids && !is_first(ui, i))
			continue;
		snprintf(text, sizeof(text), "%d",
			 pids ? t->tid : (int)t->task);
		offer(c, word, key, text);
	}
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
sort(struct completion *c)
{
	if (c->v.len)
		qsort(c->v.v, c->v.len, sizeof(*c->v.v), by_text);
}

static void
offer_calls(struct completion *c, const char *word, const char *key)
{
	for (int nr = 0; nr < SYS_MAX; nr++)
		if (sys_desc(nr)->name)
			offer(c, word, key, sys_desc(nr)->name);
}

/* Words of a filter: first the keys, then what a key may have. */
static void
offer_filter(const struct ui *ui, struct completion *c, const char *word)
{
	size_t n;
	const char *const *keys = search_keys(&n);
	static const char *const groups[] = {
		"file", "net", "process", "signal", "memory",
		"time", "ipc", "sched",	  "system",
	};

	if (!strchr(word, ':'))
		for (size_t i = 0; i < n; i++)
			offer(c, word, "", keys[i]);
	else if (!strncmp(word, "call:", 5))
		offer_calls(c, word, "call:");
	if (!strncmp(word, "task:", 5))
		offer_tasks(ui, c, word, "task:", false);
	if (!strncmp(word, "pid:", 4))
		offer_tasks(ui, c, word, "pid:", true);
	if (!strncmp(word, "kind:", 5))
		for (unsigned k = 1; k < EV_KIND_END; k++)
			offer(c, word, "kind:", event_kind_name(k));
	if (!strncmp(word, "error:", 6))
		for (int e = 1; e <= EHWPOISON; e++)
			if (errno_name(e)[0] == 'E')
				offer(c, word, "error:", errno_name(e));
	if (!strncmp(word, "group:", 6))
		for (size_t i = 0; i < ARRAY_LEN(groups); i++)
			offer(c, word, "group:", groups[i]);
	sort(c);
}

/* After "catch ": kinds, then calls or signals. */
static void
offer_catch(struct completion *c, const char *text, const char *word)
{
	const char *kind = text + strlen("catch ");

	if (word == kind) {
		for (size_t i = 0; catch_kind_name(i); i++)
			offer(c, word, "", catch_kind_name(i));
	} else if (!strncmp(kind, "signal ", 7)) {
		for (int s = 1; s <= SIGSYS; s++)
			offer(c, word, "", signal_name(s));
	} else if (!strncmp(kind, "call ", 5) || !strncmp(kind, "return ", 7)) {
		offer_calls(c, word, "");
	}
}

static void
offer_registers(struct completion *c, const char *word)
{
	for (size_t i = 0; reg_table[i].name; i++)
		offer(c, word, "", reg_table[i].name);
}

/* Variables of the frame, with the parts that are open. */
static void
offer_variables(const struct ui *ui, struct completion *c, const char *word)
{
	const struct tui_moment *m = &ui->moment.m;

	if (!ui->moment.valid)
		return;
	for (size_t i = 0; i < m->n_vars; i++)
		if (m->vars[i].path && strcmp(m->vars[i].path, "globals") != 0)
			offer(c, word, "", m->vars[i].path);
}

/* ---- what words are of */

static bool
is_command(const char *text, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(text, name, len) && text[len] == ' ';
}

/* Where the expression begins that ends at the end of text. */
static const char *
expression_word(const char *text)
{
	const char *p = text + strlen(text);

	for (; p > text; p--) {
		char ch = p[-1];

		if (p - text > 1 && ch == '>' && p[-2] == '-')
			p--;
		else if (ch == ' ' || strchr("+-*&!|()=<>,", ch))
			break;
	}
	return p;
}

/* What a word may be a name of: kinds of sym/names.h, 0 = none. */
static unsigned
names_for(const char *text, const char **word)
{
	const char *cond = strstr(text, " if ");

	if (is_command(text, "break")) {
		if (!cond)
			return SYM_FUNCTIONS | SYM_FILES | SYM_MODULES;
		*word = expression_word(text);
		return SYM_VARIABLES;
	}
	if (!is_command(text, "memory") && !is_command(text, "print") &&
	    !is_command(text, "watch"))
		return 0;
	*word = expression_word(text);
	return SYM_VARIABLES | SYM_MODULES |
	       (is_command(text, "memory") ? SYM_FUNCTIONS : 0);
}

static void
offer_names(const struct ui *ui, struct completion *c, const char *text,
	    const char *word, unsigned kinds)
{
	static const char *const words[] = { "if" };
	const char *arg = text + strcspn(text, " ");

	if (kinds & SYM_VARIABLES)
		offer_variables(ui, c, word);
	sort(c);
	if (!is_command(text, "break"))
		offer_registers(c, word);
	/* A second word of a breakpoint. */
	arg += strspn(arg, " ");
	if (is_command(text, "break") && word > arg && !strstr(text, " if "))
		offer(c, word, "", words[0]);
}

static void
offer_commands(const struct ui *ui, struct completion *c, const char *text,
	       const char *word)
{
	if (word != text) {
		if (is_command(text, "delete") || is_command(text, "mark"))
			offer_marks(ui, c, word, "");
		else if (is_command(text, "filter") ||
			 is_command(text, "search"))
			offer_filter(ui, c, word);
		else if (is_command(text, "catch"))
			offer_catch(c, text, word);
		else if (is_command(text, "task"))
			offer_tasks(ui, c, word, "", false);
		return;
	}
	if (*word == '@') {
		offer_marks(ui, c, word, "@");
		return;
	}
	for (size_t i = 0; command_name(i); i++)
		if (!request_by_name(command_name(i)))
			offer(c, word, "", command_name(i));
	for (int r = REQ_NONE + 1; r < REQ_COUNT; r++)
		offer(c, word, "", request_desc((enum request)r)->name);
	sort(c);
}

/* Offers that are known here; returns the kinds of names to be asked for. */
static unsigned
offers(const struct ui *ui, enum prompt_kind kind, const char *text,
       struct completion *c)
{
	const char *space = strrchr(text, ' ');
	const char *word = space ? space + 1 : text;
	unsigned kinds = 0;

	if (kind == PROMPT_COMMAND)
		kinds = names_for(text, &word);
	c->from = (size_t)(word - text);
	switch (kind) {
	case PROMPT_COMMAND:
		if (kinds)
			offer_names(ui, c, text, word, kinds);
		else
			offer_commands(ui, c, text, word);
		break;
	case PROMPT_FILTER:
	case PROMPT_SEARCH:
	case PROMPT_SEARCH_BACK:
		offer_filter(ui, c, word);
		break;
	case PROMPT_MARK_SET:
	case PROMPT_MARK_GO:
		offer_marks(ui, c, word, "");
		break;
	case PROMPT_EVENT:
		if (*word == '@')
			offer_marks(ui, c, word, "@");
		break;
	case PROMPT_NONE:
	case PROMPT_TIME:
	case PROMPT_PERCENT:
	case PROMPT_SQL:
	case PROMPT_KINDS:
		break;
	}
	return kinds;
}

static void
finish(struct ui *ui, struct completion *c)
{
	if (!prompt_complete(&ui->prompt, c))
		ui_say(ui, "nothing fits");
	ui->redraw = true;
}

/* ---- names of the program */

struct names_job {
	struct job job;
	struct ui *ui;
	enum prompt_kind kind;
	char *text; /* up to the cursor */
	struct completion c;
	struct tui_names_req req;
	const char **v;
	size_t n, all;
};

static int
names_run(struct job *job, void *data)
{
	struct names_job *j = (struct names_job *)job;

	return j->ui->o->replay->names(data, &j->req, &job->arena, &j->v, &j->n,
				       &j->all, &job->err);
}

/* Up to the cursor; the caller's. */
static char *
typed(struct ui *ui)
{
	char *text = mem_strdup(prompt_text(&ui->prompt));

	text[ui->prompt.cursor] = '\0';
	return text;
}

static bool
has(const struct completion *c, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(c->v.v[i], text))
			return true;
	return false;
}

static void
names_done(struct job *job, void *owner)
{
	struct names_job *j = (struct names_job *)job;
	struct ui *ui = owner;
	char *now = typed(ui);
	size_t known = j->c.v.len;

	if (ui->prompt.kind == j->kind && !strcmp(now, j->text) &&
	    job->rc != -E_CANCELLED) {
		for (size_t i = 0; job->rc >= 0 && i < j->n; i++)
			if (!has(&j->c, known, j->v[i]))
				completion_add(&j->c, j->v[i]);
		if (job->rc >= 0)
			j->c.more = j->all - j->n;
		finish(ui, &j->c);
	}
	completion_release(&j->c);
	mem_free(now);
	mem_free(j->text);
}

static void
ask_names(struct ui *ui, enum prompt_kind kind, char *text,
	  struct completion *c, unsigned kinds)
{
	struct names_job *j =
		job_new(sizeof(*j), JOB_NAMES, names_run, names_done, ui);

	j->ui = ui;
	j->kind = kind;
	j->text = text;
	j->c = *c;
	j->req = (struct tui_names_req){
		.at = { .pos = nav_pos(ui),
			.task = nav_task(ui),
			.frame = ui->frame },
		.kinds = kinds,
		.prefix = j->text + c->from,
		.max = NAMES_MAX,
	};
	worker_submit(ui->rep, &j->job);
}

void
prompt_tab(struct ui *ui)
{
	struct prompt *p = &ui->prompt;
	struct completion c = { 0 };
	char *text;
	unsigned kinds;

	if (prompt_next_offer(p))
		return;
	text = typed(ui);
	kinds = offers(ui, p->kind, text, &c);
	if (kinds) {
		ask_names(ui, p->kind, text, &c, kinds);
		return;
	}
	finish(ui, &c);
	mem_free(text);
}
