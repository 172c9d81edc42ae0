#ifndef REPLAYER_INTERNAL_H
#define REPLAYER_INTERNAL_H

/* What the files of the replayer share with each other. */
#include "base/arena.h"
#include "event/item.h"
#include "replayer/file.h"
#include "replayer/replayer.h"
#include "replayer/target.h"
#include "replayer/world.h"
#include "tracee/deadline.h"
#include "tracee/overlay.h"
#include <sched.h>

struct watchdog;
struct target_maps;

/* A recorded file. Its contents are put into a memfd when first needed. */
struct pfile {
	struct file_rec rec;
	char *path; /* as recorded */
	struct blob_id *ids;
	size_t n_ids;
	int fd;	       /* -1 = not made, or given up for others */
	int remote_fd; /* the same in the puppets' table, or -1 */
	uint64_t used; /* when, for giving up the oldest */
	char *link;    /* path by which it can be opened, then it stays */
	struct overlay_known pages; /* patches.c's */
};

struct checkpoint;

/* CPU time, and faults of pages. */
struct spent {
	uint64_t cpu_ns, faults;
};

struct replayer {
	struct target target; /* first: a target is a replayer */
	struct source *src;
	struct replay_opts opts;
	struct world *now;
	bool stale;  /* now went beyond its last event */
	bool reseek; /* the source is not at now->seq + 1 */
	bool touched; /* a watched puppet has touched what is watched */
	bool quiet;  /* on the way to somewhere: no output */

	struct puppet mold; /* what every new image is copied from */
	struct mem mold_mem;
	int sock;	  /* hands descriptors to the mold */
	struct map files; /* number -> struct pfile * */
	size_t open_files;
	uint64_t file_clock;

	bool headed;	 /* has seen the recording's first event */
	bool stored_off; /* a stored checkpoint could not be used */
	char *stored_why;
	VEC(struct checkpoint *) checkpoints; /* by seq */
	uint64_t work_ns;      /* replay time from the start to now */
	uint64_t work_mark;    /* clock when work_ns was right */
	uint64_t beats;	       /* events since a checkpoint was thought of */
	uint64_t beat_work_ns; /* work_ns then */
	uint64_t last_cost_ns; /* of the last checkpoint */
	struct spent spent;    /* by now and this thread, just after it */

	cpu_set_t allowed; /* CPUs of the replaying thread */
	int home_cpu, cpu; /* cpu: where it is kept, -1 = nowhere yet */

	struct event peek; /* the event after now, when has_peek */
	bool has_peek;
	struct ahead *ahead; /* agent.c's, NULL: nothing yet */
	bool has_code;	     /* the agent's, in the puppets' table: */
	int code_fd;
	bool count_visits; /* of points that are sought */
	struct map points; /* seq of a sched event -> visits of its point */
	struct deadline deadline;
	VEC(pid_t) dying;  /* puppet_kill_later's */
	struct map misled; /* point.c: page of code -> jumps that went wrong */
	uint64_t trap_seq; /* point.c: this point without one at first */
	uint64_t copy_ns;  /* point.c: CPU time that a copy took last */
	struct divergence div;
	bool diverged;
	struct watchdog *watchdog;
	struct buf tmp;	      /* contents put together from blobs */
	char *out_name[3];    /* what descriptors 0-2 refer to, as recorded */
	uint64_t stack_limit; /* of the first process */
	struct target_maps *maps; /* target.c's */
	struct line_space *lines; /* lines.c's */
};

/* step.c: one function per event kind, so a missing one does not link. */
#define EVENT_KIND(id, name, what)                                             \
	int replay_##name(struct replayer *r, const struct event *ev,          \
			  struct err *err);
#include "event/kind.def"
#undef EVENT_KIND
/* The puppet of ev->task, or NULL and E_FORMAT. */
struct puppet *step_puppet(struct replayer *r, const struct event *ev,
			   struct err *err);
/* How long the way to ev may take, ns: recorded time with a wide margin. */
uint64_t step_limit(const struct replayer *r, const struct event *ev);
/* Run to the next halt, or for as long as the way to ev may take. */
int step_run(struct replayer *r, struct puppet *p, const struct event *ev,
	     struct halt *out, struct err *err);
/* Run to the next halt, which must be the syscall that ev tells. */
int step_to_call(struct replayer *r, struct puppet *p, const struct event *ev,
		 struct err *err);
/* Do what the items say: memory, registers, extended state. */
int step_items(struct replayer *r, struct puppet *p, const struct event *ev,
	       struct err *err);
/* ITEM_MAP, at the recorded address. */
int step_maps(struct replayer *r, struct puppet *p, const struct event *ev,
	      struct err *err);

/* The calls that make them, added to b, which is run when it is full. */
int step_plan_maps(struct replayer *r, struct puppet *p, const struct event *ev,
		   struct batch *b, struct err *err);

/* syscall.c */
/* All that it did is in its event, or in calls that can be planned. */
bool syscall_can_be_ahead(const struct event *ev);
/* Those calls, in b; the world is as if they had been made. */
int syscall_plan(struct replayer *r, struct puppet *p, const struct event *ev,
		 struct batch *b, struct err *err);
/* What a call that changes mappings or the like did, done again. */
int syscall_redo(struct replayer *r, struct puppet *p, const struct event *ev,
		 struct err *err);

/* image.c */
#define IMAGE_MOLD_PAGE 0x70010000ul /* a page that only the mold has */
int image_mold(struct replayer *r, struct err *err);
/* An empty process, ready to be filled. */
int image_new(struct replayer *r, struct puppet *p, struct err *err);
int image_trap_tsc(struct world *w, struct space *s, struct err *err);
int image_map(struct replayer *r, struct puppet *p, const struct map_rec *m,
	      struct batch *b, struct err *err);
/* Tell the processes of a group where stacks stop growing. */
void image_stack_limit(struct world *w, struct group *g);
/* Bytes into memory whatever its protection; shared memory too. */
int image_write(struct replayer *r, struct space *s, uint64_t addr,
		struct span bytes, struct err *err);

/* diverge.c: fills r->div and returns -E_DIVERGED. */
int diverge(struct replayer *r, const struct event *ev, struct err *err,
	    const char *expected, const char *found, const char *cause);
/* The puppet halted somewhere else than at the call, fault or insn of ev. */
int diverge_halt(struct replayer *r, struct puppet *p, const struct event *ev,
		 const struct halt *h, struct err *err);
/* It is the right kind of halt: compare the registers; 0 or -E_DIVERGED. */
int diverge_regs(struct replayer *r, struct puppet *p, const struct event *ev,
		 uint64_t pc, const struct halt *h, struct err *err);
/* Compare the space's memory with a checksum event: 0 or -E_DIVERGED. */
int diverge_memory(struct replayer *r, struct puppet *p, const struct event *ev,
		   struct err *err);
/* -E_CPU when the recording's processor could do what this one cannot. */
int cpu_check(const struct event *header, struct err *err);

/* output.c */
void fdtab_start(struct replayer *r, struct fdtab *t); /* the command's own */
struct fdtab *fdtab_copy(const struct fdtab *t);
void fdtab_release(struct fdtab *t);
void fdtab_exec(struct puppet *p);
/* Learn from a call that returned what descriptors are now. */
void output_track(struct replayer *r, struct puppet *p, const struct event *ev);
/* A write-like call that begins (enter) or is complete (exit, syscall). */
bool output_writes(const struct puppet *p, const struct event *ev);
void output_begin(struct puppet *p, const struct event *ev);
int output_end(struct replayer *r, struct puppet *p, const struct event *ev,
	       struct err *err);

/* target.c */
extern const struct target_ops replayer_target_ops;
void target_forget(struct replayer *r); /* the moment is another now */

/* replayer.c */
/* r->peek is the event after now: 1, or 0 at the end. */
int replayer_peek(struct replayer *r, struct err *err);
/* Learn what the recording's first event says of all of it. */
int replayer_head(struct replayer *r, struct err *err);
/* The next event, quietly: as replayer_step, with checkpoints left behind. */
int replayer_advance(struct replayer *r, struct err *err);
void replayer_worked(struct replayer *r); /* since work_mark */
/* Make now exact again after a step that failed. */
int replayer_refresh(struct replayer *r, struct err *err);

/* place.c */
void place_init(struct replayer *r);
void place_release(struct replayer *r);
/* The CPU for an image that was recorded on this one (text, may be empty). */
int place_choose(const struct replayer *r, struct span recorded);
void place_puppet(const struct puppet *p);
void place_follow(struct replayer *r, const struct puppet *p);

/* watchdog.c: stops a process that runs for too long, from another thread. */
struct watchdog *watchdog_new(struct err *err);
void watchdog_free(struct watchdog *w);
void watchdog_arm(struct watchdog *w, pid_t pid, uint64_t limit_ns);
bool watchdog_disarm(struct watchdog *w); /* true: it barked */

#endif
