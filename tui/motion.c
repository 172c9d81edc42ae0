/* Motion through the program: steps, breakpoints, who wrote this. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "event/format.h"
#include "tui/ui.h"

#define STEP_BREAKS 8u

/* Who holds a key down sees where it is now and then. */
#define SHOW_NS 150000000ull
/* More presses than that are dropped: nobody counts them. */
#define AHEAD_MAX 100u

/* Of a breakpoint, asked on the worker's thread with its data. */
struct condition {
	const struct tui_replay_ops *ops;
	void *data;
	char *text;
};

struct motion_job {
	struct job job;
	struct ui *ui;
	enum request asked;
	struct pos from;
	_Atomic uint64_t count; /* more are added while it runs */
	uint64_t made;
	struct target_motion_req req;
	struct target_break *breaks;
	struct condition *conds; /* of each of them */
	struct catches catches;
	struct target_watch watch;    /* of w and W */
	struct target_watch *watches; /* or those of the list */
	/* Back to the write that may have been just before: from the write
	 * before now forwards again, as a motion's beginning is no stop. */
	bool just_before;
	struct target_stop stop;
	struct arena arena;
	struct event event; /* that it stopped at */
	bool edge;     /* nothing more that way */
	struct pos reached; /* where it was stopped; seq 0 = nowhere else */
	char *nothing; /* to say at the recording's end */
};

static bool
motion_progress(void *ctx, uint64_t at, uint64_t to)
{
	struct job *job = ctx;

	atomic_store(&job->at, at);
	atomic_store(&job->to, to);
	return !atomic_load(&job->stop);
}

/* To the next stop that was asked for. */
static int
move_once(struct motion_job *j, void *data, struct pos from)
{
	const struct tui_replay_ops *ops = j->ui->o->replay;
	struct target_motion_req req = j->req;
	struct err *err = &j->job.err;
	int rc;

	req.before_write = j->just_before;
	rc = ops->move(data, &from, &req, &j->stop, err);
	if (j->just_before && rc >= 0 && j->stop.why == TARGET_AT_WATCH) {
		from = j->stop.pos;
		req.back = req.before_write = false;
		rc = ops->move(data, &from, &req, &j->stop, err);
	}
	j->just_before = false;
	while (rc >= 0 && j->stop.why == TARGET_AT_EVENT) {
		arena_clear(&j->arena);
		rc = ops->event(data, j->stop.pos.seq, &j->arena, &j->event,
				err);
		if (rc < 0 ||
		    catches_match(&j->catches, j->stop.event, &j->event))
			break;
		from = j->stop.pos;
		rc = ops->move(data, &from, &req, &j->stop, err);
	}
	return rc;
}

/* As often as was asked, for a while; a step that cannot go on ends it. */
static int
motion_run(struct job *job, void *data)
{
	struct motion_job *j = (struct motion_job *)job;
	uint64_t began = clock_now_ns();
	struct pos from = j->from;
	int rc = 0;

	j->req.progress = motion_progress;
	j->req.ctx = job;
	j->edge = false;
	for (size_t i = 0; i < j->req.n_breaks; i++)
		j->conds[i].data = data;
	for (j->made = 0; j->made < atomic_load(&j->count);) {
		rc = move_once(j, data, from);
		if (rc < 0)
			break;
		j->made++;
		from = j->stop.pos;
		j->edge = j->stop.why == TARGET_AT_START ||
			  j->stop.why == TARGET_AT_END;
		if (j->edge || clock_now_ns() - began > SHOW_NS)
			break;
	}
	/* Stopped on the way forwards: where it is. Backwards nobody knows yet
	 * how far the way goes. */
	if (rc == -E_CANCELLED && j->made == 0 && !j->req.back &&
	    j->req.motion == TARGET_CONTINUE && j->stop.pos.seq > j->from.seq)
		j->reached = (struct pos){ .seq = j->stop.pos.seq };
	/* What came before the failure holds. */
	return rc == -E_CANCELLED && j->made > 0 ? 0 : rc;
}

static void
tell_event(struct ui *ui, const struct motion_job *j)
{
	struct format_opts f = { 0 };
	struct buf text = { 0 };
	char pos[POS_TEXT_MAX];

	event_format(&j->event, &f, &text);
	ui_say(ui, "task %u, %s: %s", j->stop.task,
	       pos_format(&j->stop.pos, pos), buf_cstr(&text));
	buf_free(&text);
}

static void
tell(struct ui *ui, const struct motion_job *j)
{
	const struct target_stop *s = &j->stop;
	char text[POS_TEXT_MAX];
	uint64_t old, new;

	pos_format(&s->pos, text);
	switch (s->why) {
	case TARGET_AT_BREAK:
		ui_say(ui, "breakpoint at 0x%" PRIx64 ": task %u, %s",
		       j->breaks[s->index].addr, s->task, text);
		break;
	case TARGET_AT_WATCH:
		memcpy(&old, s->old, sizeof(old));
		memcpy(&new, s->new, sizeof(new));
		ui_say(ui,
		       "%s of task %u wrote 0x%" PRIx64 " to 0x%" PRIx64
		       ", which was 0x%" PRIx64,
		       s->by_kernel ? "a system call"
				    : "the instruction before",
		       s->task, new, j->req.watches[s->index].addr, old);
		break;
	case TARGET_AT_START:
	case TARGET_AT_END:
		ui_say(ui, "%s", j->nothing);
		break;
	case TARGET_AT_EVENT:
		tell_event(ui, j);
		break;
	case TARGET_AT_STEP:
		break;
	}
}

/* What was asked for meanwhile: the rest of it, or another motion. */
static void
motion_goes_on(struct ui *ui, const struct motion_job *j)
{
	uint64_t rest = atomic_load(&j->count) - j->made;
	enum request then = ui->motion.then;

	ui->motion.job = NULL;
	ui->motion.then = REQ_NONE;
	if (atomic_load(&j->job.stop) || j->job.rc < 0)
		return;
	if (rest > 0 && !j->edge)
		motion_request(ui, j->asked, rest);
	if (then != REQ_NONE)
		motion_request(ui, then, ui->motion.then_count);
}

static void
motion_done(struct job *job, void *owner)
{
	struct motion_job *j = (struct motion_job *)job;
	struct ui *ui = owner;

	if (job->rc == -E_CANCELLED && j->reached.seq) {
		nav_jump_pos(ui, &j->reached);
		ui_say(ui, "stopped at e%" PRIu64, j->reached.seq);
	} else if (job->rc == -E_CANCELLED) {
		if (!atomic_load(&job->replaced))
			ui_say(ui, "stopped; nothing has moved");
	} else if (job->rc < 0) {
		ui_complain_err(ui, &job->err);
	} else {
		/* At an end of time nothing was found: stay. */
		if (!j->edge || j->req.motion != TARGET_CONTINUE) {
			if (j->req.motion == TARGET_CONTINUE)
				history_leave(&ui->history, nav_pos(ui));
			nav_goto_pos(ui, &j->stop.pos);
		}
		if (j->stop.why == TARGET_AT_WATCH && !j->watches) {
			ui->written.at = j->stop.pos;
			ui->written.addr = j->watch.addr;
		}
		tell(ui, j);
	}
	motion_goes_on(ui, j);
	for (size_t i = 0; i < j->req.n_breaks; i++)
		mem_free(j->conds[i].text);
	mem_free(j->conds);
	mem_free(j->breaks);
	mem_free(j->watches);
	mem_free(j->catches.v);
	arena_free(&j->arena);
	mem_free(j->nothing);
}

static struct motion_job *
motion_new(struct ui *ui, enum target_motion motion, bool back, uint64_t count)
{
	struct motion_job *j =
		job_new(sizeof(*j), JOB_MOTION, motion_run, motion_done, ui);

	j->ui = ui;
	j->from = nav_pos(ui);
	atomic_store(&j->count, count ? count : 1);
	j->req = (struct target_motion_req){
		.motion = motion, .back = back, .task = nav_task(ui), .call = -1
	};
	return j;
}

static void
submit(struct ui *ui, struct motion_job *j, enum request asked,
       const char *nothing)
{
	j->nothing = mem_strdup(nothing);
	j->asked = asked;
	ui->motion.job = j;
	ui->replay_stopped = false;
	worker_submit(ui->rep, &j->job);
}

/* On the worker's thread: does a breakpoint's condition hold? */
static bool
holds(void *ctx, struct target *t, uint32_t task)
{
	const struct condition *c = ctx;

	(void)t;
	return c->ops->holds(c->data, task, c->text);
}

/* Breakpoints count on the way of a step, too. */
static void
add_breaks(struct ui *ui, struct motion_job *j, size_t most)
{
	size_t n = 0;

	j->breaks = mem_zalloc((ui->breaks.len + 1) * sizeof(*j->breaks));
	j->conds = mem_zalloc((ui->breaks.len + 1) * sizeof(*j->conds));
	for (size_t i = 0; i < ui->breaks.len && n < most; i++) {
		const struct ui_break *b = &ui->breaks.v[i];

		if (b->off || b->event || b->len)
			continue;
		j->breaks[n].addr = b->addr;
		if (b->cond) {
			j->conds[n] = (struct condition){
				.ops = ui->o->replay,
				.text = mem_strdup(b->cond),
			};
			j->breaks[n].cond = holds;
			j->breaks[n].ctx = &j->conds[n];
		}
		n++;
	}
	j->req.breaks = j->breaks;
	j->req.n_breaks = n;
}

static void
add_watches(struct ui *ui, struct motion_job *j)
{
	size_t n = 0;

	j->watches = mem_zalloc((ui->breaks.len + 1) * sizeof(*j->watches));
	for (size_t i = 0; i < ui->breaks.len; i++) {
		const struct ui_break *b = &ui->breaks.v[i];

		if (!b->len || b->off)
			continue;
		j->watches[n++] =
			(struct target_watch){ .addr = b->addr,
					       .len = b->len,
					       .process = watch_process(ui) };
	}
	j->req.watches = j->watches;
	j->req.n_watches = n;
}

/* Rows of the requests that are steps of one task. */
static const struct {
	enum request forwards, back;
	enum target_motion motion;
} steps[] = {
	{ REQ_INSN, REQ_INSN_BACK, TARGET_STEP },
	{ REQ_OVER, REQ_OVER_BACK, TARGET_NEXT },
	{ REQ_LINE, REQ_LINE_BACK, TARGET_LINE },
	{ REQ_NEXT, REQ_NEXT_BACK, TARGET_LINE_OVER },
	{ REQ_FINISH, REQ_FINISH_BACK, TARGET_FINISH },
	{ REQ_UNTIL, REQ_UNTIL_BACK, TARGET_UNTIL },
};

static void
step(struct ui *ui, enum request r, enum target_motion motion, bool back,
     uint64_t count)
{
	uint32_t task = nav_task(ui);
	struct motion_job *j;

	/* Where nothing lives yet, the first one to come. */
	if (!task && ui->tasks.n && motion == TARGET_LINE && !back)
		task = ui->tasks.v[0].task;
	if (!task) {
		ui_say(ui, "this event belongs to no task");
		return;
	}
	j = motion_new(ui, motion, back, count);
	j->req.task = task;
	if (!back && motion != TARGET_STEP)
		add_breaks(ui, j, STEP_BREAKS);
	submit(ui, j, r, back ? "the task begins here" : "the task ends here");
}

static bool
breaks_are_on(const struct ui *ui)
{
	for (size_t i = 0; i < ui->breaks.len; i++) {
		if (!ui->breaks.v[i].off)
			return true;
	}
	return false;
}

static void
go_on(struct ui *ui, bool back, uint64_t count)
{
	struct motion_job *j;

	if (!breaks_are_on(ui)) {
		ui_say(ui, ui->breaks.len
				   ? "all breakpoints are off"
				   : "there are no breakpoints; b sets one, "
				     ":catch another stop");
		return;
	}
	j = motion_new(ui, TARGET_CONTINUE, back, count);
	add_breaks(ui, j, SIZE_MAX);
	add_watches(ui, j);
	catches_put(ui, &j->catches, &j->req);
	j->req.task = 0;
	submit(ui, j, back ? REQ_CONTINUE_BACK : REQ_CONTINUE,
	       back ? "no breakpoint is met before this moment"
		    : "no breakpoint is met after this moment");
}

/* Did a search for this write end here? Then the one before is wanted. */
static bool
stands_after_write(const struct ui *ui, uint64_t addr)
{
	const struct pos now = nav_pos(ui);

	return ui->written.addr == addr && pos_same(&ui->written.at, &now);
}

static void
writer(struct ui *ui, bool back, uint64_t count)
{
	struct motion_job *j;
	struct watched what;

	if (!watch_here(ui, &what))
		return;
	j = motion_new(ui, TARGET_CONTINUE, back, count);
	j->watch = (struct target_watch){ .addr = what.addr,
					  .len = what.len,
					  .process = watch_process(ui) };
	j->just_before = back && !stands_after_write(ui, j->watch.addr);
	j->req.task = 0;
	j->req.watches = &j->watch;
	j->req.n_watches = 1;
	submit(ui, j, back ? REQ_WRITER : REQ_NEXT_WRITER,
	       back ? "nobody wrote there before this moment"
		    : "nobody writes there after this moment");
}

/* At the line of the pane that has the keys, or where the user says. */
static void
set_break(struct ui *ui)
{
	const struct view *v = ui_focused(ui);
	const struct tui_moment *m = &ui->moment.m;
	char line[32];

	if (v == ui->views[VIEW_CODE] && v->lines.cursor < v->lines.v.len &&
	    v->lines.v.v[v->lines.cursor].num) {
		breaks_toggle(ui, v->lines.v.v[v->lines.cursor].num);
	} else if (v == ui->views[VIEW_SOURCE] && ui->moment.valid &&
		   m->n_src) {
		snprintf(line, sizeof(line), "%zu",
			 (size_t)m->src_first + v->lines.cursor);
		breaks_set(ui, line);
	} else {
		prompt_open(&ui->prompt, PROMPT_COMMAND, "break ");
		ui->redraw = true;
	}
}

static bool
is_motion(enum request r)
{
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		if (r == steps[i].forwards || r == steps[i].back)
			return true;
	}
	return r == REQ_CONTINUE || r == REQ_CONTINUE_BACK || r == REQ_WRITER ||
	       r == REQ_NEXT_WRITER;
}

/* While one is under way: the same one more often, or another one after it.
 * False: none is. */
static bool
add_to_motion(struct ui *ui, enum request r, uint64_t count)
{
	struct motion_job *j = ui->motion.job;
	uint64_t n = count ? count : 1;

	if (!j)
		return false;
	if (j->asked != r) {
		if (ui->motion.then != r)
			ui->motion.then_count = 0;
		ui->motion.then = r;
		if (ui->motion.then_count < AHEAD_MAX)
			ui->motion.then_count += n;
	} else if (atomic_load(&j->count) < AHEAD_MAX) {
		atomic_fetch_add(&j->count, n);
	}
	return true;
}

bool
motion_request(struct ui *ui, enum request r, uint64_t count)
{
	if (is_motion(r) && add_to_motion(ui, r, count))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		if (r != steps[i].forwards && r != steps[i].back)
			continue;
		step(ui, r, steps[i].motion, r == steps[i].back, count);
		return true;
	}
	switch ((int)r) {
	case REQ_CONTINUE:
	case REQ_CONTINUE_BACK:
		go_on(ui, r == REQ_CONTINUE_BACK, count);
		return true;
	case REQ_WRITER:
	case REQ_NEXT_WRITER:
		writer(ui, r == REQ_WRITER, count);
		return true;
	case REQ_BREAK:
		set_break(ui);
		return true;
	}
	return false;
}
