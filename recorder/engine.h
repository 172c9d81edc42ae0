#ifndef RECORDER_ENGINE_H
#define RECORDER_ENGINE_H

/* The handlers of stops, by file. All may return -E_GONE. */
#include "recorder/internal.h"

/* dispatch.c: handle one stop. */
int dispatch(struct recorder *r, const struct stop *stop, struct err *err);
/* sched.c calls it: t has got the baton, t->next says what for. */
int dispatch_turn(struct recorder *r, struct task *t, struct err *err);

/* What a call leaves in r11, in recording and replay (docs/EVENTS.md). */
#define R11_CANONICAL 0x246u

/* --- syscall.c: ordinary calls from entry to exit --- */

/* At a seccomp stop. */
int syscall_entry(struct recorder *r, struct task *t, struct err *err);
/* At an exit stop; without the baton the rest is put off. */
int syscall_exit(struct recorder *r, struct task *t, struct err *err);
/* With the baton: outputs, event, resume. */
int syscall_finish(struct recorder *r, struct task *t, struct err *err);
/* The two halves of its event: begin it and gather what the call left behind
 * (the program's memory is complete then); put it. No resume. */
int syscall_collect(struct recorder *r, struct task *t, struct event *ev,
		    struct err *err);
int syscall_emit(struct recorder *r, struct task *t, struct event *ev,
		 struct err *err);
/* Put the enter event of the active call, unless it is out. */
int syscall_log_enter(struct recorder *r, struct task *t, struct err *err);
/* Before an event of t's: the enter events of other groups' calls that are in
 * the kernel and whose effect t may have seen, so that nobody reads what was
 * not yet written. */
int syscall_senders(struct recorder *r, const struct task *t, struct err *err);
/* The program's argument registers back in regs, in place of scratch ones. */
void syscall_own_args(const struct task *t, struct regs *regs);
void syscall_set_arg(struct regs *regs, int i, uint64_t value);
/* What the kernel is asked for instead, if anything. */
void syscall_given_args(const struct task *t, struct regs *regs);
/* The call is over without an event (its task dies, it is re-issued). */
void syscall_forget(struct task *t);
/* At the entry, everything done: into the kernel, up to its exit stop. */
int syscall_resume(struct task *t);
/* Items for bytes that a call wrote, and for bytes of its input. */
void event_output(struct recorder *r, uint64_t addr, struct span bytes);
void event_input(struct recorder *r, int arg, struct span bytes);
/* Answer the call at its entry in the kernel's place. */
void syscall_answer(struct task *t, int64_t ret, bool refused);

/* --- scratch.c: buffers that stand in while a call blocks --- */

/* At the entry. 1: the call has to be issued again (resumed already). */
int scratch_begin(struct recorder *r, struct task *t, struct err *err);
/* len bytes (a few KB) of the task's own that the program does not see, until
 * the call is over. 1: as scratch_begin. *out_at 0: there is none. */
int scratch_room(struct recorder *r, struct task *t, uint64_t len,
		 uint64_t *out_at, struct err *err);
/* The outputs of the call to the program's memory, in place of [addr, len). */
void scratch_copy_out(struct task *t, const struct sys_range *out, int n);
/* Read through the stand-ins: what the kernel sees at addr. */
int64_t scratch_read(const struct task *t, uint64_t addr, void *buf, size_t n);
/* Change an output before it is copied out. */
int64_t scratch_write(const struct task *t, uint64_t addr, const void *p, size_t n);
void scratch_end(struct task *t);
void scratch_forget(struct task *t);

/* --- special*.c: calls that need more than their row --- */

enum special {
	SPECIAL_RUN,	/* go on as an ordinary call */
	SPECIAL_DONE,	/* everything is done, also the resuming */
};

struct special_ops {
	/* At the entry, call set up, nothing logged. May change registers or
	 * answer (syscall_answer). Returns enum special or an error. */
	int (*enter)(struct recorder *r, struct task *t, struct err *err);
	/* After the return, with the baton, before outputs are collected:
	 * appends items. */
	int (*leave)(struct recorder *r, struct task *t, struct err *err);
};

const struct special_ops *special_find(int nr); /* never NULL */
/* --- life.c: birth, exec, death --- */

int life_first(struct recorder *r, struct task *t, struct err *err);
int life_fork(struct recorder *r, struct task *t, struct err *err);
bool life_is_forking(const struct task *t); /* its fork stop may come yet */
int life_first_stop(struct recorder *r, struct task *t, struct err *err);
/* After each stop: end the tasks that nobody will announce any more. */
void life_orphans(struct recorder *r);
int life_exec(struct recorder *r, struct task *t, struct err *err);
/* Its vfork has returned: the child has another space, or none. */
void life_vforked(struct task *t);
int life_exit_stop(struct recorder *r, struct task *t, struct err *err);
/* Wait reported its end: forget it. */
int life_reaped(struct recorder *r, struct task *t, struct err *err);

/* --- signal.c --- */

int signal_stop(struct recorder *r, struct task *t, struct err *err);
/* With the baton (NEXT_SIGNAL). */
int signal_turn(struct recorder *r, struct task *t, struct err *err);
/* At a call's entry with a stash: rewind and give it. 1: done, resumed. */
int signal_at_entry(struct recorder *r, struct task *t, struct err *err);
/* The stash where the task stands, in computation (time is up). */
int signal_now(struct recorder *r, struct task *t, struct err *err);
int signal_group_stop(struct recorder *r, struct task *t, struct err *err);
/* A stop shows that job control does not stop t's process (any more). */
int signal_not_stopped(struct recorder *r, struct task *t, struct err *err);
/* ... t, which was held, goes on. */
int signal_continued(struct task *t);
/* The answered call at whose entry t stands raises a signal (RET_TRAP), or
 * kills its process: SPECIAL_DONE. */
int signal_force(struct recorder *r, struct task *t, const void *info,
		 struct err *err);
int signal_kill(struct recorder *r, struct task *t, struct err *err);
/* The disposition of signo is SIG_IGN; make it so (again). */
bool signal_is_ignored(const struct task *t, int signo);
int signal_ignore(struct task *t, int signo, struct err *err);
bool signal_is_due(const struct task *t); /* pending, and not blocked */
/* A -EINTR that no handler answers for: the call is to be issued again. */
bool signal_spurious_eintr(const struct task *t);

/* --- shared.c: memory that several spaces or a file see --- */

/* At the entry of a mapping or writing call: 1 = t must wait (put off). */
int shared_enter(struct recorder *r, struct task *t, struct err *err);
/* A mapping was made (or, after mremap, moved): bookkeeping; fills m->shared_id.
 * 1: of an object that is mapped already, whose contents are known. */
int shared_mapped(struct recorder *r, struct task *t, struct map_rec *m,
		  struct err *err);
void shared_unmapped(struct recorder *r, struct space *s, uint64_t start,
		     uint64_t len);
void shared_protect(struct space *s, uint64_t start, uint64_t len, uint32_t prot);
/* True when a fork of this space must stay in its group. */
bool shared_is_writable(const struct space *s);
/* Is what is mapped there looked for when a file is written to? */
bool shared_is_followed(struct space *s, uint64_t addr);
void shared_fork(struct space *child, const struct space *parent);
/* After MADV_DONTNEED: private pages show their file again. Items. */
void shared_reverted(struct recorder *r, struct task *t, uint64_t start,
		     uint64_t len);
/* After a write to a file, while its event is built: items with what mappings
 * show now. */
int shared_written(struct recorder *r, struct task *t, struct err *err);

/* --- outputs.c: who writes to the command's outputs --- */

/* t is the command, before its first image. */
void outputs_init(struct recorder *r, const struct task *t);
void outputs_release(struct recorder *r);
/* At the entry: false = another task writes there; t waits, not resumed. */
bool outputs_enter(struct recorder *r, struct task *t);
/* The descriptor that the call writes to leads to an output. */
bool outputs_is_ours(const struct recorder *r, const struct task *t);
/* t will write later: others may. It has to outputs_enter again. */
void outputs_leave(struct task *t);
/* After each stop: resume who waits for what is free now. */
int outputs_pump(struct recorder *r);
void outputs_forget(struct recorder *r, const struct task *t);

/* --- moves.c: bytes that reach the outputs past the program's memory --- */

/* At the entry, the call set up. False: it must not run (EINVAL). Sets
 * call.move if it is such a call; only then the rest may be called. */
bool moves_set_up(struct recorder *r, struct task *t);
/* Before the enter event. 1: as scratch_begin. */
int moves_room(struct recorder *r, struct task *t, struct err *err);
/* Into the kernel. */
int moves_resume(struct task *t);
/* At the exit stop. 1: the call is to be issued again. */
int moves_exit(struct task *t, struct regs *regs);
/* What the call has moved; borrowed until it is forgotten. */
struct span moves_moved(struct task *t);

/* --- sum.c: checksum events --- */

int sum_event(struct recorder *r, struct task *t, struct err *err);
int sum_due(struct recorder *r, struct task *t, struct err *err);

/* --- warn.c; the codes are stored: append-only --- */

enum warn_code {
	WARN_UNKNOWN_CALL = 1, /* no row: ENOSYS */
	WARN_REFUSED = 2,      /* a call or sub-operation is not supported */
	WARN_FOREIGN = 3,      /* int 0x80, x32 */
	WARN_UNTIMED = 4,      /* a time-bounded switch or signal */
	WARN_LOST = 5,	/* something that the recording does not contain */
	WARN_NAMED = 6, /* a place of --chaos-at that nobody came by */
};
/* A warning event and a line for the end, once per code and call (and text). */
int warn(struct recorder *r, const struct task *t, enum warn_code code, int call,
	 const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void warn_notes(const struct recorder *r, struct buf *out);
/* The TEXT items of the end event. */
void warn_items(const struct recorder *r, struct buf *items);
void warn_release(struct recorder *r);

#endif
