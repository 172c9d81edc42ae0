#ifndef TRACEE_MAPS_H
#define TRACEE_MAPS_H

/* The mappings of a process as /proc/PID/maps tells them. */
#include "base/arena.h"
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct vma {
	uint64_t start, end;
	uint32_t prot;	 /* PROT_* */
	bool shared;
	uint64_t offset;
	uint64_t dev, ino; /* 0 = anonymous */
	const char *name;  /* path or "[stack]"; "" = none; in the arena */
};

struct maps {
	struct vma *v;
	size_t len;
};

int maps_read(pid_t pid, struct arena *a, struct maps *out, struct err *err);
/* The same by *fd, as for maps_query_by. */
int maps_read_by(int *fd, pid_t pid, struct arena *a, struct maps *out,
		 struct err *err);
/* The mapping at addr alone (one ioctl from Linux 6.11 on). *out is its name's
 * owner through a. Errors: -ENOENT, nothing is there. */
int maps_query(pid_t pid, uint64_t addr, struct arena *a, struct vma *out,
	       struct err *err);
/* The same by *fd, which is opened when it is -1 and stays good as long as the
 * task has this memory. */
int maps_query_by(int *fd, pid_t pid, uint64_t addr, struct arena *a,
		  struct vma *out, struct err *err);
bool maps_can_query(void); /* the ioctl is there */
const struct vma *maps_find(const struct maps *m, uint64_t addr); /* or NULL */

#endif
