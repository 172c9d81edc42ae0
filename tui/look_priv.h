#ifndef TUI_LOOK_PRIV_H
#define TUI_LOOK_PRIV_H

/* Between look.c and places.c. */
#include "base/map.h"
#include "base/mem.h"
#include "tui/look.h"

/* Symbols of one space; the modules are found anew when its maps change. */
struct space {
	struct look *look;
	uint32_t task; /* through which its memory is read now */
	struct symbols *sym;
	struct buf maps; /* what sym was told, to see a change */
};

struct look {
	struct target *t;
	struct map spaces; /* space number -> struct space */
	struct space *last; /* that was looked at; NULL = none */
};

struct space *look_space(struct look *l, uint32_t space, uint32_t task);
/* The mappings as sym wants them, and as bytes that tell two lists apart. */
int look_tell_maps(struct space *s, const struct tui_moment *m, struct arena *a,
		   struct err *err);

#endif
