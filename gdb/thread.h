#ifndef GDB_THREAD_H
#define GDB_THREAD_H

/* Processes and threads: which ones a client sees, and how it names them. */
#include "gdb/session.h"

/* The tasks of this moment; a negative code when they cannot be had. */
int threads_load(struct gdb_server *s, struct err *err);
/* The moment is another one now. */
void threads_forget(struct gdb_server *s);
/* Alive and with a program, of a process that is shown? */
bool task_is_shown(struct gdb_server *s, const struct target_task *t);
const struct target_task *thread_find(struct gdb_server *s, uint32_t task);
bool process_is_shown(const struct gdb_server *s, uint32_t process);
void process_show(struct gdb_server *s, uint32_t process);
void process_hide(struct gdb_server *s, uint32_t process);
/* A process that lives, by pid; NULL = none. */
const struct target_task *process_find(struct gdb_server *s, int tgid);
/* Is a process shown that lives, besides this one? */
bool process_others_live(struct gdb_server *s, uint32_t process);
/* The client hears of the process of t now; as it is now. */
void process_tell(struct gdb_server *s, const struct target_task *t);
/* What it was told of it, or NULL. */
struct told *process_told(struct gdb_server *s, uint32_t process);
/* Something is shown, and task is one that lives. */
void thread_settle(struct gdb_server *s);
/* "p12.34" */
void thread_put(struct gdb_server *s, struct buf *out,
		const struct target_task *t);
/* The task of an id; 0 = any, TASK_ALL = all, bad: there is none. */
#define TASK_ALL UINT32_MAX
uint32_t thread_scan(struct gdb_server *s, struct scan *args);
/* The process of a "pid" or "pid.tid" id in hex, 0 = the one of the stop. */
const struct target_task *process_scan(struct gdb_server *s, struct scan *args);
/* The task that g, m and the like are about. */
uint32_t thread_current(struct gdb_server *s);
/* The next shown one from i on, in s->tasks; NULL = no more. */
const struct target_task *thread_next(struct gdb_server *s, size_t *i);
/* "in read" */
const char *thread_doing(struct gdb_server *s, const struct target_task *t);

/* xml.c */
void xml_text(struct buf *out, const char *text);
void threads_xml(struct gdb_server *s, struct buf *out);
int osdata_xml(struct gdb_server *s, struct span type, struct buf *out);

#endif
