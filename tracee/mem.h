#ifndef TRACEE_MEM_H
#define TRACEE_MEM_H

/*
 * Memory of a traced process through /proc/PID/mem, which ignores page
 * protection. Reading below a growing stack would extend it (seen on 6.18): clamp to
 * mappings where an address comes from the program. The descriptor names the
 * memory of one image: reopen after exec (it reads 0 bytes then).
 */
#include "base/err.h"
#include "event/item.h"
#include <sys/types.h>

struct mem {
	int fd;
	pid_t pid; /* where writes through protection are refused (6.12,
		    * proc_mem.force_override), they go through a stop of this task */
};

int mem_open(struct mem *m, pid_t pid, struct err *err);
void mem_close(struct mem *m);
/* Bytes read, short at the end of a mapping, or -errno (-EIO: nothing there). */
ssize_t mem_read(const struct mem *m, uint64_t addr, void *out, size_t n);
ssize_t mem_write(const struct mem *m, uint64_t addr, const void *p, size_t n);
/* The same memory, written through a stop of tid. */
struct mem mem_of_task(const struct mem *m, pid_t tid);
/* All or -EFAULT. */
int mem_read_all(const struct mem *m, uint64_t addr, void *out, size_t n);
int mem_write_all(const struct mem *m, uint64_t addr, const void *p, size_t n);
/* The same for much at once, in half the time; nothing that is protected. */
int mem_read_bulk(const struct mem *m, uint64_t addr, void *out, size_t n);
int mem_write_bulk(const struct mem *m, uint64_t addr, const void *p, size_t n);
/* The string at addr without NUL, at most max bytes, appended to out. */
int mem_read_str(const struct mem *m, uint64_t addr, size_t max, struct buf *out);

#endif
