#include "tui/prompt.h"

#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "tui/keys.h"

#define PAST_MAX 200u

static const char *const labels[PROMPT_KINDS] = {
	[PROMPT_NONE] = "",
	[PROMPT_COMMAND] = ":",
	[PROMPT_SEARCH] = "/",
	[PROMPT_SEARCH_BACK] = "\\",
	[PROMPT_FILTER] = "filter: ",
	[PROMPT_EVENT] = "go to event: ",
	[PROMPT_TIME] = "go to second: ",
	[PROMPT_PERCENT] = "go to per cent: ",
	[PROMPT_MARK_SET] = "bookmark: ",
	[PROMPT_MARK_GO] = "go to bookmark: ",
	[PROMPT_SQL] = "sql> ",
};

const char *
prompt_label(enum prompt_kind kind)
{
	return labels[kind];
}

void
completion_add(struct completion *c, const char *text)
{
	vec_push(&c->v, mem_strdup(text));
}

void
completion_release(struct completion *c)
{
	for (size_t i = 0; i < c->v.len; i++)
		mem_free(c->v.v[i]);
	vec_free(&c->v);
}

static void
stop_offering(struct prompt *p)
{
	completion_release(&p->offers);
	p->offering = false;
}

void
prompt_release(struct prompt *p)
{
	stop_offering(p);
	for (int k = 0; k < PROMPT_KINDS; k++) {
		for (size_t i = 0; i < p->past[k].len; i++)
			mem_free(p->past[k].v[i]);
		vec_free(&p->past[k]);
	}
	mem_free(p->typed);
	buf_free(&p->text);
}

static void
set_text(struct prompt *p, const char *text)
{
	/* text may be p->text itself, or a line of the history. */
	char *copy = mem_strdup(text);

	buf_clear(&p->text);
	buf_reserve(&p->text, 1); /* the cursor points into it */
	buf_str(&p->text, copy);
	p->cursor = p->text.len;
	mem_free(copy);
}

void
prompt_open(struct prompt *p, enum prompt_kind kind, const char *text)
{
	p->kind = kind;
	set_text(p, text);
	p->past_at = p->past[kind].len;
	stop_offering(p);
}

const char *
prompt_text(struct prompt *p)
{
	return buf_cstr(&p->text);
}

/* Bytes of the character before, at the cursor. */
static size_t
before(const struct prompt *p)
{
	size_t n = 0;

	while (n < p->cursor) {
		n++;
		if ((p->text.p[p->cursor - n] & 0xc0) != 0x80)
			break;
	}
	return n;
}

static size_t
after(const struct prompt *p)
{
	size_t n = 0, left = p->text.len - p->cursor;

	while (n < left) {
		n++;
		if (n == left || (p->text.p[p->cursor + n] & 0xc0) != 0x80)
			break;
	}
	return n;
}

/* Remove n bytes before the cursor. */
static void
erase(struct prompt *p, size_t n)
{
	memmove(p->text.p + p->cursor - n, p->text.p + p->cursor,
		p->text.len - p->cursor);
	p->text.len -= n;
	p->cursor -= n;
}

static void
insert(struct prompt *p, const char *text, size_t n)
{
	buf_grow(&p->text, n);
	memmove(p->text.p + p->cursor + n, p->text.p + p->cursor,
		p->text.len - n - p->cursor);
	memcpy(p->text.p + p->cursor, text, n);
	p->cursor += n;
}

static size_t
word_before(const struct prompt *p)
{
	size_t at = p->cursor;

	while (at && p->text.p[at - 1] == ' ')
		at--;
	while (at && p->text.p[at - 1] != ' ')
		at--;
	return p->cursor - at;
}

static void
recall(struct prompt *p, int step)
{
	size_t len = p->past[p->kind].len;

	if ((step < 0 && p->past_at == 0) || (step > 0 && p->past_at == len))
		return;
	if (p->past_at == len) {
		mem_free(p->typed);
		p->typed = mem_strdup(prompt_text(p));
	}
	p->past_at = step < 0 ? p->past_at - 1 : p->past_at + 1;
	set_text(p,
		 p->past_at == len ? p->typed : p->past[p->kind].v[p->past_at]);
}

static void
remember(struct prompt *p)
{
	const char *text = prompt_text(p);
	size_t len = p->past[p->kind].len;

	if (!*text)
		return;
	for (size_t i = 0; i < len; i++) {
		if (strcmp(p->past[p->kind].v[i], text) != 0)
			continue;
		mem_free(p->past[p->kind].v[i]);
		vec_remove(&p->past[p->kind], i);
		break;
	}
	if (p->past[p->kind].len == PAST_MAX) {
		mem_free(p->past[p->kind].v[0]);
		vec_remove(&p->past[p->kind], 0);
	}
	vec_push(&p->past[p->kind], mem_strdup(text));
}

/* Moving and deleting; false: not such a key. */
static bool
edit(struct prompt *p, uint32_t key)
{
	switch (key) {
	case KEYS_LEFT:
	case 'B' - '@':
		p->cursor -= before(p);
		return true;
	case KEYS_RIGHT:
	case 'F' - '@':
		p->cursor += after(p);
		return true;
	case KEYS_HOME:
	case 'A' - '@':
		p->cursor = 0;
		return true;
	case KEYS_END:
	case 'E' - '@':
		p->cursor = p->text.len;
		return true;
	case KEYS_DELETE:
	case 'D' - '@': {
		size_t n = after(p);

		p->cursor += n;
		erase(p, n);
		return true;
	}
	case 'U' - '@':
		erase(p, p->cursor);
		return true;
	case 'K' - '@':
		p->text.len = p->cursor;
		return true;
	case 'W' - '@':
		erase(p, word_before(p));
		return true;
	case KEYS_UP:
	case 'P' - '@':
		recall(p, -1);
		return true;
	case KEYS_DOWN:
	case 'N' - '@':
		recall(p, 1);
		return true;
	}
	return false;
}

enum prompt_result
prompt_key(struct prompt *p, uint32_t key)
{
	if (key == KEYS_TAB)
		return PROMPT_TAB;
	stop_offering(p);
	if (key == KEYS_ENTER) {
		remember(p);
		p->kind = PROMPT_NONE;
		return PROMPT_DONE;
	}
	/* Backspace in an empty line leaves it, as in vi. */
	if (key == KEYS_ESC || key == 'C' - '@' || key == 'G' - '@' ||
	    (key == KEYS_BACKSPACE && !p->text.len)) {
		p->kind = PROMPT_NONE;
		return PROMPT_CANCELLED;
	}
	if (key == KEYS_BACKSPACE || key == 'H' - '@') {
		erase(p, before(p));
	} else if (!edit(p, key) && key >= ' ' && key < KEY_IS_SPECIAL) {
		char text[8];
		int n = snprintf(text, sizeof(text), "%lc", (wint_t)key);

		if (n > 0)
			insert(p, text, (size_t)n);
	}
	return PROMPT_OPEN;
}

static void
put_offer(struct prompt *p, const char *text, size_t n)
{
	erase(p, p->cursor - p->offers.from);
	insert(p, text, n);
}

bool
prompt_complete(struct prompt *p, struct completion *c)
{
	size_t same;

	stop_offering(p);
	if (!c->v.len) {
		completion_release(c);
		return false;
	}
	p->offers = *c;
	*c = (struct completion){ 0 };
	same = strlen(p->offers.v.v[0]);
	/* What those begin with that are not in the list nobody knows. */
	if (p->offers.more)
		same = 0;
	for (size_t i = 1; i < p->offers.v.len; i++)
		for (size_t k = 0; k < same; k++)
			if (p->offers.v.v[i][k] != p->offers.v.v[0][k])
				same = k;
	/* Nothing to add that is certain: begin with the first. */
	p->offering = p->offers.v.len > 1;
	p->offer_at = 0;
	if (p->offering && same <= p->cursor - p->offers.from) {
		put_offer(p, p->offers.v.v[0], strlen(p->offers.v.v[0]));
		p->offer_at = 1;
	} else {
		put_offer(p, p->offers.v.v[0], same);
	}
	return true;
}

bool
prompt_next_offer(struct prompt *p)
{
	const char *text;

	if (!p->offering)
		return false;
	text = p->offers.v.v[p->offer_at % p->offers.v.len];
	put_offer(p, text, strlen(text));
	p->offer_at++;
	return true;
}
