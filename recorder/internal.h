#ifndef RECORDER_INTERNAL_H
#define RECORDER_INTERNAL_H

/*
 * What the files of recorder/ share. Everything here belongs to the tracer
 * thread. A task can die at any moment: whatever touches it may return -E_GONE,
 * which means "unwind; its exit stop or its end will be reported by wait".
 *
 *   group    spaces that share writable memory; one runner at a time
 *   space    an address space; threads and vfork children share one
 *   process  a thread group
 *   task     a kernel thread
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/vec.h"
#include "event/event.h"
#include "event/sink.h"
#include "event/sys.h"
#include "recorder/recorder.h"
#include "tracee/mem.h"
#include "tracee/ptrace.h"
#include "tracee/stop.h"

#define SIG_MAX 64

/* A task's life; the scheduler (sched.c) moves it between these. */
enum task_state {
	TASK_NEW,	/* known by its parent's or its own first stop, not by both */
	TASK_READY,	/* in a ptrace stop, waits for the baton of its group */
	TASK_RUNNING,	/* has the baton: user code, or inside a call */
	TASK_BLOCKED,	/* inside a call whose enter is logged, without the baton */
	TASK_HELD,	/* stopped by job control (PTRACE_LISTEN) */
	TASK_DYING,	/* its exit stop was seen */
};

/* What to do with a READY task when it gets the baton. */
enum task_next {
	NEXT_RESUME,	/* let it run on from where it stands */
	NEXT_ENTRY,	/* it stands at a call's entry that was put off */
	NEXT_EXIT,	/* its call has returned: finish it, then resume */
	NEXT_SIGNAL,	/* it stands at a signal's delivery */
};

/* The call that a task is inside of. Registers are the program's own ones; while
 * scratch buffers stand in, the task's real argument registers differ. */
struct call {
	bool active;
	bool logged;	  /* its enter event is out */
	bool skipped;	  /* did not run: ret holds the answer */
	bool restarting;  /* left the kernel with -ERESTART*, may come back */
	struct sys_call sc; /* nr, args, ret; arena is .arena below */
	const struct sys_desc *desc;
	struct regs regs; /* at the entry, rax = number not restored: as stopped */
	uint64_t start_ns;
	uint64_t enter_seq;
	struct scratch *scratch; /* NULL: none */
	struct arena arena;	 /* cleared when the call is over */
	uint64_t extra[4];	 /* special.c's own, per call */
};

/* A signal that came while its place could not be told; given to the task at its next event. */
struct stashed {
	uint8_t info[128];
	int signo;
};

struct task {
	uint32_t number;     /* as recorded, dense from 1; 0 = birth not logged */
	pid_t tid;
	enum task_state state;
	enum task_next next;
	struct process *proc;
	struct stop stop;    /* the stop it stands in when it is not running */
	struct call call;
	struct regs last;    /* registers as of its last event, see last_known */
	bool last_known;     /* it has not run user code since, if regs == last */
	bool want_stop;	     /* PTRACE_INTERRUPT is under way */
	unsigned interrupts_owed; /* EVENT_STOPs that may still come late */
	struct stashed stash;
	bool stashed;
	uint64_t stash_ns;
	uint64_t saved_mask; /* the program's, while stashed */
	uint64_t cleartid;   /* CLONE_CHILD_CLEARTID / set_tid_address, 0 = none */
	uint64_t turn_ns;    /* when it got the baton */
	struct regs sample;  /* spin detection, sched.c */
	unsigned samples;
	unsigned scratch_slot; /* + 1; 0 = none */
	uint32_t parent;     /* task number */
	int exit_status;     /* message of its exit stop */
	bool tsc_trapped;    /* nondet.c: PR_SET_TSC as the program sees it, see there */
	void *nondet;	     /* nondet.c's own, freed by nondet_forget */
};

struct process {
	uint32_t number;
	pid_t tgid;
	struct space *space;
	VEC(struct task *) tasks;
	struct process *vfork_parent; /* shares its space until exec or death */
	bool exiting;	     /* exit_group or a fatal signal was seen */
	bool no_new_privs;   /* as the program sees it */
	int dumpable;	     /* as the program sees it */
	void *seccomp;	     /* special.c: the program's own filters */
};

/* A mapping whose bytes other spaces or file writes can change. */
struct shmap {
	uint64_t start, len, offset;
	uint64_t dev, ino;
	uint32_t prot;
	bool shared;	     /* MAP_SHARED, else private and linked to its file */
	uint64_t shared_id;
	uint64_t file;
};

struct space {
	uint32_t number;
	unsigned refs;	     /* processes */
	struct group *group;
	struct mem mem;
	VEC(struct shmap) shmaps;
	uint64_t events;     /* since the last checksum */
	uint64_t slots[16];  /* bitmap of scratch slots in use */
	bool scratch_mapped; /* inject.h */
	bool no_agent;	     /* the agent page did not fit */
	void *exec;	     /* exec.c's own, freed by exec_forget */
};

struct group {
	uint32_t number;
	unsigned refs;	     /* spaces */
	unsigned live;	     /* tasks */
	struct task *runner; /* has the baton; NULL = free */
	VEC(struct task *) ready; /* in the order of their turns */
};

struct note;

struct recorder {
	struct record_opts opts;
	struct sink *sink;
	struct map tasks;    /* tid -> struct task */
	VEC(struct group *) groups;
	uint64_t seq;	     /* of the last event put */
	uint64_t start_ns;
	uint32_t ntasks, nprocs, nspaces, ngroups; /* numbers given out */
	pid_t first;	     /* the command */
	bool first_done;
	int first_status;
	struct buf items;    /* payload of the event under construction */
	struct arena arena;  /* cleared after every stop */
	VEC(struct note) notes;
	struct files *files;   /* files.c */
	struct nondet *nondet; /* nondet.c */
	struct shared *shared; /* shared.c */
	bool failed;	     /* the sink refused: run on unrecorded */
};

/* --- recorder.c: events ------------------------------------------------- */

/* A cleared event of task (NULL = the recording); r->items is emptied. */
void event_begin(struct recorder *r, const struct task *t, enum event_kind kind,
		 struct event *out);
/* Number it, stamp it, attach r->items as payload, put it. */
int event_put(struct recorder *r, struct event *ev, struct err *err);
/* One line for the end and a warning event, once per code and call. */
int warn(struct recorder *r, const struct task *t, int code, int call,
	 const char *fmt, ...) __attribute__((format(printf, 5, 6)));

#endif
