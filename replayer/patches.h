#ifndef REPLAYER_PATCHES_H
#define REPLAYER_PATCHES_H

/*
 * PATCH items, dozens of a few bytes in an exec event: those that follow each
 * other in one page are written at once. The spans of the items must live until
 * patches_flush, which comes before anything else is done to that memory.
 */
#include "event/item.h"
#include "replayer/internal.h"

struct patches {
	struct item v[64];
	size_t n;
};

int patches_add(struct replayer *r, struct space *s, struct patches *p,
		const struct item *it, struct err *err);
int patches_flush(struct replayer *r, struct space *s, struct patches *p,
		  struct err *err);

#endif
