#ifndef RECORDER_INTERNAL_H
#define RECORDER_INTERNAL_H

/*
 * What the files of recorder/ share. Everything here belongs to the tracer
 * thread. A task can die at any moment: whatever touches it may return -E_GONE,
 * which means "unwind; its exit stop or its end will be reported by wait".
 *
 *   group    spaces that share writable memory; one runner at a time
 *   space    an address space; threads and vfork children share one
 *   process  a thread group; its tasks are kernel threads
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/vec.h"
#include "event/event.h"
#include "event/sink.h"
#include "event/sys.h"
#include "recorder/put.h"
#include "recorder/recorder.h"
#include "recorder/spin.h"
#include "tracee/mem.h"
#include "tracee/point.h"
#include "tracee/ptrace.h"
#include "tracee/stop.h"

/* A task's life; the scheduler (sched.c) moves it between these. */
enum task_state {
	TASK_NEW,	/* known by its parent's or its own first stop, not by both */
	TASK_READY,	/* in a ptrace stop, waits for the baton of its group */
	TASK_RUNNING,	/* has the baton: user code, inside a call, or stopped */
	TASK_BLOCKED,	/* inside a call whose enter is logged, without the baton */
	TASK_HELD,	/* stopped by job control (PTRACE_LISTEN) */
	TASK_DYING,	/* its exit stop was seen */
};

/* What a READY task does when it gets the baton. */
enum task_next {
	NEXT_RESUME, /* run on from where it stands */
	NEXT_ENTRY,  /* it stands at a call's entry that was put off */
	NEXT_EXIT,   /* its call has returned: finish it, then resume */
	NEXT_SIGNAL, /* it stands at a signal's delivery */
	NEXT_AGENT,  /* it stands at the agent's gate, after its call */
};

/*
 * The call that a task is inside of, from its entry stop until its event is
 * logged. With scratch buffers the real argument registers differ from sc.args.
 */
struct call {
	bool active, killed; /* killed: its thread dies in it (sandbox.c) */
	bool logged;	  /* its enter event is out */
	bool skipped;	  /* it does not run: sc.ret is the answer */
	bool refused;	  /* ... which is not what a kernel would say */
	bool restarting;  /* left the kernel with -ERESTART*, may come back */
	bool again;	  /* issued anew on our account: the next entry is the same call */
	bool waiting;	  /* at its entry, until shared_enter lets it go */
	bool forked;	  /* its child is announced */
	uint64_t *given; /* in arena: the kernel's six arguments; NULL: sc's */
	struct sys_call sc; /* nr, args, ret as the program sees them */
	const struct sys_desc *desc;
	struct regs regs; /* at the entry stop */
	uint64_t pc; /* after the syscall instruction, as the program sees it */
	uint64_t start_ns;
	uint64_t enter_seq;
	struct scratch *scratch; /* in arena; NULL: none */
	struct output *output;	 /* it writes there, and nobody else does */
	struct move *move;	 /* in arena; moves.c, NULL: none */
	struct arena arena;	 /* cleared when the call is over */
	uint64_t extra[4];	 /* for the call's own code in special*.c */
};

/* A signal that came where its place could not be told, kept until the task's next event. */
struct stash {
	int signo;	     /* 0 = none */
	uint8_t info[128];
	uint64_t since_ns, wait_ns; /* an event of the task, for so long */
	uint64_t mask;	     /* the program's; asynchronous signals are blocked meanwhile */
	bool sent;	     /* on its way again */
	bool rewound;	     /* the task stands before a call that did not start */
};

struct task {
	uint32_t number, parent; /* as recorded; 0 = birth not logged */
	pid_t tid;
	enum task_state state;
	enum task_next next;
	struct process *proc;
	struct stop stop;    /* where it stands; STOP_NONE while it moves */
	struct call call;
	struct regs last;    /* as of its last event: it has not moved if they are so */
	struct stash stash;
	uint64_t returned_ns, masked_ns; /* last rt_sigreturn, rt_sigprocmask */
	struct task *mate;    /* at a fork stop: the child; its parent */
	bool in_vfork;	      /* waits for its child's exec or death */
	bool inside; /* ... in the agent without the baton, agent_baton.c */
	bool orphan, dead; /* nobody announces it; its death event is out */
	bool interrupted, taking_now; /* under way; preempt.c, till it stops */
	uint64_t cleartid;   /* set_tid_address, CLONE_CHILD_CLEARTID; 0 = none */
	uint64_t turn_ns, event_ns, look_ns; /* its turn; last event; look */
	struct waiting waiting;		     /* by looking at memory; spin.c */
	bool yielded, left, in_code; /* gives up its turn; resumed; amid code */
	uint64_t inside_seq, inside_pc; /* its enter, and behind that call */
	struct point_taking taking;
	unsigned met, slot, seat; /* signal.c; its slots + 1, 0 = none */
	int status;	     /* message of its exit stop */
	struct bpf_chain *filters; /* the program's own seccomp filters */
	void *nondet;	     /* nondet.c's own */
};

struct process {
	uint32_t number;
	pid_t tgid;
	struct space *space;
	VEC(struct task *) tasks;
	bool exiting, stopped; /* exit_group or a fatal signal; job control */
	int status, no_new_privs, dumpable; /* if exiting; as it sees them */
	char comm[16]; /* while it has one task; "": ask for it */
};

/* A mapping whose bytes other spaces or file writes can change. */
struct shmap {
	uint64_t start, len, offset;
	uint64_t dev, ino;
	uint32_t prot;
	bool shared;	     /* else private, and linked to its file until written */
	bool may_write;	     /* somebody can store into it */
	uint64_t shared_id;
	uint64_t file;
};

struct space {
	uint32_t number;
	unsigned refs;	     /* processes */
	struct group *group;
	struct mem mem;
	VEC(struct shmap) shmaps;
	uint64_t brk, vdso;  /* as brk said last; bytes at AGENT_VDSO; or 0 */
	uint64_t events;     /* since the last checksum */
	uint64_t slots[16], mapped[16]; /* scratch slots: in use, mapped */
	void *exec;	     /* seat.c's own */
	struct agent_space *agent; /* NULL: nothing of it there */
	struct dirty *dirty; /* preempt.c; NULL: not needed so far */
	bool pointless, trap_tsc, translates, plain_brk; /* no points; ... */
	int maps, cpuid_stubs, remapped; /* see task_mapping and nondet.c */
	uint64_t point_ns, quiet_file, exe_file; /* last cost; exec.c's */
	uint64_t point_seq; /* event of the last point, 0 = none */
};

struct group {
	uint32_t number;
	unsigned refs;	     /* spaces */
	unsigned live;	     /* tasks that can run: not in vfork, not dying */
	struct task *runner; /* has the baton; NULL = free */
	VEC(struct task *) ready; /* in the order of their turns */
	VEC(struct task *) wanted; /* a call of these runners merges it */
};

struct recorder {
	struct record_opts opts;
	struct sink *sink;
	struct map tasks;    /* tid -> struct task */
	VEC(struct task *) unborn; /* stopped, not announced */
	VEC(pid_t) senders;	   /* syscall_senders */
	VEC(struct group *) groups;
	VEC(struct space *) spaces;
	uint64_t seq;	     /* of the last event put */
	uint64_t start_ns, now_ns; /* now: as of the last stop */
	uint64_t flush_ns;   /* first event that is not flushed, 0 = none */
	uint64_t nshared;    /* numbers given out */
	uint32_t ntasks, nprocs, nspaces, ngroups;
	pid_t first; /* the command */
	int first_status;
	void *timer;	     /* timer_t of sched.c */
	bool has_timer, first_done;
	bool failed, elsewhere; /* no more is recorded; see open_for */
	uint64_t tick_ns;    /* its period now, 0 = off */
	struct buf items;    /* payload of the event under construction */
	struct arena arena;  /* cleared at every stop */
	struct sys_range *ranges; /* SYS_RANGES_MAX of them, for syscall.c */
	VEC(struct note) notes;
	VEC(struct output *) outputs; /* outputs.c */
	struct files *files;	      /* each of the file of its name */
	struct nondet *nondet;
	struct seats *seats;
	struct chaos *chaos; /* NULL: no hostile choices */
	struct agent *agent; /* NULL: not wanted */
	struct held *held;   /* put.c's own */
	uint64_t put_ns;     /* time of the last event */
	struct hot *hot;
};

#endif
