#ifndef TUI_PROMPT_H
#define TUI_PROMPT_H

/*
 * One line of input at the foot of the screen: editing, a history for each
 * kind of question, completion. Knows nothing of what is asked.
 */
#include "base/buf.h"
#include "base/vec.h"
#include <stdbool.h>
#include <stdint.h>

enum prompt_kind {
	PROMPT_NONE,
	PROMPT_COMMAND,
	PROMPT_SEARCH,
	PROMPT_SEARCH_BACK,
	PROMPT_FILTER,
	PROMPT_EVENT,
	PROMPT_TIME,
	PROMPT_PERCENT,
	PROMPT_MARK_SET,
	PROMPT_MARK_GO,
	PROMPT_SQL,
	PROMPT_KINDS,
};

/* What could stand in place of the text from byte from to the cursor. */
struct completion {
	VEC(char *) v;
	size_t from;
	size_t more; /* there are so many others */
};

void completion_add(struct completion *c, const char *text);
void completion_release(struct completion *c);

struct prompt {
	enum prompt_kind kind; /* PROMPT_NONE: closed */
	struct buf text;
	size_t cursor; /* byte */
	VEC(char *) past[PROMPT_KINDS];
	size_t past_at; /* = len: the line being typed */
	char *typed;	/* it, while an older one is shown */
	/* Repeated Tab goes round what was offered. */
	struct completion offers;
	size_t offer_at;
	bool offering;
};

enum prompt_result {
	PROMPT_OPEN,	  /* goes on */
	PROMPT_DONE,	  /* Enter: text is the answer; closed */
	PROMPT_CANCELLED, /* Esc; closed */
	PROMPT_TAB,	  /* wants prompt_complete */
};

void prompt_release(struct prompt *p);
void prompt_open(struct prompt *p, enum prompt_kind kind, const char *text);
/* key as in keys.h. The answer stays in p->text until the next prompt_open. */
enum prompt_result prompt_key(struct prompt *p, uint32_t key);
/* Takes the offers: the longest common beginning, then each in turn. False:
 * there is nothing to offer. */
bool prompt_complete(struct prompt *p, struct completion *c);
/* The first Tab found several: go round those. */
bool prompt_next_offer(struct prompt *p);
const char *prompt_text(struct prompt *p);
const char *prompt_label(enum prompt_kind kind); /* "/", "go to event: " */

#endif
