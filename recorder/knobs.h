#ifndef RECORDER_KNOBS_H
#define RECORDER_KNOBS_H

/* What "record --chaos" may do: its seed, its knobs and the places that it is
 * told (docs/CHAOS.md). */
#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"

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
	VEC(char *) at;		 /* places, as knobs_places takes them */
};

/* Off, with the knobs at their defaults. */
void knobs_init(struct chaos_opts *o);
void knobs_release(struct chaos_opts *o);
/*
 * Change what text says: "slices=on,births=off"; "all" stands for every knob,
 * a name without a value for on. Errors: E_USAGE with a hint at the names.
 */
int knobs_parse(const char *text, struct chaos_opts *o, struct err *err);
/* All knobs, as knobs_parse reads them. */
void knobs_text(const struct chaos_opts *o, struct buf *out);
/*
 * Add places, separated by commas: FUNCTION, FILE:LINE, 0xADDRESS
 * (sym/lines.h). Whether there is such a place shows when the program runs.
 * Errors: E_USAGE.
 */
int knobs_places(const char *text, struct chaos_opts *o, struct err *err);
void knobs_places_text(const struct chaos_opts *o, struct buf *out);

#endif
