#ifndef TUI_KEYS_H
#define TUI_KEYS_H

/*
 * Keys and what they ask for. A key is a character (Unicode), a special key of
 * ours, or either with Alt. Requests, their names and default keys come from
 * request.def; a file of the user's changes them.
 */
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum request {
	REQ_NONE,
#define REQUEST(id, name, keys, group, help) REQ_##id,
#include "tui/request.def"
#undef REQUEST
	REQ_COUNT
};

enum request_group {
	GROUP_MOVE,
	GROUP_PANE,
	GROUP_SEARCH,
	GROUP_VIEW,
	GROUP_OTHER,
	GROUP_COUNT
};

struct request_desc {
	const char *name;
	const char *keys; /* defaults */
	enum request_group group;
	const char *help;
};

/* Row of a request; REQ_NONE has none. */
const struct request_desc *request_desc(enum request r);
const char *request_group_title(enum request_group g);
enum request request_by_name(const char *name); /* or REQ_NONE */

#define KEY_IS_SPECIAL 0x01000000u
#define KEY_IS_ALT 0x02000000u

enum special_key {
	KEYS_LEFT = KEY_IS_SPECIAL,
	KEYS_RIGHT,
	KEYS_UP,
	KEYS_DOWN,
	KEYS_HOME,
	KEYS_END,
	KEYS_PGUP,
	KEYS_PGDN,
	KEYS_INSERT,
	KEYS_DELETE,
	KEYS_SLEFT,
	KEYS_SRIGHT,
	KEYS_BACKTAB,
	KEYS_F1,
	KEYS_F12 = KEYS_F1 + 11,
};

#define KEYS_ENTER '\r'
#define KEYS_ESC 27u
#define KEYS_TAB '\t'
#define KEYS_BACKSPACE 127u

/* "l", "PgUp", "Ctrl-C", "Alt-1", "Space"; 0 = no such key. */
uint32_t keys_parse(const char *name);
#define KEY_NAME_MAX 24
const char *keys_name(uint32_t key, char out[KEY_NAME_MAX]);

struct binding {
	uint32_t key;
	enum request req;
};

struct keymap {
	struct binding *v;
	size_t len, cap;
	uint64_t count; /* digits typed so far */
	bool has_count;
};

void keymap_init(struct keymap *m); /* the defaults */
void keymap_release(struct keymap *m);
/* Replace what the key asks for; REQ_NONE: nothing. */
void keymap_bind(struct keymap *m, uint32_t key, enum request r);
/*
 * Lines "KEY REQUEST" ("x next-event", "x none"), # comments. Errors:
 * E_FORMAT with the line; what came before it holds. A missing file is none.
 */
int keymap_load(struct keymap *m, const char *path, struct err *err);
/*
 * A key was pressed: the request, or REQ_NONE (a digit of a count, or a key
 * without meaning: *out_known tells). *out_count is the count typed before it,
 * 0 when there was none.
 */
enum request keymap_press(struct keymap *m, uint32_t key, uint64_t *out_count,
			  bool *out_known);
/* "l, Right" for help; "" when nothing asks for it. */
const char *keymap_keys_of(const struct keymap *m, enum request r, char *out,
			   size_t size);
/* The first of them. */
const char *keymap_key_of(const struct keymap *m, enum request r,
			  char out[KEY_NAME_MAX]);

#endif
