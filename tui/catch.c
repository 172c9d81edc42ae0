/* Stops at events: signals, calls, fork, exec, exit, switches of the task. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "event/format.h"
#include "event/sys.h"
#include "tui/ui.h"

static const struct catch_kind {
	const char *name;
	unsigned event;
	const char *arg; /* what may follow */
} kinds[] = {
	{ "signal", TARGET_ON_SIGNAL, "SIGNAL" },
	{ "call", TARGET_ON_CALL, "CALL" },
	{ "return", TARGET_ON_RETURN, "CALL" },
	{ "fork", TARGET_ON_FORK, NULL },
	{ "exec", TARGET_ON_EXEC, NULL },
	{ "exit", TARGET_ON_EXIT, NULL },
	{ "switch", TARGET_ON_SWITCH, NULL },
};

const char *
catch_kind_name(size_t i)
{
	return i < ARRAY_LEN(kinds) ? kinds[i].name : NULL;
}

static int
signal_number(const char *text)
{
	for (int s = 1; s <= SIGRTMAX; s++) {
		const char *name = signal_name(s);

		if (!strcmp(text, name) ||
		    (!strncmp(name, "SIG", 3) && !strcmp(text, name + 3)))
			return s;
	}
	return -1;
}

/* 0, and which one is meant; -1 = any. */
static int
parse_which(const struct catch_kind *k, const char *arg, int *out,
	    struct err *err)
{
	*out = -1;
	if (!*arg)
		return 0;
	if (!k->arg)
		return err_set(err, E_USAGE, "catch %s takes no argument",
			       k->name);
	*out = k->event == TARGET_ON_SIGNAL ? signal_number(arg)
					    : sys_by_name(arg);
	if (*out < 0)
		return err_set(err, E_USAGE, "there is no %s \"%s\"",
			       k->event == TARGET_ON_SIGNAL ? "signal" : "call",
			       arg);
	return 0;
}

static void
add(struct ui *ui, const struct catch_kind *k, const char *text, int which)
{
	struct ui_break b = { .event = k->event,
			      .which = which,
			      .text = mem_strdup(text) };
	char go[KEY_NAME_MAX], back[KEY_NAME_MAX];

	vec_push(&ui->breaks, b);
	ui_invalidate(ui, DIRTY_BREAKS);
	ui_say(ui, "%s goes on to the next %s, %s back to the last",
	       keymap_key_of(&ui->keys, REQ_CONTINUE, go), text,
	       keymap_key_of(&ui->keys, REQ_CONTINUE_BACK, back));
}

void
catch_set(struct ui *ui, const char *text)
{
	size_t len = strcspn(text, " ");
	const char *arg = text + len + strspn(text + len, " ");
	const struct catch_kind *k = NULL;
	struct err err = { 0 };
	int which;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strlen(kinds[i].name) == len &&
		    !strncmp(kinds[i].name, text, len))
			k = &kinds[i];
	}
	if (!k) {
		ui_complain(ui, "catch signal, call, return, fork, exec, exit "
				"or switch; then perhaps SIGUSR1, or read");
		return;
	}
	if (parse_which(k, arg, &which, &err) < 0) {
		ui_complain_err(ui, &err);
		return;
	}
	for (size_t i = 0; i < ui->breaks.len; i++) {
		const struct ui_break *b = &ui->breaks.v[i];

		if (b->event == k->event && b->which == which) {
			breaks_remove(ui, i);
			return;
		}
	}
	add(ui, k, text, which);
}

/* ---- in a motion */

void
catches_put(const struct ui *ui, struct catches *out,
	    struct target_motion_req *req)
{
	out->v = mem_zalloc((ui->breaks.len + 1) * sizeof(*out->v));
	out->n = 0;
	for (size_t i = 0; i < ui->breaks.len; i++) {
		const struct ui_break *b = &ui->breaks.v[i];

		if (!b->event || b->off)
			continue;
		out->v[out->n++] = (struct caught){ b->event, b->which };
		req->events |= b->event;
	}
}

bool
catches_match(const struct catches *c, unsigned event, const struct event *ev)
{
	int which = event == TARGET_ON_SIGNAL ? (int)ev->args[0] : ev->call;

	/* Both at once; the stop tells one of them. */
	if (ev->kind == EV_syscall &&
	    (event & (TARGET_ON_CALL | TARGET_ON_RETURN)))
		event = TARGET_ON_CALL | TARGET_ON_RETURN;
	for (size_t i = 0; i < c->n; i++) {
		if ((c->v[i].event & event) &&
		    (c->v[i].which < 0 || c->v[i].which == which))
			return true;
	}
	return false;
}
