#ifndef STORE_INTERVALS_H
#define STORE_INTERVALS_H

/*
 * What lives a while: tasks, processes, program images, descriptors and open
 * files, from the events that begin and end them. This part knows no database:
 * events go in, rows come out. Rows that nothing can change any more may be
 * taken out at any time (intervals_drop_closed), the open ones at the end.
 */
#include "base/buf.h"
#include "base/map.h"
#include "base/vec.h"
#include "event/event.h"

struct task_iv {
	uint32_t task, process, parent, space, group;
	int tid, status;
	uint64_t from_seq, to_seq, from_ns, to_ns; /* to 0 = open */
	char *comm;
	bool has_status;
};

struct process_iv {
	uint32_t process, parent;
	int pid, status;
	uint64_t from_seq, to_seq, from_ns, to_ns;
	char *exe, *command;
	bool has_status;
};

struct image_iv {
	uint32_t process;
	uint64_t from_seq, to_seq;
	char *exe;
	struct buf argv; /* NUL-terminated words */
};

struct descriptor_iv {
	uint32_t process;
	int fd;
	uint32_t file;
	uint64_t from_seq, to_seq;
	const char *how, *closed_by; /* static */
	bool cloexec;
};

struct open_file_iv {
	uint32_t file, process; /* process 0 = there at the start */
	uint64_t from_seq;
	const char *kind;	   /* static */
	char *name, *local, *peer; /* local, peer may be NULL */
	uint32_t refs;		   /* open descriptors */
};

struct file_iv {
	uint64_t seq;
	struct buf item; /* the payload of the file event */
};

struct mapping_iv {
	uint64_t seq, to_seq;
	uint32_t space;
	uint64_t start, len, file, offset;
	uint32_t prot, flags;
	bool shared, dropped; /* dropped: made and gone by one event */
};

struct warning_iv {
	uint64_t seq;
	uint32_t task;
	int code, call;
	char *note;
};

struct intervals {
	VEC(struct task_iv *) tasks;
	VEC(struct process_iv *) processes;
	VEC(struct image_iv *) images;
	VEC(struct descriptor_iv *) descriptors;
	VEC(struct open_file_iv *) open_files;
	VEC(struct file_iv) files;
	VEC(struct mapping_iv *) mappings;
	VEC(struct warning_iv) warnings;
	uint32_t last_file; /* the last open file's number */
	struct map by_task, by_process, by_file, by_space;
	uint64_t upto; /* the last event seen */
};

void intervals_init(struct intervals *iv);
void intervals_release(struct intervals *iv);
/* True when an event of this kind and call may change anything. */
bool intervals_wants(unsigned kind, int call);
void intervals_event(struct intervals *iv, const struct event *ev);
/* Forget what nothing can change any more: it was stored. */
void intervals_drop_closed(struct intervals *iv);

/* Rows loaded from the database, to go on from there. Taken. */
void intervals_add_task(struct intervals *iv, struct task_iv *row);
void intervals_add_process(struct intervals *iv, struct process_iv *row);
void intervals_add_image(struct intervals *iv, struct image_iv *row);
void intervals_add_descriptor(struct intervals *iv, struct descriptor_iv *row);
void intervals_add_open_file(struct intervals *iv, struct open_file_iv *row);
/* The static text for a stored how, closed_by or kind. */
const char *intervals_word(const char *text);

#endif
