#ifndef REPLAYER_TARGET_H
#define REPLAYER_TARGET_H

/*
 * What gdb server, TUI and CLI see of a moment of a recording. At most 16
 * operations; everything else is built on them. A replayer is one target;
 * others (a checkpoint, a stored snapshot) look the same.
 */
#include "base/arena.h"
#include "base/err.h"
#include "event/pos.h"
#include "event/regs.h"
#include <stdbool.h>

struct buf;
struct target;
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

struct target_ops {
	int (*seek)(struct target *t, const struct pos *p,
		    bool (*progress)(void *, uint64_t, uint64_t), void *ctx, struct err *err);
	int (*where)(struct target *t, struct pos *out);
	int (*tasks)(struct target *t, struct arena *a, struct target_task **out, size_t *n, struct err *err);
	int (*regs)(struct target *t, uint32_t task, struct regs *out, struct err *err);
	int (*xstate)(struct target *t, uint32_t task, struct buf *out, struct err *err);
	/* Bytes read (short at the end of a mapping) or -EFAULT. */
	int64_t (*read)(struct target *t, uint32_t task, uint64_t addr, void *out, size_t n);
	int (*maps)(struct target *t, uint32_t task, struct arena *a, struct target_map **out, size_t *n, struct err *err);
	int (*file)(struct target *t, uint64_t file, struct target_file *out, struct err *err);
	int (*auxv)(struct target *t, uint32_t task, struct buf *out, struct err *err);
	void (*close)(struct target *t);
};

struct target {
	const struct target_ops *ops;
};

/* The target over a replayer, which it does not own. */
struct target *replayer_target(struct replayer *r);

#endif
