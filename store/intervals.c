#include "store/intervals.h"

#include <stdlib.h>
#include <sys/syscall.h>

#include "base/mem.h"
#include "event/item.h"
#include "event/sys.h"
#include "store/descriptors.h"
#include "store/mappings.h"

static struct proc *
proc_of(struct intervals *iv, uint32_t process)
{
	return map_get(&iv->by_process, process);
}

struct proc *
intervals_proc(struct intervals *iv, uint32_t task)
{
	struct task_iv *t = map_get(&iv->by_task, task);

	return t ? proc_of(iv, t->process) : NULL;
}

void
intervals_init(struct intervals *iv)
{
	*iv = (struct intervals){ 0 };
}

static void
free_task(struct task_iv *t)
{
	mem_free(t->comm);
	mem_free(t);
}

static void
free_process(struct process_iv *p)
{
	mem_free(p->exe);
	mem_free(p->command);
	mem_free(p);
}

static void
free_image(struct image_iv *m)
{
	mem_free(m->exe);
	buf_free(&m->argv);
	mem_free(m);
}

static void
free_open_file(struct open_file_iv *f)
{
	mem_free(f->name);
	mem_free(f->local);
	mem_free(f->peer);
	mem_free(f);
}

static void
free_logs(struct intervals *iv)
{
	for (size_t i = 0; i < iv->files.len; i++)
		buf_free(&iv->files.v[i].item);
	for (size_t i = 0; i < iv->warnings.len; i++)
		mem_free(iv->warnings.v[i].note);
	vec_clear(&iv->files);
	vec_clear(&iv->warnings);
}

void
intervals_release(struct intervals *iv)
{
	uint64_t key;
	size_t it = 0;
	void *p;

	for (size_t i = 0; i < iv->tasks.len; i++)
		free_task(iv->tasks.v[i]);
	for (size_t i = 0; i < iv->processes.len; i++)
		free_process(iv->processes.v[i]);
	for (size_t i = 0; i < iv->images.len; i++)
		free_image(iv->images.v[i]);
	for (size_t i = 0; i < iv->descriptors.len; i++)
		mem_free(iv->descriptors.v[i]);
	for (size_t i = 0; i < iv->open_files.len; i++)
		free_open_file(iv->open_files.v[i]);
	while (map_next(&iv->by_process, &it, &key, &p)) {
		vec_free(&((struct proc *)p)->fds);
		mem_free(p);
	}
	free_logs(iv);
	vec_free(&iv->tasks);
	vec_free(&iv->processes);
	vec_free(&iv->images);
	vec_free(&iv->descriptors);
	vec_free(&iv->open_files);
	vec_free(&iv->files);
	vec_free(&iv->warnings);
	mappings_release(iv);
	map_free(&iv->by_task);
	map_free(&iv->by_process);
	map_free(&iv->by_file);
}

/* ---- rows that are there already, and new ones */

void
intervals_add_task(struct intervals *iv, struct task_iv *row)
{
	vec_push(&iv->tasks, row);
	map_set(&iv->by_task, row->task, row);
	mappings_enter(iv, row->space);
}

void
intervals_add_process(struct intervals *iv, struct process_iv *row)
{
	struct proc *p = mem_zalloc(sizeof(*p));

	p->row = row;
	vec_push(&iv->processes, row);
	map_set(&iv->by_process, row->process, p);
}

void
intervals_add_image(struct intervals *iv, struct image_iv *row)
{
	struct proc *p = proc_of(iv, row->process);

	vec_push(&iv->images, row);
	if (p)
		p->image = row;
}

/* ---- tasks and processes */

static void
replace(char **text, struct span s)
{
	mem_free(*text);
	*text = mem_printf("%.*s", (int)s.len, (const char *)s.p);
}

static void
on_birth(struct intervals *iv, const struct event *ev)
{
	struct task_iv *t = mem_zalloc(sizeof(*t));
	struct proc *parent =
		ev->args[2] ? intervals_proc(iv, (uint32_t)ev->args[2])
			    : proc_of(iv, 0);
	struct item_reader ir;
	struct process_iv *p;
	struct task_iv *from;
	const char *key;
	struct span value;
	struct item it;

	t->task = ev->task;
	t->tid = (int)ev->args[0];
	t->process = (uint32_t)ev->args[1];
	t->parent = (uint32_t)ev->args[2];
	t->space = (uint32_t)ev->args[4];
	t->group = (uint32_t)ev->args[5];
	t->from_seq = ev->seq;
	t->from_ns = ev->time_ns;
	item_reader_init(&ir, ev->payload);
	while (item_next(&ir, &it, NULL) > 0) {
		if (it.kind == ITEM_KV && item_get_kv(&it, &key, &value) == 0 &&
		    strcmp(key, "comm") == 0)
			replace(&t->comm, value);
	}
	vec_push(&iv->tasks, t);
	map_set(&iv->by_task, t->task, t);
	from = map_get(&iv->by_task, t->parent);
	mappings_birth(iv, t, from ? from->space : 0, ev->seq);
	if (proc_of(iv, t->process))
		return; /* one more thread */
	p = mem_zalloc(sizeof(*p));
	p->process = t->process;
	p->parent = parent ? parent->row->process : 0;
	p->pid = t->tid;
	p->from_seq = ev->seq;
	p->from_ns = ev->time_ns;
	if (parent && parent->row->exe)
		p->exe = mem_strdup(parent->row->exe);
	if (parent && parent->row->command)
		p->command = mem_strdup(parent->row->command);
	intervals_add_process(iv, p);
	descriptors_inherit(iv, parent, proc_of(iv, t->process), ev->seq);
}

static void
end_image(struct proc *p, uint64_t seq)
{
	if (p->image)
		p->image->to_seq = seq;
	p->image = NULL;
}

static void
on_death(struct intervals *iv, const struct event *ev)
{
	struct task_iv *t = map_get(&iv->by_task, ev->task);
	struct proc *p = intervals_proc(iv, ev->task);

	if (!t)
		return;
	t->to_seq = ev->seq;
	t->to_ns = ev->time_ns;
	t->status = (int)ev->args[0];
	t->has_status = true;
	mappings_leave(iv, t->space, ev->seq);
	if (!p || ev->args[2] != 1)
		return;
	p->row->to_seq = ev->seq;
	p->row->to_ns = ev->time_ns;
	p->row->status = (int)ev->args[1];
	p->row->has_status = true;
	end_image(p, ev->seq);
	descriptors_exit(iv, p, ev->seq);
}

/* NUL-separated words with blanks between. */
static char *
command_of(struct span argv)
{
	char *text = mem_alloc(argv.len + 1);

	if (argv.len && argv.p[argv.len - 1] == '\0')
		argv.len--;
	memcpy(text, argv.p, argv.len);
	text[argv.len] = '\0';
	for (size_t i = 0; i < argv.len; i++) {
		if (text[i] == '\0')
			text[i] = ' ';
	}
	return text;
}

static void
on_exec(struct intervals *iv, const struct event *ev)
{
	struct task_iv *t = map_get(&iv->by_task, ev->task);
	struct proc *p = intervals_proc(iv, ev->task);
	struct image_iv *m;
	struct item_reader ir;
	const char *key;
	struct span value;
	struct item it;

	if (!t || !p)
		return;
	end_image(p, ev->seq);
	descriptors_exec(iv, p, ev->seq);
	m = mem_zalloc(sizeof(*m));
	m->process = p->row->process;
	m->from_seq = ev->seq;
	item_reader_init(&ir, ev->payload);
	while (item_next(&ir, &it, NULL) > 0) {
		if (it.kind != ITEM_KV || item_get_kv(&it, &key, &value) < 0)
			continue;
		if (strcmp(key, "comm") == 0) {
			replace(&t->comm, value);
		} else if (strcmp(key, "exe") == 0) {
			replace(&m->exe, value);
			replace(&p->row->exe, value);
		} else if (strcmp(key, "argv") == 0) {
			buf_put(&m->argv, value.p, value.len);
			mem_free(p->row->command);
			p->row->command = command_of(value);
		}
	}
	intervals_add_image(iv, m);
}

/* ---- what is only noted */

static void
on_file(struct intervals *iv, const struct event *ev)
{
	struct file_iv f = { .seq = ev->seq };

	buf_put(&f.item, ev->payload.p, ev->payload.len);
	vec_push(&iv->files, f);
}

static void
on_warning(struct intervals *iv, const struct event *ev)
{
	struct warning_iv w = { .seq = ev->seq,
				.task = ev->task,
				.code = (int)ev->args[0],
				.call = ev->call };
	struct item it;

	if (item_find(ev->payload, ITEM_TEXT, UINT64_MAX, &it))
		replace(&w.note, it.bytes);
	else
		w.note = mem_strdup("");
	vec_push(&iv->warnings, w);
}

/* Mapping calls, and exec: into another space. */
static void
on_maps(struct intervals *iv, const struct event *ev)
{
	struct task_iv *t = map_get(&iv->by_task, ev->task);

	if (!t)
		return;
	if (ev->kind == EV_exec) {
		mappings_leave(iv, t->space, ev->seq);
		t->space = (uint32_t)ev->args[0];
		mappings_enter(iv, t->space);
	}
	mappings_event(iv, t->space, ev);
}

#define PR_SET_NAME_ 15

static void
on_prctl(struct intervals *iv, const struct event *ev)
{
	struct task_iv *t = map_get(&iv->by_task, ev->task);
	struct item it;

	if (!t || ev->args[0] != PR_SET_NAME_ ||
	    !item_find(ev->payload, ITEM_IN, 1, &it))
		return;
	replace(&t->comm, it.bytes);
}

bool
intervals_wants(unsigned kind, int call)
{
	switch (kind) {
	case EV_header:
	case EV_birth:
	case EV_exec:
	case EV_death:
	case EV_file:
	case EV_warning:
		return true;
	case EV_syscall:
	case EV_exit:
		return call >= 0 && (descriptors_want(call) ||
				     mappings_want(call) || call == SYS_prctl);
	}
	return false;
}

void
intervals_event(struct intervals *iv, const struct event *ev)
{
	iv->upto = ev->seq;
	if (!intervals_wants(ev->kind, ev->call))
		return;
	switch (ev->kind) {
	case EV_header:
		descriptors_start(iv, ev);
		break;
	case EV_birth:
		on_birth(iv, ev);
		break;
	case EV_exec:
		on_exec(iv, ev);
		on_maps(iv, ev);
		break;
	case EV_death:
		on_death(iv, ev);
		break;
	case EV_file:
		on_file(iv, ev);
		break;
	case EV_warning:
		on_warning(iv, ev);
		break;
	default:
		if (mappings_want(ev->call))
			on_maps(iv, ev);
		else if (ev->call == SYS_prctl)
			on_prctl(iv, ev);
		else
			descriptors_call(iv, ev);
	}
}

/* ---- after they were stored */

static void
drop_closed_processes(struct intervals *iv)
{
	size_t k = 0;

	for (size_t i = 0; i < iv->processes.len; i++) {
		struct process_iv *p = iv->processes.v[i];
		struct proc *state;

		if (!p->to_seq) {
			iv->processes.v[k++] = p;
			continue;
		}
		state = map_del(&iv->by_process, p->process);
		vec_free(&state->fds);
		mem_free(state);
		free_process(p);
	}
	iv->processes.len = k;
	k = 0;
	for (size_t i = 0; i < iv->images.len; i++) {
		if (iv->images.v[i]->to_seq)
			free_image(iv->images.v[i]);
		else
			iv->images.v[k++] = iv->images.v[i];
	}
	iv->images.len = k;
}

void
intervals_drop_closed(struct intervals *iv)
{
	size_t k = 0;

	for (size_t i = 0; i < iv->descriptors.len; i++) {
		if (iv->descriptors.v[i]->to_seq)
			mem_free(iv->descriptors.v[i]);
		else
			iv->descriptors.v[k++] = iv->descriptors.v[i];
	}
	iv->descriptors.len = k;
	k = 0;
	for (size_t i = 0; i < iv->open_files.len; i++) {
		struct open_file_iv *f = iv->open_files.v[i];

		if (f->refs) {
			iv->open_files.v[k++] = f;
			continue;
		}
		map_del(&iv->by_file, f->file);
		free_open_file(f);
	}
	iv->open_files.len = k;
	k = 0;
	for (size_t i = 0; i < iv->tasks.len; i++) {
		struct task_iv *t = iv->tasks.v[i];

		if (!t->to_seq) {
			iv->tasks.v[k++] = t;
			continue;
		}
		map_del(&iv->by_task, t->task);
		free_task(t);
	}
	iv->tasks.len = k;
	drop_closed_processes(iv);
	mappings_drop_closed(iv);
	free_logs(iv);
}
