#include <stdio.h>

#include "recorder/engine.h"

/* One line of the end, and what is needed not to say it twice. */
struct note {
	enum warn_code code;
	int call;
	char *text;
};

#define NOTES_MAX 50 /* a program that tries a thousand calls gets this many lines */

static bool
is_known(const struct recorder *r, enum warn_code code, int call,
	 const char *text)
{
	for (size_t i = 0; i < r->notes.len; i++) {
		const struct note *n = &r->notes.v[i];

		if (n->code == code && n->call == call &&
		    strcmp(n->text, text) == 0)
			return true;
	}
	return false;
}

int
warn(struct recorder *r, const struct task *t, enum warn_code code, int call,
     const char *fmt, ...)
{
	struct event ev;
	struct buf items = r->items; /* a warning may come amid an event */
	char text[256];
	va_list ap;
	int ret;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (is_known(r, code, call, text) || r->notes.len >= NOTES_MAX)
		return 0;
	vec_push(&r->notes, ((struct note){ code, call, mem_strdup(text) }));
	r->items = (struct buf){ 0 };
	event_begin(r, t, EV_warning, &ev);
	ev.args[0] = (uint64_t)code;
	ev.call = (int16_t)call;
	item_put_bytes(&r->items, ITEM_TEXT, 0, span_str(text));
	ret = event_put(r, &ev, NULL);
	buf_free(&r->items);
	r->items = items;
	return ret;
}

void
warn_notes(const struct recorder *r, struct buf *out)
{
	for (size_t i = 0; i < r->notes.len; i++)
		buf_printf(out, "%s\n", r->notes.v[i].text);
}

void
warn_items(const struct recorder *r, struct buf *items)
{
	for (size_t i = 0; i < r->notes.len; i++)
		item_put_bytes(items, ITEM_TEXT, 0,
			       span_str(r->notes.v[i].text));
}

void
warn_release(struct recorder *r)
{
	for (size_t i = 0; i < r->notes.len; i++)
		mem_free(r->notes.v[i].text);
	vec_free(&r->notes);
}
