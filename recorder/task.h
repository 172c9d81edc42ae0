#ifndef RECORDER_TASK_H
#define RECORDER_TASK_H

/* The tables: who exists, who shares what. No events, no ptrace but resuming. */
#include "recorder/internal.h"
#include "tracee/maps.h"

struct task *task_get(const struct recorder *r, pid_t tid); /* or NULL */
struct task *task_add(struct recorder *r, pid_t tid);	    /* TASK_NEW */
/* It is announced, or gone: it need not be looked for any more. */
void task_unborn(struct recorder *r, const struct task *t);
/* Forget a task that is out of its process's list. */
void task_free(struct recorder *r, struct task *t);
/* Another thread called exec: t has the leader's tid from now on. */
void task_rename(struct recorder *r, struct task *t, pid_t tid);
/*
 * Let it run on from its stop. Death is no error: wait will report it.
 * request is PTRACE_CONT, PTRACE_SYSCALL or PTRACE_LISTEN.
 */
int task_resume(struct task *t, int request, int signo);
/* ... to a stop that comes before its next instruction. */
int task_resume_in_place(struct task *t);
/* ... up to its event, even if job control stops its process meanwhile. */
int task_go(struct task *t, int request, int signo);
struct group *task_group(const struct task *t);
struct space *task_space(const struct task *t);
/* True when t has not run since its last event: its registers are the same.
 * orig_rax does not count, the kernel and we change it. Where the event lies in
 * the midst of code (a point, a handler's begin) a loop may have led back
 * there, with nothing but memory changed: then it counts as gone once it was
 * resumed. */
bool task_is_at(const struct task *t, const struct regs *regs);
/* By the registers alone: for who knows that it did not run. */
bool task_is_as_it_was(const struct task *t, const struct regs *regs);
/* ... and that event was no call that we put off: others may go on from here.
 */
bool task_is_at_event(const struct task *t, const struct regs *regs);
/* How long it has had the baton without an event. */
uint64_t task_computes_ns(const struct recorder *r, const struct task *t);

/* A descriptor of t's as one of ours, with the same file position; -1. */
int task_borrow_fd(const struct task *t, uint64_t fd);
/* The mapping at addr (tracee/maps.h). */
int task_mapping(const struct task *t, uint64_t addr, struct arena *a,
		 struct vma *out, struct err *err);

struct process *process_new(struct recorder *r, pid_t tgid, struct space *s);
void process_add(struct process *p, struct task *t);
/* Take t out; the last one frees the process and drops its space. */
void process_remove(struct recorder *r, struct task *t);

/* refs is 0: process_new takes one. */
struct space *space_new(struct recorder *r, struct group *g);
void space_drop(struct recorder *r, struct space *s);
/* True when spaces of other processes, or tasks of this one, use it too. */
bool space_is_shared(const struct task *t);

struct group *group_new(struct recorder *r);
void group_drop(struct recorder *r, struct group *g);

#endif
