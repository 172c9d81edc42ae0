#ifndef STORE_DESCRIPTORS_H
#define STORE_DESCRIPTORS_H

/* The descriptor tables of processes, as system calls change them. A part of
 * store/intervals.h, which alone includes it. */
#include "store/intervals.h"

struct proc {
	struct process_iv *row;
	struct image_iv *image;		 /* NULL before the first exec */
	VEC(struct descriptor_iv *) fds; /* by number; NULL = closed */
};

struct proc *intervals_proc(struct intervals *iv, uint32_t task);

bool descriptors_want(int call);
void descriptors_start(struct intervals *iv, const struct event *header);
void descriptors_inherit(struct intervals *iv, const struct proc *from,
			 struct proc *to, uint64_t seq);
void descriptors_exec(struct intervals *iv, struct proc *p, uint64_t seq);
void descriptors_exit(struct intervals *iv, struct proc *p, uint64_t seq);
/* A call that returned. */
void descriptors_call(struct intervals *iv, const struct event *ev);

#endif
