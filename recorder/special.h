#ifndef RECORDER_SPECIAL_H
#define RECORDER_SPECIAL_H

/* Handlers of the table in special.c that live in other files. */
#include "recorder/engine.h"

/* special_mem.c: calls that change mappings */
int memory_mmap(struct recorder *r, struct task *t, struct err *err);
/* What the agent has mapped, of that file. */
void memory_mapped(struct recorder *r, struct task *t, uint64_t file);
int memory_munmap(struct recorder *r, struct task *t, struct err *err);
int memory_mprotect(struct recorder *r, struct task *t, struct err *err);
int memory_madvise(struct recorder *r, struct task *t, struct err *err);
int memory_mremap(struct recorder *r, struct task *t, struct err *err);
int memory_brk(struct recorder *r, struct task *t, struct err *err);
int memory_shmat(struct recorder *r, struct task *t, struct err *err);
int memory_shmdt_enter(struct recorder *r, struct task *t, struct err *err);
int memory_shmdt(struct recorder *r, struct task *t, struct err *err);

/* procfs.c: read and pread64 of /proc/PID/status and stat */
int procfs_read(struct recorder *r, struct task *t, struct err *err);
/* Appends all that its read at the beginning of a recorded task's status would
 * show; false: it reads something else. */
bool procfs_status(const struct recorder *r, const struct task *t,
		   struct buf *out);

/* sandbox.c: the program's own seccomp filters */
int sandbox_enter(struct recorder *r, struct task *t, struct err *err);
int sandbox_install(struct recorder *r, struct task *t, uint64_t flags,
		    uint64_t fprog, struct err *err);
int sandbox_refuse(struct recorder *r, struct task *t);
/* At each entry of a task with filters. SPECIAL_RUN, perhaps answered, or
 * SPECIAL_DONE. */
int sandbox_check(struct recorder *r, struct task *t, struct err *err);

/* t ends its process. */
void special_exits(struct task *t, uint64_t code);

#endif
