#include "tui/keys.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/mem.h"
#include "base/vec.h"
#include "tui/config.h"

static const struct request_desc requests[REQ_COUNT] = {
#define REQUEST(id, name, keys, group, help)                                   \
	[REQ_##id] = { name, keys, GROUP_##group, help },
#include "tui/request.def"
#undef REQUEST
};

static const char *const group_titles[GROUP_COUNT] = {
	[GROUP_MOVE] = "Moving through the recording",
	[GROUP_PANE] = "Panes",
	[GROUP_SEARCH] = "Searching",
	[GROUP_VIEW] = "Views",
	[GROUP_OTHER] = "Other",
};

static const struct {
	const char *name;
	uint32_t key;
} special[] = {
	{ "Left", KEYS_LEFT },
	{ "Right", KEYS_RIGHT },
	{ "Up", KEYS_UP },
	{ "Down", KEYS_DOWN },
	{ "Home", KEYS_HOME },
	{ "End", KEYS_END },
	{ "PgUp", KEYS_PGUP },
	{ "PgDn", KEYS_PGDN },
	{ "Insert", KEYS_INSERT },
	{ "Delete", KEYS_DELETE },
	{ "Shift-Left", KEYS_SLEFT },
	{ "Shift-Right", KEYS_SRIGHT },
	{ "Shift-Tab", KEYS_BACKTAB },
	{ "Enter", KEYS_ENTER },
	{ "Esc", KEYS_ESC },
	{ "Tab", KEYS_TAB },
	{ "Backspace", KEYS_BACKSPACE },
	{ "Space", ' ' },
};

const struct request_desc *
request_desc(enum request r)
{
	ASSERT(r > REQ_NONE && r < REQ_COUNT);
	return &requests[r];
}

const char *
request_group_title(enum request_group g)
{
	return group_titles[g];
}

enum request
request_by_name(const char *name)
{
	for (int r = REQ_NONE + 1; r < REQ_COUNT; r++)
		if (!strcmp(requests[r].name, name))
			return (enum request)r;
	return REQ_NONE;
}

static uint32_t
parse_plain(const char *name)
{
	mbstate_t st = { 0 };
	wchar_t ch;
	size_t len = strlen(name), n;

	for (size_t i = 0; i < ARRAY_LEN(special); i++)
		if (!strcasecmp(name, special[i].name))
			return special[i].key;
	if ((name[0] == 'F' || name[0] == 'f') && isdigit((uint8_t)name[1])) {
		long f = strtol(name + 1, NULL, 10);

		return f >= 1 && f <= 12 ? KEYS_F1 + (uint32_t)f - 1 : 0;
	}
	n = mbrtowc(&ch, name, len, &st);
	return len && n == len && ch >= ' ' ? (uint32_t)ch : 0;
}

uint32_t
keys_parse(const char *name)
{
	if (!strncasecmp(name, "Alt-", 4)) {
		uint32_t key = parse_plain(name + 4);

		return key ? key | KEY_IS_ALT : 0;
	}
	if (!strncasecmp(name, "Ctrl-", 5) && name[5] && !name[6]) {
		int c = toupper((uint8_t)name[5]);

		return c >= 'A' && c <= 'Z' ? (uint32_t)(c - '@') : 0;
	}
	return parse_plain(name);
}

const char *
keys_name(uint32_t key, char out[KEY_NAME_MAX])
{
	const char *alt = key & KEY_IS_ALT ? "Alt-" : "";

	key &= ~KEY_IS_ALT;
	for (size_t i = 0; i < ARRAY_LEN(special); i++) {
		if (special[i].key != key)
			continue;
		snprintf(out, KEY_NAME_MAX, "%s%s", alt, special[i].name);
		return out;
	}
	if (key >= KEYS_F1 && key <= KEYS_F12)
		snprintf(out, KEY_NAME_MAX, "%sF%u", alt, key - KEYS_F1 + 1);
	else if (key < ' ')
		snprintf(out, KEY_NAME_MAX, "%sCtrl-%c", alt, (int)key + '@');
	else
		snprintf(out, KEY_NAME_MAX, "%s%lc", alt, (wint_t)key);
	return out;
}

void
keymap_bind(struct keymap *m, uint32_t key, enum request r)
{
	for (size_t i = 0; i < m->len; i++) {
		if (m->v[i].key != key)
			continue;
		vec_remove(m, i);
		break;
	}
	if (r != REQ_NONE)
		vec_push(m, ((struct binding){ key, r }));
}

void
keymap_init(struct keymap *m)
{
	*m = (struct keymap){ 0 };
	for (int r = REQ_NONE + 1; r < REQ_COUNT; r++) {
		char *keys = mem_strdup(requests[r].keys);
		char *save, *word;

		for (word = strtok_r(keys, " ", &save); word;
		     word = strtok_r(NULL, " ", &save)) {
			uint32_t key = keys_parse(word);

			ASSERT(key);
			keymap_bind(m, key, (enum request)r);
		}
		mem_free(keys);
	}
}

void
keymap_release(struct keymap *m)
{
	vec_free(m);
}

static int
load_line(void *ctx, char *line, struct err *err)
{
	struct keymap *m = ctx;
	char *save, *word = strtok_r(line, " \t\r", &save);
	char *name = word ? strtok_r(NULL, " \t\r", &save) : NULL;
	enum request r;
	uint32_t key;

	if (!word)
		return 0;
	/* "# next-event" binds the key #; other lines with # are comments. */
	if (word[0] == '#' &&
	    (word[1] || !name || request_by_name(name) == REQ_NONE))
		return 0;
	key = keys_parse(word);
	if (!key)
		return err_set(err, E_FORMAT, "no key is named \"%s\"", word);
	if (!name)
		return err_set(err, E_FORMAT, "%s: what should it do?", word);
	r = request_by_name(name);
	if (r == REQ_NONE && strcmp(name, "none") != 0)
		return err_set(err, E_FORMAT, "nothing is named \"%s\"", name);
	keymap_bind(m, key, r);
	return 0;
}

int
keymap_load(struct keymap *m, const char *path, struct err *err)
{
	return config_load(path, load_line, m, err);
}

enum request
keymap_press(struct keymap *m, uint32_t key, uint64_t *out_count,
	     bool *out_known)
{
	enum request r = REQ_NONE;

	*out_known = true;
	*out_count = 0;
	/* 0 begins no count: it is the key for the start. */
	if ((key >= '1' && key <= '9') || (key == '0' && m->has_count)) {
		if (m->count < UINT64_MAX / 10 - 1)
			m->count = m->count * 10 + (key - '0');
		m->has_count = true;
		return REQ_NONE;
	}
	for (size_t i = 0; i < m->len; i++)
		if (m->v[i].key == key)
			r = m->v[i].req;
	if (m->has_count)
		*out_count = m->count;
	m->count = 0;
	/* Esc with a count typed takes back the count, no more. */
	if (m->has_count && key == KEYS_ESC)
		r = REQ_NONE;
	else
		*out_known = r != REQ_NONE;
	m->has_count = false;
	return r;
}

const char *
keymap_keys_of(const struct keymap *m, enum request r, char *out, size_t size)
{
	size_t at = 0;

	ASSERT(size > 0);
	out[0] = '\0';
	for (size_t i = 0; i < m->len; i++) {
		char name[KEY_NAME_MAX];
		int n;

		if (m->v[i].req != r)
			continue;
		n = snprintf(out + at, size - at, "%s%s", at ? ", " : "",
			     keys_name(m->v[i].key, name));
		if (n < 0 || (size_t)n >= size - at) {
			out[at] = '\0';
			break;
		}
		at += (size_t)n;
	}
	return out;
}

const char *
keymap_key_of(const struct keymap *m, enum request r, char out[KEY_NAME_MAX])
{
	out[0] = '\0';
	for (size_t i = 0; i < m->len; i++)
		if (m->v[i].req == r)
			return keys_name(m->v[i].key, out);
	return out;
}
