/* Processes and threads: which ones a client sees, and how it names them. */
#include "gdb/thread.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "event/event.h"
#include "event/sys.h"

void
threads_forget(struct gdb_server *s)
{
	s->known = false;
	arena_clear(&s->arena);
	s->tasks = NULL;
	s->n_tasks = 0;
	mem_free(s->xfer.key);
	s->xfer.key = NULL;
}

int
threads_load(struct gdb_server *s, struct err *err)
{
	int ret;

	if (s->known)
		return 0;
	ret = s->t->ops->tasks(s->t, &s->arena, &s->tasks, &s->n_tasks, err);
	s->known = ret == 0;
	if (ret < 0)
		s->n_tasks = 0;
	return ret;
}

static bool
has_program(const struct target_task *t)
{
	return t->alive && t->space != 0;
}

bool
process_is_shown(const struct gdb_server *s, uint32_t process)
{
	for (size_t i = 0; i < s->shown.len; i++) {
		if (s->shown.v[i] == process)
			return true;
	}
	return false;
}

void
process_show(struct gdb_server *s, uint32_t process)
{
	if (!process_is_shown(s, process))
		vec_push(&s->shown, process);
}

void
process_hide(struct gdb_server *s, uint32_t process)
{
	for (size_t i = 0; i < s->shown.len; i++) {
		if (s->shown.v[i] == process) {
			vec_remove(&s->shown, i);
			break;
		}
	}
	for (size_t i = 0; i < s->told.len; i++) {
		if (s->told.v[i].process == process) {
			vec_remove(&s->told, i);
			break;
		}
	}
}

bool
task_is_shown(struct gdb_server *s, const struct target_task *t)
{
	return has_program(t) && process_is_shown(s, t->process);
}

const struct target_task *
thread_next(struct gdb_server *s, size_t *i)
{
	threads_load(s, NULL);
	while (*i < s->n_tasks) {
		const struct target_task *t = &s->tasks[(*i)++];

		if (task_is_shown(s, t))
			return t;
	}
	return NULL;
}

const struct target_task *
thread_find(struct gdb_server *s, uint32_t task)
{
	const struct target_task *t;
	size_t i = 0;

	while ((t = thread_next(s, &i)) != NULL) {
		if (t->task == task)
			return t;
	}
	return NULL;
}

const struct target_task *
process_find(struct gdb_server *s, int tgid)
{
	threads_load(s, NULL);
	for (size_t i = 0; i < s->n_tasks; i++) {
		if (has_program(&s->tasks[i]) && s->tasks[i].tgid == tgid)
			return &s->tasks[i];
	}
	return NULL;
}

bool
process_others_live(struct gdb_server *s, uint32_t process)
{
	const struct target_task *t;
	size_t i = 0;

	while ((t = thread_next(s, &i)) != NULL) {
		if (t->process != process)
			return true;
	}
	return false;
}

struct told *
process_told(struct gdb_server *s, uint32_t process)
{
	for (size_t i = 0; i < s->told.len; i++) {
		if (s->told.v[i].process == process)
			return &s->told.v[i];
	}
	return NULL;
}

void
process_tell(struct gdb_server *s, const struct target_task *t)
{
	struct told *old = process_told(s, t->process);
	struct told new = { t->process, t->space, t->tgid };

	if (!old)
		vec_push(&s->told, new);
}

/* The task that did the last event, or any. */
static const struct target_task *
most_recent(struct gdb_server *s)
{
	const struct target_task *first = NULL;
	struct event ev = { 0 };
	struct pos at = { 0 };

	s->t->ops->where(s->t, &at);
	if (at.seq > 0)
		s->t->ops->event(s->t, at.seq, &ev, NULL);
	for (size_t i = 0; i < s->n_tasks; i++) {
		const struct target_task *t = &s->tasks[i];

		if (!has_program(t))
			continue;
		if (t->task == (at.task ? at.task : ev.task))
			return t;
		if (!first)
			first = t;
	}
	return first;
}

void
thread_settle(struct gdb_server *s)
{
	const struct target_task *t;
	size_t i = 0;

	if (s->task && thread_find(s, s->task))
		return;
	threads_load(s, NULL);
	t = thread_next(s, &i);
	if (!t) {
		t = most_recent(s);
		if (t)
			process_show(s, t->process);
	}
	s->task = t ? t->task : 0;
}

uint32_t
thread_current(struct gdb_server *s)
{
	if (s->g_task && thread_find(s, s->g_task))
		return s->g_task;
	return s->task;
}

/* ---- ids */

void
thread_put(struct gdb_server *s, struct buf *out, const struct target_task *t)
{
	if (s->multiprocess)
		buf_printf(out, "p%x.", (unsigned)t->tgid);
	buf_printf(out, "%x", (unsigned)t->tid);
}

uint32_t
thread_scan(struct gdb_server *s, struct scan *args)
{
	const struct target_task *t;
	bool any_pid = true, all = false;
	int pid = 0, tid = 0;
	size_t i = 0;

	if (scan_word(args, "p")) {
		if (scan_word(args, "-1"))
			all = true;
		else
			pid = (int)scan_hex(args);
		any_pid = all || pid == 0;
		/* A process alone means all of it. */
		if (!scan_word(args, "."))
			all = true;
	}
	if (args->p < args->end && *args->p != ';') {
		if (scan_word(args, "-1"))
			all = true;
		else
			tid = (int)scan_hex(args);
	}
	if (all && any_pid)
		return TASK_ALL;
	if (tid == 0 && any_pid)
		return 0;
	while (!args->bad && (t = thread_next(s, &i)) != NULL) {
		if ((any_pid || t->tgid == pid) &&
		    (all || tid == 0 || t->tid == tid))
			return t->task;
	}
	args->bad = true;
	return 0;
}

const struct target_task *
process_scan(struct gdb_server *s, struct scan *args)
{
	const struct target_task *t = NULL;

	if (args->p == args->end)
		return thread_find(s, s->task);
	t = process_find(s, (int)scan_hex(args));
	args->bad |= t == NULL;
	return t;
}

/* ---- packets */

/* A thread that is gone since the client looked stands for the current one,
 * until it looks again. */
static void
do_select(struct gdb_server *s, struct scan *args)
{
	bool go = scan_word(args, "c");
	uint32_t task;

	if (!go)
		scan_char(args, 'g');
	task = args->bad ? 0 : thread_scan(s, args);
	if (task == TASK_ALL)
		task = 0;
	if (go)
		s->c_task = task;
	else
		s->g_task = task;
	reply_ok(s);
}

static void
do_alive(struct gdb_server *s, struct scan *args)
{
	thread_scan(s, args);
	if (args->bad)
		reply_error(s, 3);
	else
		reply_ok(s);
}

static void
do_list(struct gdb_server *s, struct scan *args)
{
	const struct target_task *t;
	size_t i = 0;

	(void)args;
	while ((t = thread_next(s, &i)) != NULL) {
		buf_str(&s->reply, s->reply.len == 0 ? "m" : ",");
		thread_put(s, &s->reply, t);
		process_tell(s, t);
	}
	if (s->reply.len == 0)
		buf_str(&s->reply, "l");
}

static void
do_list_more(struct gdb_server *s, struct scan *args)
{
	(void)args;
	buf_str(&s->reply, "l");
}

static void
do_current(struct gdb_server *s, struct scan *args)
{
	const struct target_task *t = thread_find(s, s->task);

	if (!t || !scan_done(args)) /* qCRC: begins so, too */
		return;
	buf_str(&s->reply, "QC");
	thread_put(s, &s->reply, t);
}

const char *
thread_doing(struct gdb_server *s, const struct target_task *t)
{
	struct buf b = { 0 };
	const char *text;

	if (!t->in_call)
		return t->task == s->task ? "stopped" : "runnable";
	buf_printf(&b, "in %s", sys_name(t->call));
	text = arena_strdup(&s->arena, buf_cstr(&b));
	buf_free(&b);
	return text;
}

static void
do_extra(struct gdb_server *s, struct scan *args)
{
	uint32_t task = thread_scan(s, args);
	const struct target_task *t = thread_find(s, task);
	struct buf text = { 0 };

	if (!t) {
		reply_error(s, 3);
		return;
	}
	buf_printf(&text, "%s, %s", t->comm ? t->comm : "", thread_doing(s, t));
	hex_put(&s->reply, text.p, text.len);
	buf_free(&text);
}

static void
do_attached(struct gdb_server *s, struct scan *args)
{
	(void)args;
	buf_str(&s->reply, "1"); /* so that quitting detaches */
}

const struct handler thread_handlers[] = {
	{ "H", do_select },	      { "T", do_alive },
	{ "qfThreadInfo", do_list },  { "qsThreadInfo", do_list_more },
	{ "qC", do_current },	      { "qThreadExtraInfo,", do_extra },
	{ "qAttached", do_attached }, { NULL, NULL },
};
