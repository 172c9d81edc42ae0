#ifndef REPLAYER_WORLD_H
#define REPLAYER_WORLD_H

/*
 * A world is all that a replay consists of at one event: a puppet for every
 * recorded task that is alive, the address spaces they live in, the shared
 * memory between those, and what we know of their descriptors. The replayer
 * stands in one world; a checkpoint is another one, made of forked copies.
 *
 * A puppet is a process of ours, always in a ptrace stop while we look at it.
 * Threads are puppets too: processes that share their memory (CLONE_VM) and
 * nothing else, so that no kernel rule about thread groups meddles.
 */
#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "base/vec.h"
#include "event/event.h"
#include "replayer/puppet.h"
#include "tracee/mem.h"
#include <stdbool.h>

struct replayer;

/* Descriptors that lead to where the recorded command's output went. */
struct fd_origin {
	int fd;
	int origin; /* 1 or 2 */
	bool cloexec;
};

struct fdtab {
	unsigned users;
	VEC(struct fd_origin) v;
};

struct range {
	uint64_t start, end;
	int advice; /* MADV_DONTFORK or MADV_WIPEONFORK */
};

struct space {
	uint32_t num;
	unsigned users; /* puppets */
	struct mem mem;
	uint64_t brk; /* end of the heap, 0 = not known yet */
	uint64_t brk_start;
	int cpu;	/* its puppets run there, -1 = anywhere */
	bool has_agent; /* replayer/agent.c brought it in */
	bool traps_tsc; /* RDTSC traps */
	uint64_t stack; /* the stack pointer at exec, names [stack] */
	struct buf auxv;
	char *exe;
	VEC(struct range) unforked; /* what a fork would not copy */
};

/* A recorded process (thread group). */
struct group {
	uint32_t num;
	int tgid;	      /* as recorded */
	uint32_t parent;      /* process number, 0 = none */
	unsigned users;	      /* puppets alive */
	uint64_t stack_limit; /* RLIMIT_STACK, decides where a stack stops
				 growing */
};

/* What a puppet ran into. */
struct halt {
	enum {
		HALT_CALL,  /* at a syscall instruction; regs.rip is after it */
		HALT_FAULT, /* a signal of its own doing */
		HALT_TIMEOUT, /* still computing after far too long */
		HALT_GONE,    /* the process is dead */
	} what;
	int signo, code;
	uint64_t addr;
};

#define TRAIL 4u /* calls remembered for the story of a divergence */

struct puppet {
	uint32_t task;
	struct group *group;
	struct space *space; /* NULL before the first exec */
	struct fdtab *fds;
	pid_t pid; /* 0: no process (yet) */
	int tid;   /* as recorded */
	char comm[16];
	struct regs regs;
	bool dirty;   /* regs are not in the process yet */
	bool at_call; /* it stands at a call's entry: puppet_settle */
	bool halted;  /* it has run into halt already, for the next event */
	bool arrived; /* its last event put it where it stands */
	uint64_t last_ns; /* when that was */
	struct halt halt;
	pid_t watched;	     /* pid: its debug registers 0 to 2 are set, and
				the first hit is only noted (r->touched) */
	unsigned debug_hits; /* debug registers that trapped while it stepped */
	bool in_call; /* between enter and exit */
	uint64_t call_pc; /* where the halt before it really was (agent.h) */
	int16_t call; /* the call of enter, with its arguments */
	uint64_t args[6];
	struct buf out; /* what a write that has not returned was given */
	struct {
		uint64_t seq;
		int16_t call;
	} trail[TRAIL];
	unsigned n_trail;
};

/* A shared memory object: one memfd, mapped by all who share it. */
struct shared {
	uint64_t id;
	uint64_t size;
	int fd;
	int remote_fd; /* in the puppets' descriptor table, -1 = not there now
			*/
};

/* Arrivals at pc since the event, the one of standing there now included. */
struct arrivals {
	uint64_t pc;
	uint64_t n;
};

/*
 * Where in the code after its last event a world stands: steps instructions
 * behind the visit-th arrival at pc, or (pc 0) behind the event. Unnamed: it
 * is not known, but the counts are. via: it is the visit-th arrival after that
 * one, and since, of which pc is one, has been counted from there.
 */
struct inside {
	uint32_t task; /* whose code; 0 = at the event itself */
	bool unnamed;
	uint64_t pc, visit, steps;
	VEC(struct arrivals) counts;
	struct arrivals via, since; /* via.pc 0: none */
	uint64_t end_pc; /* not 0: it ends when it first arrives there (a call),
			    and has not */
	uint64_t began_ns;	    /* of work, at the event */
};

struct world {
	uint64_t seq;	    /* the last event that took effect */
	struct inside inside;
	uint64_t time_ns;   /* of that event */
	struct map puppets; /* task -> struct puppet * */
	struct map spaces;  /* space -> struct space * */
	struct map groups;  /* process -> struct group * */
	VEC(struct shared *) shared;
};

/* world.c */
struct world *world_new(void);
void inside_clear(struct inside *in);
void inside_copy(struct inside *to, const struct inside *from);

/* Has code run since the event? */
static inline bool
inside_moved(const struct inside *in)
{
	return in->pc != 0 || in->steps != 0 || in->unnamed;
}

void world_free(struct replayer *r, struct world *w);	     /* w may be NULL */
struct puppet *world_puppet(struct world *w, uint32_t task); /* or NULL */
struct puppet *world_add_puppet(struct world *w, uint32_t task);
void world_remove_puppet(struct world *w, struct puppet *p); /* kills it */
struct group *world_group(struct world *w, uint32_t num);    /* made when new */
struct space *world_add_space(struct world *w, uint32_t num);
/* The same facts, not the memory; ranges not forked are the caller's. */
struct space *world_add_copy(struct world *w, uint32_t num,
			     const struct space *from);
void world_enter_space(struct puppet *p, struct space *s);
void world_leave_space(struct world *w, struct puppet *p);
struct shared *world_shared(struct world *w, uint64_t id); /* or NULL */
/* One that no puppet has entered. */
void world_drop_space(struct world *w, struct space *s);
/* Any puppet of the space that has a process. */
struct puppet *world_in_space(struct world *w, const struct space *s);

#endif
