#ifndef TRACEE_OVERLAY_H
#define TRACEE_OVERLAY_H

/*
 * Many small changes of a task's code, made here first and then written with as
 * few calls as there are runs of changed pages. Nobody else changes that memory
 * meanwhile.
 *
 *	struct overlay o = { .mem = m, .known = &pages, .base = addr - offset };
 *	overlay_read(&o, addr, code, n); overlay_write(&o, addr, code, n);
 *	ret = overlay_flush(&o); overlay_release(&o);
 */
#include "base/map.h"
#include "base/vec.h"
#include "tracee/mem.h"
#include <stdbool.h>

#define OVERLAY_PAGE 4096u

struct overlay_page {
	uint64_t addr;
	size_t from, to; /* what has changed of it; from = to: nothing */
	uint8_t bytes[OVERLAY_PAGE];
};

/* Pages of a file by their number, for mappings that show it as it is. */
struct overlay_known {
	struct map pages; /* 1 + number -> OVERLAY_PAGE bytes */
};

struct overlay {
	struct mem mem;
	struct overlay_known *known;  /* NULL: what is there is read */
	uint64_t base;		      /* address of the file's offset 0 */
	VEC(struct overlay_page *) v; /* by address */
};

/* -EFAULT: it cannot be read. */
int overlay_read(struct overlay *o, uint64_t addr, void *out, size_t n);
int overlay_write(struct overlay *o, uint64_t addr, const void *p, size_t n);
/* -EFAULT: not all of it could be written. */
int overlay_flush(struct overlay *o);
void overlay_release(struct overlay *o);
void overlay_forget(struct overlay_known *k);

#endif
