#ifndef GDB_SPOT_H
#define GDB_SPOT_H

#include "gdb/session.h"

/* A breakpoint or watchpoint as the client asked for it. */
enum spot_kind {
	SPOT_SW, /* as Z packets number them */
	SPOT_HW,
	SPOT_WRITE,
	SPOT_READ,
	SPOT_ACCESS,
};

struct spot {
	enum spot_kind kind;
	uint32_t process;
	uint64_t addr, len;
	struct buf conds; /* each its length and its bytes; empty = always */
};

#define SPOTS_MAX 4096u
/* What the client set, as a motion takes it; in a. */
void spots_put(struct gdb_server *s, struct arena *a,
	       struct target_motion_req *req);
void spots_clear(struct gdb_server *s);
/* Which one a stop is about. */
const struct spot *spot_of(const struct gdb_server *s,
			   const struct target_stop *stop);

#endif
