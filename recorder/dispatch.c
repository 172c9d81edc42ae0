/*
 * From a stop to its handler. A handler that finds its task dead returns
 * -E_GONE, which ends here: the exit stop or the end will be reported by wait, because
 * whoever waits for one task only looks at its death (stop_peek).
 */
#define LOG_DOMAIN "recorder"
#include "base/log.h"
#include "recorder/agent.h"
#include "recorder/chaos.h"
#include "recorder/engine.h"
#include "recorder/nondet.h"
#include "recorder/preempt.h"
#include "recorder/sched.h"
#include "recorder/seat.h"
#include "recorder/task.h"

static int
on_syscall_stop(struct recorder *r, struct task *t, struct err *err)
{
	/* Only a task at a seccomp stop, or at an event stop inside a call, is
	 * resumed with PTRACE_SYSCALL: what follows is an exit stop. */
	if (!t->call.active)
		return task_resume(t, PTRACE_CONT, 0);
	if (t->in_vfork)
		life_vforked(t);
	return syscall_exit(r, t, err);
}

static int
on_call(struct recorder *r, struct task *t, struct err *err)
{
	int ret = agent_gate(r, t, err);

	if (ret != 0)
		return ret < 0 ? ret : 0;
	return syscall_entry(r, t, err);
}

static int
on_event_stop(struct recorder *r, struct task *t, struct err *err)
{
	int ret = signal_not_stopped(r, t, err);

	if (ret < 0)
		return ret;
	if (t->state == TASK_HELD)
		return signal_continued(t);
	return sched_interrupted(r, t, err);
}

static int
handle(struct recorder *r, struct task *t, struct err *err)
{
	switch (t->stop.kind) {
	case STOP_SECCOMP:
		return on_call(r, t, err);
	case STOP_SYSCALL:
		return on_syscall_stop(r, t, err);
	case STOP_SIGNAL:
		return signal_stop(r, t, err);
	case STOP_GROUP:
		return signal_group_stop(r, t, err);
	case STOP_EVENT_STOP:
		return on_event_stop(r, t, err);
	case STOP_FORK:
	case STOP_VFORK:
	case STOP_CLONE:
		return life_fork(r, t, err);
	case STOP_EXEC:
		return life_exec(r, t, err);
	case STOP_EXIT:
		return life_exit_stop(r, t, err);
	case STOP_NONE:
	case STOP_EXITED:
	case STOP_KILLED:
		break;
	}
	return 0;
}

/* The task that a stop is about; an exec by another thread comes under the
 * leader's tid. */
static struct task *
find_task(struct recorder *r, const struct stop *stop)
{
	struct task *t = task_get(r, stop->tid);

	if (stop->kind == STOP_EXITED || stop->kind == STOP_KILLED)
		return t;
	if (t == NULL)
		t = task_add(r, stop->tid);
	return t;
}

int
dispatch(struct recorder *r, const struct stop *stop, struct err *err)
{
	struct task *t = find_task(r, stop);
	int ret;

	if (t == NULL)
		return 0; /* a child of ours that is no part of the recording */
	log_debug("%d (task %u): %s signo %d status %x", stop->tid, t->number,
		  stop_name(stop->kind), stop->signo, (unsigned)stop->status);
	t->stop = *stop;
	if (agent_test_call(r, t, err))
		return 0;
	seat_follow(r, t);
	if (stop->kind != STOP_EVENT_STOP && stop->kind != STOP_GROUP)
		preempt_cancel(r, t);
	if (t->proc != NULL)
		agent_close(task_space(t));
	ret = agent_drain(r, err);
	if (ret < 0)
		return ret;
	arena_clear(&r->arena);
	if (stop->kind == STOP_EXITED || stop->kind == STOP_KILLED)
		ret = life_reaped(r, t, err);
	else if (t->state == TASK_NEW)
		ret = life_first_stop(r, t, err);
	else
		ret = handle(r, t, err);
	return ret == -E_GONE ? 0 : ret;
}

int
dispatch_turn(struct recorder *r, struct task *t, struct err *err)
{
	int ret = 0;

	arena_clear(&r->arena);
	switch (t->next) {
	case NEXT_RESUME:
		ret = nondet_go_on(t, err);
		if (ret < 0)
			break;
		if (t->stash.signo != 0 && !t->stash.sent) {
			ret = signal_now(r, t, err);
			break;
		}
		chaos_resume(r, t);
		ret = task_resume(t, PTRACE_CONT, 0);
		break;
	case NEXT_ENTRY:
		ret = syscall_entry(r, t, err);
		break;
	case NEXT_EXIT:
		ret = syscall_finish(r, t, err);
		break;
	case NEXT_SIGNAL:
		ret = signal_turn(r, t, err);
		break;
	case NEXT_AGENT:
		ret = task_resume(t, PTRACE_CONT, 0);
		break;
	}
	return ret == -E_GONE ? 0 : ret;
}
