#ifndef REPLAYER_TARGET_H
#define REPLAYER_TARGET_H

/* What gdb server, TUI and CLI see of a moment of a recording. At most 16
 * operations; everything else is built on them. */
#include "base/arena.h"
#include "base/err.h"
#include "event/pos.h"
#include "event/regs.h"
#include <stdbool.h>

struct buf;
struct event;
struct target;
struct diversion;
struct replayer;

struct target_task {
	uint32_t task;
	uint32_t process;	/* process number */
	uint32_t space;
	int tid, tgid;		/* as recorded */
	bool alive;		/* born and not dead at this moment */
	bool in_call;		/* between enter and exit */
	int16_t call;
	uint64_t pc;
	const char *comm;
};

struct target_map {
	uint64_t start, end;
	uint32_t prot;
	uint32_t flags;
	uint64_t offset;
	uint64_t file;		/* file number, 0 = none */
	const char *name;	/* recorded path, "[stack]", "[heap]", "" */
};

/* A recorded file's bytes for symbol lookup: a path that can be opened (a
 * private copy made from the store). */
struct target_file {
	const char *recorded_path;
	const char *local_path;
};

/* ---- motion */

/*
 * Time, as a target knows it: the events in the order of seq, and between two
 * of them the instructions of the one task that runs there, the task of the
 * second. A stop is a moment; going back over stops finds the very same ones as
 * going forwards, in the other order. The moment where a motion begins is never
 * a stop of it.
 */
enum target_motion {
	TARGET_CONTINUE = 1, /* to a stop of the breakpoints, watchpoints and
				events given, in whatever task */
	TARGET_STEP,	     /* one instruction of task; a system call is one.
				Others run meanwhile when it is their turn */
	TARGET_NEXT,	     /* the same, over what a call instruction calls */
	/* By source line, of task. Code without lines is run through, back out
	 * to what called it; so is a signal's handler. breaks count on the way
	 * forwards. */
	TARGET_LINE,	  /* to another line, into calls */
	TARGET_LINE_OVER, /* the same, over calls and inlined code */
	TARGET_FINISH,	  /* out of the function; back: to its call */
	TARGET_UNTIL,	  /* a line further down in the function, over loops; or
			     out of it. Back: further up, or to its call */
};

/* Before an instruction is executed. */
struct target_break {
	uint64_t addr;
	uint32_t process; /* 0 = in any */
	uint32_t task;	  /* 0 = in any */
	/* NULL or: is this a stop? Asked while the target stands there. It must
	 * not move the target. */
	bool (*cond)(void *ctx, struct target *t, uint32_t task);
	void *ctx;
};

/*
 * After an instruction, or the kernel (an event), wrote there; with read, also
 * after an instruction read there. At most 4 naturally aligned pieces of up to
 * 8 bytes together. The kernel's write counts when it changed the bytes.
 */
struct target_watch {
	uint64_t addr;
	uint32_t len;
	bool read;
	bool changed;	  /* an instruction's write counts only when it changed
			     the bytes, too */
	uint32_t process; /* 0 = in any */
	bool (*cond)(void *ctx, struct target *t, uint32_t task); /* as above */
	void *ctx;
};

enum target_event {
	TARGET_ON_SIGNAL = 1u << 0,
	TARGET_ON_CALL = 1u << 1,   /* just after enter or syscall */
	TARGET_ON_RETURN = 1u << 2, /* just after exit or syscall */
	TARGET_ON_FORK = 1u << 3,   /* the birth of a task */
	TARGET_ON_EXEC = 1u << 4,
	TARGET_ON_EXIT = 1u << 5,   /* the death of a task */
	TARGET_ON_SWITCH = 1u << 6, /* the event of another task than before */
};

struct target_motion_req {
	enum target_motion motion;
	bool back;
	/* TARGET_STEP, TARGET_NEXT: of this one. TARGET_CONTINUE: events of
	 * this one only; 0 = of any. */
	uint32_t task;
	const struct target_break *breaks;
	size_t n_breaks;
	const struct target_watch *watches;
	size_t n_watches;
	unsigned events; /* enum target_event */
	int call;  /* of TARGET_ON_CALL and _RETURN: only this one, -1 any */
	int signo; /* of TARGET_ON_SIGNAL: only this one, 0 any */
	/* Backwards, a watchpoint's stop is the moment before the write instead
	 * of the one after it (what gdb expects). */
	bool before_write;
	bool (*progress)(void *ctx, uint64_t at, uint64_t to);
	void *ctx;
};

enum target_why {
	TARGET_AT_BREAK = 1, /* index: which */
	TARGET_AT_WATCH,     /* index: which; old, new: its bytes */
	TARGET_AT_EVENT,     /* of the mask */
	TARGET_AT_STEP,	     /* the step is done */
	TARGET_AT_START,     /* nothing more that way: stands at e0 ... */
	TARGET_AT_END,	     /* ... or at the last event. A step: of its task */
};

struct target_stop {
	enum target_why why;
	struct pos pos; /* as where tells */
	uint32_t task;	/* whose instruction or event; 0 = nobody's */
	size_t index;
	unsigned event;		/* enum target_event, one bit */
	bool by_kernel;		/* AT_WATCH: an event wrote, pos is e... */
	uint8_t old[8], new[8]; /* AT_WATCH: the first bytes of it */
};

struct target_ops {
	/*
	 * To a position. Without pc: just after event seq. With one: in the
	 * code that runs after event seq, at the visit-th arrival at pc since
	 * (standing there just after the event is one), then steps whole
	 * instructions on. p->task 0: whichever task runs next; another number:
	 * in that task's next code after seq. -E_POSITION: it does not come
	 * there; the target stands as before, or at an event.
	 */
	int (*seek)(struct target *t, const struct pos *p,
		    bool (*progress)(void *, uint64_t, uint64_t), void *ctx, struct err *err);
	/* task: whose code or event it is. */
	int (*where)(struct target *t, struct pos *out);
	int (*tasks)(struct target *t, struct arena *a, struct target_task **out, size_t *n, struct err *err);
	int (*regs)(struct target *t, uint32_t task, struct regs *out, struct err *err);
	int (*xstate)(struct target *t, uint32_t task, struct buf *out, struct err *err);
	/* Bytes read (short at the end of a mapping) or -EFAULT. */
	int64_t (*read)(struct target *t, uint32_t task, uint64_t addr, void *out, size_t n);
	int (*maps)(struct target *t, uint32_t task, struct arena *a, struct target_map **out, size_t *n, struct err *err);
	int (*file)(struct target *t, uint64_t file, struct target_file *out, struct err *err);
	int (*auxv)(struct target *t, uint32_t task, struct buf *out, struct err *err);
	/*
	 * Move. Returns 0 and *out also for AT_START and AT_END. -E_CANCELLED
	 * when progress returned false: a motion forwards stands at the last
	 * event that it passed, one backwards where it began. -E_DIVERGED: it
	 * stands at the last good event. -E_UNSUPPORTED: too many watchpoints.
	 */
	int (*move)(struct target *t, const struct target_motion_req *req,
		    struct target_stop *out, struct err *err);
	/* Which comes first? *out < 0, 0, > 0. Costs a run when both are in
	 * one interval at different addresses. */
	int (*compare)(struct target *t, const struct pos *a,
		       const struct pos *b, int *out, struct err *err);
	/* The recorded event seq, its payload borrowed until the next
	 * operation; -E_POSITION: there is none. */
	int (*event)(struct target *t, uint64_t seq, struct event *out,
		     struct err *err);
	uint64_t (*last)(struct target *t); /* seq of the last event */
	/* A copy to call functions in (target_divert.h); one at a time. */
	int (*divert)(struct target *t, struct diversion **out,
		      struct err *err);
	/* Keep a checkpoint of this moment: coming back is cheap. */
	int (*checkpoint)(struct target *t, struct err *err);
	void (*close)(struct target *t);
};

struct target {
	const struct target_ops *ops;
};

/* The target over a replayer, which it does not own. */
struct target *replayer_target(struct replayer *r);

#endif
