/* Searching for events, searching in a pane, filtering the list of events. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tui/fetch.h"
#include "tui/ui.h"

static const char *const filter_keys[] = {
	"task:", "pid:",   "call:",  "kind:", "fd:",
	"path:", "error:", "group:", "text:",
};

struct search_job {
	struct job job;
	struct ui *ui;
	char *filter, *text;
	uint64_t seq, last, n, found;
	bool back;
	struct row row;
};

static int
search_run(struct job *job, void *data)
{
	struct search_job *j = (struct search_job *)job;
	struct fetch f = {
		.ops = j->ui->o->query,
		.data = data,
		.job = job,
		.filter = j->filter,
		.text = j->text,
		.last = j->last,
	};

	return fetch_nth(&f, j->seq, j->back, j->n, &j->row, &j->found,
			 &job->err);
}

static void
search_done(struct job *job, void *owner)
{
	struct search_job *j = (struct search_job *)job;
	struct ui *ui = owner;

	mem_free(j->filter);
	mem_free(j->text);
	if (job->rc == -E_CANCELLED || atomic_load(&job->replaced))
		return;
	if (job->rc < 0) {
		ui_complain_err(ui, &job->err);
	} else if (!j->found) {
		ui_say(ui, "nothing %s fits \"%s\"",
		       j->back ? "before" : "after", ui->search);
	} else {
		nav_jump(ui, j->row.seq);
		ui_say(ui, "e%" PRIu64 " fits \"%s\"", j->row.seq, ui->search);
	}
}

/* Does it say where to look (call:read), or is it only text? */
static bool
has_key(const char *text)
{
	for (const char *p = text; *p; p += strcspn(p, " ")) {
		p += strspn(p, " ");
		for (size_t i = 0; i < ARRAY_LEN(filter_keys); i++)
			if (!strncmp(p, filter_keys[i], strlen(filter_keys[i])))
				return true;
	}
	return false;
}

static void
search_events(struct ui *ui, bool back, uint64_t count)
{
	struct search_job *j =
		job_new(sizeof(*j), JOB_SEARCH, search_run, search_done, ui);

	j->ui = ui;
	/* Text is looked for in what is shown, words in everything. */
	if (has_key(ui->search))
		j->filter = mem_strdup(ui->search);
	else
		j->text = mem_strdup(ui->search);
	if (j->text && ui->filter)
		j->filter = mem_strdup(ui->filter);
	j->seq = ui->seq;
	j->last = ui->rec.events;
	j->n = count ? count : 1;
	j->back = back;
	worker_cancel(ui->ask, JOB_SEARCH);
	output_postpone(ui);
	worker_submit(ui->ask, &j->job);
}

void
search_again(struct ui *ui, bool back, uint64_t count)
{
	struct view *v = ui_focused(ui);

	if (!ui->search) {
		ui_say(ui, "nothing to search for yet");
		return;
	}
	/* Events are searched in the database, other panes in what they
	 * show. */
	if (v->ops->slot == SLOT_EVENTS || v->ops->slot == SLOT_LANES)
		search_events(ui, back, count);
	else if (!v->lines.v.len || !lines_search(&v->lines, ui->search, back))
		ui_say(ui, "\"%s\" is not in %s", ui->search, v->ops->title);
}

void
search_text(struct ui *ui, const char *text, bool back)
{
	if (*text) {
		mem_free(ui->search);
		ui->search = mem_strdup(text);
	}
	search_again(ui, back, 1);
}

void
search_filter(struct ui *ui, const char *text)
{
	text += strspn(text, " ");
	if (ui->filter && !strcmp(ui->filter, text))
		return;
	mem_free(ui->filter);
	ui->filter = *text ? mem_strdup(text) : NULL;
	ui->step = (struct ui_step){ 0 };
	worker_cancel(ui->nav, JOB_PAGES);
	worker_cancel(ui->nav, JOB_STEP);
	ui_invalidate(ui, DIRTY_FILTER);
}

const char *const *
search_keys(size_t *n)
{
	*n = ARRAY_LEN(filter_keys);
	return filter_keys;
}
