#ifndef REPLAYER_TARGET_SYM_H
#define REPLAYER_TARGET_SYM_H

/* A target's mappings as sym knows them. */
#include "replayer/target.h"
#include "sym/sym.h"

/* n of them, in a. A file that is not to be had is not a failure: there are no
 * names then. */
static inline struct sym_map *
target_sym_maps(struct target *t, const struct target_map *maps, size_t n,
		struct arena *a)
{
	struct sym_map *v = arena_alloc(a, (n + 1) * sizeof(*v));

	for (size_t i = 0; i < n; i++) {
		struct target_file f = { 0 };

		v[i] = (struct sym_map){ .start = maps[i].start,
					 .end = maps[i].end,
					 .offset = maps[i].offset,
					 .prot = maps[i].prot,
					 .shown = maps[i].name };
		if (maps[i].file != 0 &&
		    t->ops->file(t, maps[i].file, &f, NULL) >= 0) {
			v[i].path = arena_strdup(a, f.local_path);
			v[i].shown = arena_strdup(a, f.recorded_path);
		}
	}
	return v;
}

#endif
