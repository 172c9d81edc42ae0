/*
 * Running, in both directions. The target moves; what it stops at is told to
 * the client, or passed over: a client sees the processes that are shown, not
 * the others, and history ends for it where the last of those ends.
 */
#include "gdb/divert.h"
#include "gdb/spot.h"
#include "gdb/thread.h"

#include <signal.h>
#include <string.h>

#include "event/event.h"

#define EVENTS                                                                 \
	(TARGET_ON_SIGNAL | TARGET_ON_FORK | TARGET_ON_EXEC | TARGET_ON_EXIT)

/* What the client asked for. */
struct wish {
	enum target_motion motion;
	bool back;
	uint32_t task;
	uint64_t from, to; /* step on as long as it is in there; 0 = once */
	bool only;	   /* gdb expects a stop of no other task */
};

static void
stop_for(struct gdb_server *s, enum stop_why why, uint32_t task)
{
	s->stop = (struct stop_reason){ .why = why, .task = task };
}

/* Stand at the edge of what is shown, and say so. */
static int
at_edge(struct gdb_server *s, uint64_t seq, bool back, struct err *err)
{
	struct pos p = { .seq = seq };
	int ret = gdb_server_seek(s, &p, server_go_on, s, err);

	stop_for(s, back ? WHY_BEGIN : WHY_END, s->task);
	return ret;
}

static uint32_t
process_of(struct gdb_server *s, uint32_t task)
{
	threads_load(s, NULL);
	for (size_t i = 0; i < s->n_tasks; i++) {
		if (s->tasks[i].task == task)
			return s->tasks[i].process;
	}
	return 0;
}

/* ---- events: 1 = tell the client, 0 = go on */

static int
at_birth(struct gdb_server *s, const struct event *ev, bool back,
	 struct err *err)
{
	uint32_t process = (uint32_t)ev->args[1];
	uint32_t parent = (uint32_t)ev->args[2];
	bool thread = process_of(s, parent) == process;
	int ret;

	if (thread)
		return 0;
	if (back) {
		if (!process_is_shown(s, process))
			return 0;
		if (!process_others_live(s, process)) {
			/* Its history begins here. */
			ret = at_edge(s, ev->seq, true, err);
			return ret < 0 ? ret : 1;
		}
		stop_for(s, WHY_EXITED, 0);
		s->stop.pid = (int)ev->args[0];
		process_hide(s, process);
		return 1;
	}
	if (!process_is_shown(s, process_of(s, parent)) || !s->fork_events)
		return 0;
	process_show(s, process);
	stop_for(s, WHY_FORK, parent);
	s->stop.child = ev->task;
	return 1;
}

static int
at_death(struct gdb_server *s, const struct event *ev, uint32_t process,
	 int pid, bool back, struct err *err)
{
	int ret;

	if (back || !ev->args[2] || !process_is_shown(s, process))
		return 0;
	if (process_others_live(s, process)) {
		stop_for(s, WHY_EXITED, 0);
		s->stop.pid = pid;
		s->stop.status = (int)ev->args[1];
		/* gdb does not expect it to come back. */
		process_hide(s, process);
		return 1;
	}
	ret = at_edge(s, before_deaths(s, ev->seq), false, err);
	return ret < 0 ? ret : 1;
}

static int
at_exec(struct gdb_server *s, const struct event *ev, bool back,
	struct err *err)
{
	struct pos before = { .seq = ev->seq - 1 };
	uint32_t process = process_of(s, ev->task);
	int ret;

	if (!process_is_shown(s, process))
		return 0;
	if (back) {
		/* The program that was there before. */
		ret = s->t->ops->seek(s->t, &before, server_go_on, s, err);
		threads_forget(s);
		if (ret < 0)
			return ret;
		if (!thread_find(s, ev->task)) {
			ret = at_edge(s, ev->seq, true, err);
			return ret < 0 ? ret : 1;
		}
	}
	stop_for(s, WHY_EXEC, ev->task);
	return s->exec_events;
}

static int
at_signal(struct gdb_server *s, const struct event *ev)
{
	if (!thread_find(s, ev->task) || !signal_is_caught(s, ev))
		return 0;
	stop_for(s, WHY_SIGNAL, ev->task);
	s->stop.signo = (int)ev->args[0];
	return 1;
}

static int
at_call(struct gdb_server *s, const struct event *ev)
{
	if (!thread_find(s, ev->task) || !call_is_caught(s, ev->call))
		return 0;
	stop_for(s, ev->kind == EV_enter ? WHY_CALL : WHY_RETURN, ev->task);
	s->stop.call = ev->call;
	return 1;
}

/* Who dies is not among the tasks any more: whose process it was is what the
 * moment before it says. */
struct dying {
	uint32_t process;
	int pid;
};

static int
find_dying(struct gdb_server *s, const struct event *ev, struct dying *out,
	   struct err *err)
{
	struct pos p = { .seq = ev->seq - 1 };
	int ret;

	ret = s->t->ops->seek(s->t, &p, server_go_on, s, err);
	threads_forget(s);
	if (ret < 0)
		return ret;
	threads_load(s, NULL);
	for (size_t i = 0; i < s->n_tasks; i++) {
		if (s->tasks[i].task == ev->task) {
			out->process = s->tasks[i].process;
			out->pid = s->tasks[i].tgid;
		}
	}
	p.seq = ev->seq;
	ret = s->t->ops->seek(s->t, &p, server_go_on, s, err);
	threads_forget(s);
	return ret;
}

static int
at_event(struct gdb_server *s, const struct target_stop *stop, bool back,
	 struct err *err)
{
	struct dying dying = { 0 };
	struct event ev;
	int ret;

	ret = s->t->ops->event(s->t, stop->pos.seq, &ev, err);
	if (ret < 0)
		return ret;
	ev.payload = span_of(NULL, 0); /* borrowed for less long than we need */
	switch (ev.kind) {
	case EV_signal:
		return at_signal(s, &ev);
	case EV_enter:
	case EV_exit:
	case EV_syscall:
		return at_call(s, &ev);
	case EV_birth:
		return at_birth(s, &ev, back, err);
	case EV_exec:
		return at_exec(s, &ev, back, err);
	case EV_death:
		if (back || !ev.args[2])
			return 0;
		ret = find_dying(s, &ev, &dying, err);
		if (ret < 0)
			return ret;
		return at_death(s, &ev, dying.process, dying.pid, back, err);
	default:
		return 0;
	}
}

/* ---- moving */

static int
at_spot(struct gdb_server *s, const struct target_stop *stop)
{
	static const enum stop_why whys[] = {
		[SPOT_SW] = WHY_SWBREAK,    [SPOT_HW] = WHY_HWBREAK,
		[SPOT_WRITE] = WHY_WATCH,   [SPOT_READ] = WHY_RWATCH,
		[SPOT_ACCESS] = WHY_AWATCH,
	};
	const struct spot *p = spot_of(s, stop);

	if (!p || (stop->task && !thread_find(s, stop->task)))
		return 0;
	stop_for(s, whys[p->kind], stop->task);
	s->stop.addr = p->addr;
	return 1;
}

/* A step is done; 0 when it is to go on in its range. */
static int
at_step(struct gdb_server *s, const struct wish *w)
{
	const struct target_task *t = thread_find(s, w->task);

	if (t && w->from <= t->pc && t->pc < w->to)
		return 0;
	stop_for(s, WHY_SIGNAL, w->task);
	s->stop.signo = SIGTRAP;
	return 1;
}

static int
moved_to(struct gdb_server *s, const struct wish *w,
	 const struct target_stop *stop, struct err *err)
{
	int ret;

	switch (stop->why) {
	case TARGET_AT_BREAK:
	case TARGET_AT_WATCH:
		return at_spot(s, stop);
	case TARGET_AT_EVENT:
		return at_event(s, stop, w->back, err);
	case TARGET_AT_STEP:
		return at_step(s, w);
	case TARGET_AT_START:
	case TARGET_AT_END:
		ret = at_edge(s, stop->pos.seq, w->back, err);
		return ret < 0 ? ret : 1;
	}
	return 0;
}

static void
failed(struct gdb_server *s, struct err *err, int ret)
{
	struct buf text = { 0 };

	threads_forget(s);
	thread_settle(s);
	stop_for(s, WHY_SIGNAL, s->task);
	if (ret == -E_CANCELLED) {
		s->stop.signo = SIGINT;
		return;
	}
	buf_str(&text, "O");
	hex_put(&text, "pastime: ", 9);
	hex_put(&text, err->text, strlen(err->text));
	hex_put(&text, "\n", 1);
	server_send(s, buf_span(&text));
	buf_free(&text);
}

/*
 * gdb steps one task alone over a breakpoint, and cannot bear a stop of another
 * then: that is told when it goes on.
 */
static void
reply(struct gdb_server *s, const struct wish *w)
{
	if (w->only && s->stop.task != w->task && thread_find(s, w->task)) {
		s->next = s->stop;
		s->moved = s->has_next = true;
		stop_for(s, WHY_SIGNAL, w->task);
		s->stop.signo = SIGTRAP;
	}
	stop_reply(s);
}

/* Go as the client wishes, to a stop that it can see. */
static void
resume(struct gdb_server *s, const struct wish *w)
{
	struct arena a = { 0 };
	struct target_motion_req req = {
		.motion = w->motion,
		.back = w->back,
		.task = w->motion == TARGET_CONTINUE ? 0 : w->task,
		.events = EVENTS,
		.call = -1,
		.before_write = w->back,
		.progress = server_go_on,
		.ctx = s,
	};
	struct target_stop stop;
	struct err err = { 0 };
	int ret;

	spots_put(s, &a, &req);
	if (s->catch_calls)
		req.events |= TARGET_ON_CALL | TARGET_ON_RETURN;
	do {
		ret = s->t->ops->move(s->t, &req, &stop, &err);
		threads_forget(s);
		if (ret == 0)
			ret = moved_to(s, w, &stop, &err);
	} while (ret == 0);
	arena_free(&a);
	if (ret < 0)
		failed(s, &err, ret);
	if (!s->gone)
		reply(s, w);
}

/* ---- packets */

/* The client was moved: it learns where it is. */
static bool
tell_moved(struct gdb_server *s)
{
	if (!s->moved)
		return false;
	s->moved = false;
	if (s->has_next)
		s->stop = s->next;
	else
		stop_of_event(s);
	s->has_next = false;
	stop_reply(s);
	return true;
}

/* What is to go on may be a function that the client calls. */
static void
resume_or_call(struct gdb_server *s, const struct wish *w)
{
	if (!w->back && divert_resume(s, w->motion == TARGET_STEP)) {
		if (!s->gone)
			stop_reply(s);
		return;
	}
	divert_end(s);
	resume(s, w);
}

/* ";c", ";s:p1.2", ";r1000,1010:p1.2": the first that steps decides. */
static void
do_vcont(struct gdb_server *s, struct scan *args)
{
	struct wish w = { .motion = TARGET_CONTINUE };
	unsigned actions = 0;

	/* Threads that it names may be gone. */
	if (tell_moved(s))
		return;
	while (scan_word(args, ";")) {
		struct wish one = { .motion = TARGET_CONTINUE };
		char what = args->p < args->end ? *args->p++ : '\0';

		if (what == 'C' || what == 'S')
			scan_hex(args); /* what was recorded is delivered */
		if (what == 'r') {
			one.from = scan_hex(args);
			scan_char(args, ',');
			one.to = scan_hex(args);
		}
		if (what == 's' || what == 'S' || what == 'r')
			one.motion = TARGET_STEP;
		else if (what != 'c' && what != 'C')
			args->bad = true;
		if (scan_word(args, ":"))
			one.task = thread_scan(s, args);
		if (one.task == 0 || one.task == TASK_ALL)
			one.task = s->task;
		if (w.motion == TARGET_CONTINUE)
			w = one;
		actions++;
	}
	w.only = actions == 1 && w.motion == TARGET_STEP;
	if (!scan_done(args))
		reply_error(s, 1);
	else
		resume_or_call(s, &w);
}

static void
do_vcont_what(struct gdb_server *s, struct scan *args)
{
	(void)args;
	buf_str(&s->reply, "vCont;c;C;s;S;r");
}

/* c, s, C, S of clients without vCont, bc and bs. */
static void
go(struct gdb_server *s, enum target_motion motion, bool back)
{
	struct wish w = { .motion = motion, .back = back, .task = s->c_task };

	if (!w.task || !thread_find(s, w.task))
		w.task = s->task;
	if (!tell_moved(s))
		resume_or_call(s, &w);
}

static void
do_continue(struct gdb_server *s, struct scan *args)
{
	(void)args;
	go(s, TARGET_CONTINUE, false);
}

static void
do_step(struct gdb_server *s, struct scan *args)
{
	(void)args;
	go(s, TARGET_STEP, false);
}

static void
do_back_continue(struct gdb_server *s, struct scan *args)
{
	(void)args;
	go(s, TARGET_CONTINUE, true);
}

static void
do_back_step(struct gdb_server *s, struct scan *args)
{
	(void)args;
	go(s, TARGET_STEP, true);
}

static void
do_why(struct gdb_server *s, struct scan *args)
{
	(void)args;
	divert_end(s);
	s->moved = s->has_next = false;
	threads_forget(s);
	thread_settle(s);
	stop_of_event(s);
	stop_reply(s);
}

/* Another process of the recording is to be shown, too. */
static void
do_attach(struct gdb_server *s, struct scan *args)
{
	const struct target_task *t = process_find(s, (int)scan_hex(args));
	struct err err;

	if (!scan_done(args) || !t) {
		err_set(&err, E_NOT_FOUND, "no such process lives here");
		reply_err(s, &err);
		return;
	}
	process_show(s, t->process);
	s->moved = s->has_next = false;
	stop_for(s, WHY_SIGNAL, t->task);
	stop_reply(s);
}

/* gdb's run: from the start. */
static void
do_run(struct gdb_server *s, struct scan *args)
{
	struct pos start = { 0 };
	struct err err = { 0 };

	(void)args;
	vec_clear(&s->shown);
	vec_clear(&s->told);
	if (gdb_server_seek(s, &start, server_go_on, s, &err) < 0) {
		reply_err(s, &err);
		return;
	}
	stop_for(s, WHY_SIGNAL, s->task);
	s->stop.signo = SIGTRAP;
	stop_reply(s);
}

const struct handler resume_handlers[] = {
	{ "?", do_why },	{ "vCont?", do_vcont_what },
	{ "vCont", do_vcont },	{ "vAttach;", do_attach },
	{ "vRun", do_run },	{ "bc", do_back_continue },
	{ "bs", do_back_step }, { "c", do_continue },
	{ "C", do_continue },	{ "s", do_step },
	{ "S", do_step },	{ NULL, NULL },
};
