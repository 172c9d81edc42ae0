#ifndef TUI_DATA_H
#define TUI_DATA_H

/*
 * Where the screens get what they show. Two sets of operations: questions
 * to the database and moments of a replay. The real ones are in backend.c; the
 * tests bring synthetic ones, so that every screen runs without a server and
 * without ptrace.
 *
 * Each set is called by one worker thread with one data pointer; there are
 * two workers for questions (see struct tui_opts), so the same operations may
 * run at the same time with different data. Results live in the caller's arena.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "event/event.h"
#include "event/pos.h"
#include "event/regs.h"
#include "replayer/target.h"
#include "store/query.h"
#include "sym/vars.h"

/* Events in order: up to n matching ones after seq (or before it, newest
 * first). filter NULL: all; without a filter, those of one task, 0: of all. */
struct tui_events_req {
	uint64_t seq;
	bool back;
	size_t n;
	const char *filter;
	uint32_t task;
};

struct tui_lanes_req {
	uint64_t from_ns, to_ns;
	size_t buckets;
	const uint32_t *tasks;
	size_t n_tasks;
};

struct tui_query_ops {
	int (*recording)(void *d, struct arena *a, struct recording_row *out,
			 struct err *err);
	int (*tasks)(void *d, struct arena *a, struct task_row **out, size_t *n,
		     struct err *err);
	int (*events)(void *d, const struct tui_events_req *req,
		      struct arena *a, struct event **out, size_t *out_n,
		      uint64_t *out_scanned, struct err *err);
	int (*seq_at_time)(void *d, uint64_t time_ns, uint64_t *out,
			   struct err *err);
	int (*lanes)(void *d, const struct tui_lanes_req *req, uint32_t *out,
		     struct err *err);
	int (*fds)(void *d, uint32_t process, uint64_t seq, struct arena *a,
		   struct fd_row **out, size_t *n, struct err *err);
	int (*output)(void *d, uint32_t process, uint64_t seq, size_t max,
		      struct buf *out, struct err *err);
	int (*marks)(void *d, struct arena *a, struct mark_row **out, size_t *n,
		     struct err *err);
	int (*mark_set)(void *d, const char *name, const char *pos,
			uint64_t seq, const char *note, struct err *err);
	int (*mark_del)(void *d, const char *name, struct err *err);
	int (*sql)(void *d, const char *text, struct arena *a,
		   struct sql_result *out, struct err *err);
	/* From any thread: end what d is doing now with -E_CANCELLED. */
	void (*cancel)(void *d);
	/* The worker's last call with d, on the worker's thread. */
	void (*close)(void *d);
};

#define TUI_MEM_WINDOW 4096u /* bytes of memory in a moment */
#define TUI_CODE_LINES 200   /* source lines and instructions around the pc */

#define TUI_FRAME_AUTO UINT32_MAX

/* What to show of a moment. */
struct tui_moment_req {
	struct pos pos;
	uint32_t task; /* whose; 0 = not known (yet) */
	/* Source and code of this frame. TUI_FRAME_AUTO: code of the innermost
	 * one, source of the innermost that has some. */
	unsigned frame;
	const char *mem_expr; /* "rsp", "rdi+8", "main", "0x4000"; NULL = rsp */
	int64_t mem_shift;    /* window moved by so many bytes */
	const char *const *open; /* variables whose parts are wanted */
	size_t n_open;
};

/* Names that begin with prefix (kinds as sym/names.h), of the program at a
 * moment; parts of a variable when prefix has one. */
struct tui_names_req {
	struct tui_moment_req at;
	unsigned kinds;
	const char *prefix;
	size_t max;
};

/* A moment as the program was, really replayed. Everything is in one arena.
 * Parts that could not be had are empty; note says why. */
struct tui_moment {
	struct pos pos;
	uint32_t task;	    /* whose registers; 0 = no task lives here */
	unsigned frame;	    /* whose code */
	unsigned src_frame; /* whose source, when there is some */
	struct target_task *tasks;
	size_t n_tasks;
	bool has_regs;
	struct regs regs;
	struct sym_frame *frames;
	size_t n_frames;
	const char *vars_function; /* of the frame that vars are of */
	struct sym_var *vars;
	size_t n_vars;
	struct sym_insn *insns;
	struct sym_place *insn_places; /* function and offset per insn */
	size_t n_insns, insn_at;       /* insn_at: index of the frame's pc */
	const char *src_file;
	int src_line, src_first;
	const char **src;
	size_t n_src;
	struct target_map *maps;
	size_t n_maps;
	const char *mem_expr;
	uint64_t mem_base; /* what mem_expr came to */
	uint64_t mem_size; /* of the variable that it is; 0 = none */
	uint64_t mem_addr; /* first byte of mem */
	uint8_t *mem;
	size_t mem_len;
	int64_t mem_shift; /* how far the window could be moved */
	const char *mem_note;
	const char *note;
	const char *warning; /* of the replay itself, told once; or NULL */
};

struct tui_replay_ops {
	/* From a position to the next stop. -E_CANCELLED: out->pos is where it
	 * stands then. */
	int (*move)(void *d, const struct pos *from,
		    const struct target_motion_req *req,
		    struct target_stop *out, struct err *err);
	/* The recorded event. */
	int (*event)(void *d, uint64_t seq, struct arena *a, struct event *out,
		     struct err *err);
	/* Seek and look. progress returns false to give up (-E_CANCELLED). */
	int (*moment)(void *d, const struct tui_moment_req *req,
		      bool (*progress)(void *ctx, uint64_t at, uint64_t to),
		      void *ctx, struct arena *a, struct tui_moment *out,
		      struct err *err);
	/* Places of code at that moment, as look_places. */
	int (*places)(void *d, const struct pos *at, const char *spec,
		      const char *file, uint64_t *out, size_t max, size_t *n,
		      struct err *err);
	/* Up to max of all names. */
	int (*names)(void *d, const struct tui_names_req *req, struct arena *a,
		     const char ***out, size_t *n, size_t *all,
		     struct err *err);
	/* What an expression is at that moment, as look_variable. */
	int (*variable)(void *d, const struct tui_moment_req *at,
			const char *expr, struct arena *a, struct sym_var *out,
			struct err *err);
	/* A breakpoint's condition, while it moves. */
	bool (*holds)(void *d, uint32_t task, const char *cond);
	void (*close)(void *d); /* on the worker's thread */
};

#endif
