#ifndef REPLAYER_PATCHES_H
#define REPLAYER_PATCHES_H

/*
 * PATCH items, dozens of a few bytes in an exec event. In code of a file that
 * the same event maps they are gathered by page, and what is there is known
 * from the file; elsewhere those that follow each other in one page are written
 * at once. The spans of the items must live until patches_flush, which comes
 * before anything else is done to that memory. After an error: patches_drop.
 *
 *	patches_init(&p, ev);
 *	ret = patches_add(r, s, &p, &it, err);
 *	ret = patches_flush(r, s, &p, err);
 */
#include "event/item.h"
#include "replayer/internal.h"
#include "tracee/overlay.h"

struct patches {
	const struct event *ev;
	struct item v[64];
	size_t n;
	uint64_t start, end; /* of the mapping that o is of; 0: none */
	struct overlay o;
};

void patches_init(struct patches *p, const struct event *ev);
void patches_drop(struct patches *p);
int patches_add(struct replayer *r, struct space *s, struct patches *p,
		const struct item *it, struct err *err);
int patches_flush(struct replayer *r, struct space *s, struct patches *p,
		  struct err *err);

#endif
