/* Where we are in the recording, and what follows from moving. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event/format.h"
#include "event/pos.h"
#include "tui/fetch.h"
#include "tui/ui.h"

struct recording_job {
	struct job job;
	struct ui *ui;
	struct recording_row row;
};

static int
recording_run(struct job *job, void *data)
{
	struct recording_job *j = (struct recording_job *)job;

	return j->ui->o->query->recording(data, &job->arena, &j->row,
					  &job->err);
}

static void
recording_done(struct job *job, void *owner)
{
	struct recording_job *j = (struct recording_job *)job;
	struct ui *ui = owner;
	uint64_t before = ui->rec.events;
	bool first = !ui->rec_known;

	if (job->rc < 0) {
		if (job->rc != -E_CANCELLED)
			ui_complain_err(ui, &job->err);
		if (first && job->rc != -E_CANCELLED) {
			ui->fatal = job->err;
			ui->quit = true;
		}
		return;
	}
	arena_free(&ui->rec_arena);
	ui->rec_arena = job_take_arena(job);
	ui->rec = j->row;
	ui->rec_known = true;
	if (ui->rec.events != before)
		ui_invalidate(ui, DIRTY_GROWN);
	ui->redraw = true;
	if (!first)
		return;
	if (ui->at)
		nav_to(ui, ui->at);
	if (!ui->seq)
		nav_goto(ui, 1);
}

struct tasks_job {
	struct job job;
	struct ui *ui;
	struct task_row *v;
	size_t n;
};

static int
tasks_run(struct job *job, void *data)
{
	struct tasks_job *j = (struct tasks_job *)job;

	return j->ui->o->query->tasks(data, &job->arena, &j->v, &j->n,
				      &job->err);
}

static void
tasks_done(struct job *job, void *owner)
{
	struct tasks_job *j = (struct tasks_job *)job;
	struct ui *ui = owner;

	if (job->rc < 0) {
		if (job->rc != -E_CANCELLED)
			ui_complain_err(ui, &job->err);
		return;
	}
	arena_free(&ui->tasks.arena);
	ui->tasks = (struct ui_tasks){ job_take_arena(job), j->v, j->n };
	ui_invalidate(ui, DIRTY_TASKS);
}

struct marks_job {
	struct job job;
	struct ui *ui;
	struct mark_row *v;
	size_t n;
	/* An edit before the question. */
	char *set, *del;
	uint64_t seq;
	struct pos pos;
};

static int
marks_run(struct job *job, void *data)
{
	struct marks_job *j = (struct marks_job *)job;
	const struct tui_query_ops *q = j->ui->o->query;
	char text[POS_TEXT_MAX];
	int rc = 0;

	if (j->set)
		rc = q->mark_set(data, j->set, pos_format(&j->pos, text),
				 j->seq, "", &job->err);
	if (rc >= 0 && j->del)
		rc = q->mark_del(data, j->del, &job->err);
	if (rc < 0)
		return rc;
	return q->marks(data, &job->arena, &j->v, &j->n, &job->err);
}

static void
marks_done(struct job *job, void *owner)
{
	struct marks_job *j = (struct marks_job *)job;
	struct ui *ui = owner;

	if (job->rc < 0) {
		if (job->rc != -E_CANCELLED)
			ui_complain_err(ui, &job->err);
	} else {
		if (j->set)
			ui_say(ui, "bookmark @%s is at e%" PRIu64, j->set,
			       j->seq);
		else if (j->del)
			ui_say(ui, "bookmark @%s is deleted", j->del);
		arena_free(&ui->marks.arena);
		ui->marks =
			(struct ui_marks){ job_take_arena(job), j->v, j->n };
		ui_invalidate(ui, DIRTY_MARKS);
	}
	mem_free(j->set);
	mem_free(j->del);
}

static void
marks_ask(struct ui *ui, const char *set, const char *del)
{
	/* An edit must not be replaced by the next one. */
	unsigned key = set || del ? JOB_EDIT + ui->edits++ : JOB_MARKS;
	struct marks_job *j =
		job_new(sizeof(*j), key, marks_run, marks_done, ui);

	j->ui = ui;
	j->set = set ? mem_strdup(set) : NULL;
	j->del = del ? mem_strdup(del) : NULL;
	j->seq = ui->seq;
	j->pos = nav_pos(ui);
	worker_submit(ui->nav, &j->job);
}

void
nav_marks(struct ui *ui)
{
	marks_ask(ui, NULL, NULL);
}

void
nav_mark_set(struct ui *ui, const char *name)
{
	char fresh[32];

	/* Without a name: the first free number. */
	for (unsigned n = 1; !*name; n++) {
		bool taken = false;

		snprintf(fresh, sizeof(fresh), "%u", n);
		for (size_t i = 0; i < ui->marks.n; i++)
			taken |= !strcmp(ui->marks.v[i].name, fresh);
		if (!taken)
			name = fresh;
	}
	if (strpbrk(name, " \t@")) {
		ui_complain(ui, "a bookmark's name has no blanks and no @");
		return;
	}
	marks_ask(ui, name, NULL);
}

void
nav_mark_del(struct ui *ui, const char *name)
{
	marks_ask(ui, NULL, name);
}

static void
ask_recording(struct ui *ui)
{
	struct recording_job *j = job_new(sizeof(*j), JOB_RECORDING,
					  recording_run, recording_done, ui);

	j->ui = ui;
	worker_submit(ui->nav, &j->job);
}

void
nav_refresh(struct ui *ui)
{
	struct tasks_job *j =
		job_new(sizeof(*j), JOB_TASKS, tasks_run, tasks_done, ui);

	ask_recording(ui);
	j->ui = ui;
	/* The first time the store has to find them: the events need not
	 * wait for that. */
	worker_submit(ui->ask, &j->job);
}

void
nav_start(struct ui *ui)
{
	/* In this order: where to start may be a bookmark. */
	nav_marks(ui);
	nav_refresh(ui);
}

void
nav_learn(struct ui *ui, uint64_t seq, uint64_t time_ns, uint32_t task)
{
	uint32_t before = nav_task(ui);

	if (seq != ui->seq || ui->here.seq == seq)
		return;
	ui->here = (struct ui_here){ seq, time_ns, task };
	ui_invalidate(ui,
		      DIRTY_HERE | (before != nav_task(ui) ? DIRTY_POS : 0));
	/* The replay was sent off without knowing whose state to show. */
	if (nav_task(ui) != ui->asked_task)
		moment_want(ui);
}

void
nav_goto(struct ui *ui, uint64_t seq)
{
	uint64_t last = ui->rec.events;

	seq = seq > last ? last : seq;
	if (!seq)
		seq = last ? 1 : 0;
	ui->step = (struct ui_step){ 0 };
	if (seq == ui->seq && !ui->inside.seq)
		return;
	ui->seq = seq;
	ui->inside = (struct pos){ 0 };
	ui->here.seq = 0;
	ui->frame = TUI_FRAME_AUTO;
	ui->replay_stopped = false;
	ui_invalidate(ui, DIRTY_POS);
	here_want(ui);
	moment_want(ui);
}

struct pos
nav_pos(const struct ui *ui)
{
	return ui->inside.seq ? ui->inside : (struct pos){ .seq = ui->seq };
}

void
nav_goto_pos(struct ui *ui, const struct pos *pos)
{
	nav_goto(ui, pos->seq);
	if ((!pos->pc && !pos->steps) || ui->seq != pos->seq)
		return;
	ui->inside = *pos;
	ui_invalidate(ui, DIRTY_POS);
	moment_want(ui);
}

void
nav_jump(struct ui *ui, uint64_t seq)
{
	nav_jump_pos(ui, &(struct pos){ .seq = seq });
}

void
nav_jump_pos(struct ui *ui, const struct pos *pos)
{
	struct pos from = nav_pos(ui), to;

	nav_goto_pos(ui, pos);
	to = nav_pos(ui);
	if (from.seq && !pos_same(&from, &to))
		history_leave(&ui->history, from);
}

struct time_job {
	struct job job;
	struct ui *ui;
	uint64_t time_ns, seq;
};

static int
time_run(struct job *job, void *data)
{
	struct time_job *j = (struct time_job *)job;

	return j->ui->o->query->seq_at_time(data, j->time_ns, &j->seq,
					    &job->err);
}

static void
time_done(struct job *job, void *owner)
{
	struct time_job *j = (struct time_job *)job;
	struct ui *ui = owner;

	if (job->rc >= 0)
		nav_jump(ui, j->seq);
	else if (job->rc != -E_CANCELLED)
		ui_complain_err(ui, &job->err);
}

void
nav_to_time(struct ui *ui, uint64_t time_ns)
{
	struct time_job *j =
		job_new(sizeof(*j), JOB_TIME, time_run, time_done, ui);

	j->ui = ui;
	j->time_ns = time_ns;
	worker_submit(ui->nav, &j->job);
}

void
nav_to_mark(struct ui *ui, const char *name)
{
	struct pos_spec spec;

	for (size_t i = 0; i < ui->marks.n; i++) {
		if (strcmp(ui->marks.v[i].name, name) != 0)
			continue;
		if (pos_parse(ui->marks.v[i].pos, &spec, NULL) < 0 ||
		    spec.form != POS_EXACT)
			spec.pos = (struct pos){ .seq = ui->marks.v[i].seq };
		nav_jump_pos(ui, &spec.pos);
		return;
	}
	ui_complain(ui, "there is no bookmark @%s: B lists them", name);
}

void
nav_to(struct ui *ui, const char *text)
{
	struct pos_spec spec;
	struct err err = { 0 };
	double n;

	if (pos_parse(text, &spec, &err) < 0) {
		ui_complain_err(ui, &err);
		return;
	}
	n = spec.number;
	switch (spec.form) {
	case POS_EXACT:
		if (spec.pos.seq > ui->rec.events)
			ui_complain(ui, "the recording ends at e%" PRIu64,
				    ui->rec.events);
		nav_jump_pos(ui, &spec.pos);
		break;
	case POS_START:
		nav_jump(ui, 1);
		break;
	case POS_END:
		nav_jump(ui, ui->rec.events);
		break;
	case POS_PERCENT:
		n = n < 0 ? 0 : n > 100 ? 100 : n;
		nav_jump(ui, (uint64_t)(n * (double)ui->rec.events / 100));
		break;
	case POS_TIME:
		nav_to_time(ui, n > 0 ? (uint64_t)(n * 1e9) : 0);
		break;
	case POS_MARK:
		nav_to_mark(ui, spec.mark);
		break;
	}
}

struct step_job {
	struct job job;
	struct ui *ui;
	struct ui_step step;
	uint64_t last, found;
	char *filter;
	struct row row;
};

static int
step_run(struct job *job, void *data)
{
	struct step_job *j = (struct step_job *)job;
	struct fetch f = {
		.ops = j->ui->o->query,
		.data = data,
		.job = job,
		.filter = j->filter,
		.task = j->step.task,
		.last = j->last,
	};
	bool back = j->step.n < 0;
	uint64_t n = back ? -(uint64_t)j->step.n : (uint64_t)j->step.n;

	return fetch_nth(&f, j->step.from, back, n, &j->row, &j->found,
			 &job->err);
}

static void
step_done(struct job *job, void *owner)
{
	struct step_job *j = (struct step_job *)job;
	struct ui *ui = owner;

	mem_free(j->filter);
	if (job->rc == -E_CANCELLED) {
		if (!atomic_load(&job->replaced))
			ui->step = (struct ui_step){ 0 };
		return;
	}
	/* Moved elsewhere meanwhile: not wanted any more. */
	if (ui->step.from != j->step.from || ui->step.n != j->step.n ||
	    ui->step.task != j->step.task)
		return;
	ui->step = (struct ui_step){ 0 };
	if (job->rc < 0)
		ui_complain_err(ui, &job->err);
	else if (!j->found)
		ui_say(ui, "no %s event", j->step.n < 0 ? "earlier" : "later");
	else
		nav_goto(ui, j->row.seq);
}

static void
step_ask(struct ui *ui)
{
	struct step_job *j =
		job_new(sizeof(*j), JOB_STEP, step_run, step_done, ui);

	j->ui = ui;
	j->step = ui->step;
	j->last = ui->rec.events;
	j->filter = ui->filter ? mem_strdup(ui->filter) : NULL;
	worker_submit(ui->nav, &j->job);
}

void
nav_step(struct ui *ui, uint32_t task, int64_t n)
{
	uint64_t seq = 0;
	int rc;

	if (!ui->seq || !n)
		return;
	if (ui->step.n && ui->step.task == task) {
		ui->step.n += n;
		if (ui->step.n)
			step_ask(ui);
		return;
	}
	if (!task && !ui->filter) {
		/* seq is dense: no need to look. */
		if (n < 0)
			nav_goto(ui, (uint64_t)-n < ui->seq
					     ? ui->seq - (uint64_t)-n
					     : 1);
		else
			nav_goto(ui, ui->seq + (uint64_t)n);
		return;
	}
	rc = events_nth(ui->views[VIEW_EVENTS], ui->seq, task, n, &seq);
	if (rc >= 0) {
		if (seq)
			nav_goto(ui, seq);
		else
			ui_say(ui, "no %s event", n < 0 ? "earlier" : "later");
		return;
	}
	ui->step = (struct ui_step){ ui->seq, task, n };
	step_ask(ui);
}

void
nav_first(struct ui *ui, bool last)
{
	uint64_t events = ui->rec.events;

	if (!ui->filter || !events) {
		nav_jump(ui, last ? events : 1);
		return;
	}
	history_leave(&ui->history, nav_pos(ui));
	ui->step = (struct ui_step){ last ? events + 1 : 0, 0, last ? -1 : 1 };
	step_ask(ui);
}

void
nav_pin(struct ui *ui, uint32_t task)
{
	ui->pinned = ui->pinned == task ? 0 : task;
	ui->frame = TUI_FRAME_AUTO;
	if (ui->pinned)
		ui_say(ui,
		       "panes show task %u, whatever the event; Enter on "
		       "it again: the event's task",
		       task);
	else
		ui_say(ui, "panes show the event's task");
	ui_invalidate(ui, DIRTY_POS);
	moment_want(ui);
}

uint32_t
nav_task(const struct ui *ui)
{
	if (ui->pinned)
		return ui->pinned;
	if (ui->inside.seq && ui->inside.task)
		return ui->inside.task;
	return ui->here.seq == ui->seq ? ui->here.task : 0;
}

const struct task_row *
nav_task_row(const struct ui *ui, uint32_t task)
{
	/* Dense from 1, as a rule in order. */
	if (task && task <= ui->tasks.n && ui->tasks.v[task - 1].task == task)
		return &ui->tasks.v[task - 1];
	for (size_t i = 0; i < ui->tasks.n; i++)
		if (ui->tasks.v[i].task == task)
			return &ui->tasks.v[i];
	return NULL;
}

uint32_t
nav_process(const struct ui *ui)
{
	const struct task_row *row = nav_task_row(ui, nav_task(ui));

	return row ? row->process : 0;
}
