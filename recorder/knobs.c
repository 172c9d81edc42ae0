#include "recorder/knobs.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const struct {
	const char *name;
	uint8_t level;
} knobs[KNOB_END] = {
#define KNOB(name, level, what) { #name, KNOB_##level },
#include "recorder/knobs.def"
#undef KNOB
};

static const char *const levels[] = {
	[KNOB_OFF] = "off",
	[KNOB_ON] = "on",
};

void
knobs_init(struct chaos_opts *o)
{
	*o = (struct chaos_opts){ 0 };
	for (size_t i = 0; i < KNOB_END; i++)
		o->level[i] = knobs[i].level;
}

void
knobs_release(struct chaos_opts *o)
{
	for (size_t i = 0; i < o->at.len; i++)
		mem_free(o->at.v[i]);
	vec_free(&o->at);
}

static bool
is_word(const char *p, size_t n, const char *word)
{
	return strlen(word) == n && memcmp(p, word, n) == 0;
}

static int
bad_knob(const char *p, size_t n, struct err *err)
{
	struct buf names = { 0 };

	err_set(err, E_USAGE, "--chaos-knobs: there is no knob '%.*s'", (int)n,
		p);
	for (size_t i = 0; i < KNOB_END; i++)
		buf_printf(&names, "%s, ", knobs[i].name);
	err_hint(err, "the knobs are %sall", buf_cstr(&names));
	buf_free(&names);
	return -E_USAGE;
}

static int
bad_level(const char *p, size_t n, struct err *err)
{
	err_set(err, E_USAGE, "--chaos-knobs: '%.*s'", (int)n, p);
	err_hint(err, "NAME=on or NAME=off");
	return -E_USAGE;
}

/* NAME or NAME=LEVEL. */
static int
parse_one(const char *p, size_t n, struct chaos_opts *o, struct err *err)
{
	const char *eq = memchr(p, '=', n);
	size_t name = eq != NULL ? (size_t)(eq - p) : n;
	size_t level = eq != NULL ? 0 : KNOB_ON;
	bool all = is_word(p, name, "all"), known = all;

	while (eq != NULL && level < ARRAY_LEN(levels) &&
	       !is_word(eq + 1, n - name - 1, levels[level]))
		level++;
	if (level == ARRAY_LEN(levels))
		return bad_level(p, n, err);
	for (size_t i = 0; i < KNOB_END; i++) {
		if (!all && !is_word(p, name, knobs[i].name))
			continue;
		o->level[i] = (uint8_t)level;
		known = true;
	}
	return known ? 0 : bad_knob(p, name, err);
}

int
knobs_parse(const char *text, struct chaos_opts *o, struct err *err)
{
	for (;;) {
		size_t n = strcspn(text, ",");
		int ret = n > 0 ? parse_one(text, n, o, err) : 0;

		if (ret < 0 || text[n] == '\0')
			return ret;
		text += n + 1;
	}
}

void
knobs_text(const struct chaos_opts *o, struct buf *out)
{
	for (size_t i = 0; i < KNOB_END; i++)
		buf_printf(out, "%s%s=%s", i > 0 ? "," : "", knobs[i].name,
			   levels[o->level[i]]);
}

/* What it cannot be, wherever it runs. */
static bool
is_place(const char *spec)
{
	const char *colon = strrchr(spec, ':');
	const char *last = colon ? colon + 1 : spec;
	char *end;

	if (*last == '\0' || colon == spec)
		return false;
	if (*last < '0' || *last > '9')
		return true;
	if (strncmp(last, "0x", 2) == 0)
		return strtoull(last, &end, 16) > 0 && *end == '\0';
	return colon != NULL && strtol(last, &end, 10) > 0 && *end == '\0';
}

int
knobs_places(const char *text, struct chaos_opts *o, struct err *err)
{
	for (;;) {
		size_t n = strcspn(text, ",");
		char *spec = mem_printf("%.*s", (int)n, text);

		if (!is_place(spec)) {
			err_set(err, E_USAGE, "--chaos-at: '%s' is no place",
				spec);
			err_hint(err, "FUNCTION, FILE:LINE or 0xADDRESS, "
				      "several separated by commas");
			mem_free(spec);
			return -E_USAGE;
		}
		vec_push(&o->at, spec);
		if (text[n] == '\0')
			return 0;
		text += n + 1;
	}
}

void
knobs_places_text(const struct chaos_opts *o, struct buf *out)
{
	for (size_t i = 0; i < o->at.len; i++)
		buf_printf(out, "%s%s", i > 0 ? "," : "", o->at.v[i]);
}
