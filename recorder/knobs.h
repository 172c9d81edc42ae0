#ifndef RECORDER_KNOBS_H
#define RECORDER_KNOBS_H

/* What "record --chaos" may do: its seed and its knobs (docs/CHAOS.md). */
#include "base/buf.h"
#include "base/err.h"

enum knob {
#define KNOB(name, level, what) KNOB_##name,
#include "recorder/knobs.def"
#undef KNOB
	KNOB_END
};

enum knob_level { KNOB_OFF, KNOB_ON };

struct chaos_opts {
	bool on;
	uint64_t seed;
	uint8_t level[KNOB_END]; /* enum knob_level */
};

/* Off, with the knobs at their defaults. */
void knobs_init(struct chaos_opts *o);
/*
 * Change what text says: "slices=on,births=off"; "all" stands for every knob,
 * a name without a value for on. Errors: E_USAGE with a hint at the names.
 */
int knobs_parse(const char *text, struct chaos_opts *o, struct err *err);
/* All knobs, as knobs_parse reads them. */
void knobs_text(const struct chaos_opts *o, struct buf *out);

#endif
