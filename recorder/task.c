#include "recorder/task.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "recorder/agent.h"
#include "recorder/engine.h"
#include "recorder/exec.h"
#include "recorder/preempt.h"
#include "tracee/bpf.h"

struct task *
task_get(const struct recorder *r, pid_t tid)
{
	return map_get(&r->tasks, (uint64_t)tid);
}

struct task *
task_add(struct recorder *r, pid_t tid)
{
	struct task *t = mem_zalloc(sizeof(*t));

	t->tid = tid;
	t->state = TASK_NEW;
	map_set(&r->tasks, (uint64_t)tid, t);
	return t;
}

void
task_unborn(struct recorder *r, const struct task *t)
{
	for (size_t i = 0; i < r->unborn.len; i++) {
		if (r->unborn.v[i] == t) {
			vec_swap_remove(&r->unborn, i);
			break;
		}
	}
}

void
task_free(struct recorder *r, struct task *t)
{
	ASSERT(t->proc == NULL);
	task_unborn(r, t);
	outputs_forget(r, t);
	if (task_get(r, t->tid) == t)
		map_del(&r->tasks, (uint64_t)t->tid);
	arena_free(&t->call.arena);
	bpf_chain_unref(t->filters);
	mem_free(t);
}

void
task_rename(struct recorder *r, struct task *t, pid_t tid)
{
	map_del(&r->tasks, (uint64_t)t->tid);
	t->tid = tid;
	map_set(&r->tasks, (uint64_t)tid, t);
}

int
task_go(struct task *t, int request, int signo)
{
	int ret;

	if (t->proc != NULL && task_space(t)->agent != NULL)
		agent_resume(t);
	t->stop.kind = STOP_NONE;
	t->left |= request != PTRACE_LISTEN;
	ret = ptrace_resume(t->tid, request, signo);
	return ret == -E_GONE ? 0 : ret;
}

int
task_resume(struct task *t, int request, int signo)
{
	/* Resumed in the midst of job control's stop, it must get back there;
	 * if it is over by now, that is how we hear of it. */
	if (t->proc != NULL && t->proc->stopped && request != PTRACE_LISTEN &&
	    !t->interrupted && !t->taking_now)
		t->interrupted = ptrace_interrupt(t->tid) == 0;
	return task_go(t, request, signo);
}

int
task_resume_in_place(struct task *t)
{
	bool left = t->left;
	int ret = task_resume(t, PTRACE_CONT, 0);

	t->left = left;
	return ret;
}

struct space *
task_space(const struct task *t)
{
	return t->proc->space;
}

struct group *
task_group(const struct task *t)
{
	return t->proc->space->group;
}

bool
task_is_as_it_was(const struct task *t, const struct regs *regs)
{
	struct regs a = *regs;

	a.orig_rax = t->last.orig_rax;
	return memcmp(&a, &t->last, sizeof(a)) == 0;
}

bool
task_is_at(const struct task *t, const struct regs *regs)
{
	return !(t->left && t->in_code) && task_is_as_it_was(t, regs);
}

bool
task_is_at_event(const struct task *t, const struct regs *regs)
{
	return !t->stash.rewound && task_is_at(t, regs);
}

uint64_t
task_computes_ns(const struct recorder *r, const struct task *t)
{
	return r->now_ns -
	       (t->event_ns > t->turn_ns ? t->event_ns : t->turn_ns);
}

struct process *
process_new(struct recorder *r, pid_t tgid, struct space *s)
{
	struct process *p = mem_zalloc(sizeof(*p));

	p->number = ++r->nprocs;
	p->tgid = tgid;
	p->space = s;
	p->dumpable = 1;
	s->refs++;
	return p;
}

void
process_add(struct process *p, struct task *t)
{
	t->proc = p;
	vec_push(&p->tasks, t);
	p->space->group->live++;
}

void
process_remove(struct recorder *r, struct task *t)
{
	struct process *p = t->proc;

	agent_leave(t);
	for (size_t i = 0; i < p->tasks.len; i++) {
		if (p->tasks.v[i] == t) {
			vec_remove(&p->tasks, i);
			break;
		}
	}
	preempt_cancel(r, t); /* before the space goes */
	t->proc = NULL;
	if (p->tasks.len > 0)
		return;
	space_drop(r, p->space);
	vec_free(&p->tasks);
	mem_free(p);
}

struct space *
space_new(struct recorder *r, struct group *g)
{
	struct space *s = mem_zalloc(sizeof(*s));

	s->number = ++r->nspaces;
	s->group = g;
	s->mem.fd = s->maps = -1;
	g->refs++;
	vec_push(&r->spaces, s);
	return s;
}

void
space_drop(struct recorder *r, struct space *s)
{
	if (--s->refs > 0)
		return;
	for (size_t i = 0; i < r->spaces.len; i++) {
		if (r->spaces.v[i] == s) {
			vec_swap_remove(&r->spaces, i);
			break;
		}
	}
	group_drop(r, s->group);
	exec_forget(s);
	agent_forget(s);
	dirty_close(s->dirty);
	mem_close(&s->mem);
	fd_close(&s->maps);
	vec_free(&s->shmaps);
	mem_free(s);
}

int
task_mapping(const struct task *t, uint64_t addr, struct arena *a,
	     struct vma *out, struct err *err)
{
	return maps_query_by(&task_space(t)->maps, t->tid, addr, a, out, err);
}

bool
space_is_shared(const struct task *t)
{
	return t->proc->tasks.len > 1 || t->proc->space->refs > 1;
}

struct group *
group_new(struct recorder *r)
{
	struct group *g = mem_zalloc(sizeof(*g));

	g->number = ++r->ngroups;
	vec_push(&r->groups, g);
	return g;
}

void
group_drop(struct recorder *r, struct group *g)
{
	if (--g->refs > 0)
		return;
	for (size_t i = 0; i < r->groups.len; i++) {
		if (r->groups.v[i] == g) {
			vec_swap_remove(&r->groups, i);
			break;
		}
	}
	vec_free(&g->ready);
	vec_free(&g->wanted);
	mem_free(g);
}

int
task_borrow_fd(const struct task *t, uint64_t fd)
{
	int pidfd = (int)syscall(SYS_pidfd_open, t->proc->tgid, 0);
	int ours = -1;

	if (pidfd >= 0)
		ours = (int)syscall(SYS_pidfd_getfd, pidfd, (int)fd, 0);
	fd_close(&pidfd);
	return ours;
}
