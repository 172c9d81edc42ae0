/* The command line, and the answers to prompts. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event/pos.h"
#include "tui/ui.h"

static void
set_mark(struct ui *ui, const char *name)
{
	nav_mark_set(ui, *name == '@' ? name + 1 : name);
}

static void
del_mark(struct ui *ui, const char *name)
{
	nav_mark_del(ui, *name == '@' ? name + 1 : name);
}

static void
search_forward(struct ui *ui, const char *text)
{
	search_text(ui, text, false);
}

static void
pin_task(struct ui *ui, const char *text)
{
	char *end;
	unsigned long task = strtoul(text, &end, 10);

	if (end == text || *end || !nav_task_row(ui, (uint32_t)task))
		ui_complain(ui, "there is no task \"%s\"", text);
	else
		nav_pin(ui, (uint32_t)task);
}

/* Commands with an argument; without one the name is a request. */
static const struct {
	const char *name;
	void (*run)(struct ui *ui, const char *arg);
} commands[] = {
	{ "memory", memory_look },    { "filter", search_filter },
	{ "search", search_forward }, { "sql", sql_run },
	{ "mark", set_mark },	      { "delete", del_mark },
	{ "task", pin_task },	      { "break", breaks_set },
	{ "catch", catch_set },	      { "watch", watch_set },
	{ "print", watch_print },
};

const char *
command_name(size_t i)
{
	return i < ARRAY_LEN(commands) ? commands[i].name : NULL;
}

static void
go_event(struct ui *ui, const char *text)
{
	char *plain;

	if (!isdigit((uint8_t)text[0])) {
		nav_to(ui, text);
		return;
	}
	/* 1234 and 110 212, as the header writes it. */
	plain = mem_printf("e%s", text);
	for (char *from = plain, *to = plain;; from++) {
		if (*from != ' ')
			*to++ = *from;
		if (!*from)
			break;
	}
	nav_to(ui, strspn(plain + 1, "0123456789") == strlen(plain + 1) ? plain
									: text);
	mem_free(plain);
}

/* "12.5", "12.5s", "1:02:03.5". */
static void
go_time(struct ui *ui, const char *text)
{
	double s = 0;
	const char *p = text;
	char *end;

	do {
		s = s * 60 + strtod(p, &end);
		if (end == p)
			break;
		p = end;
	} while (*p == ':' && *++p);
	if (end == text || (*p && strcmp(p, "s") != 0) || !(s >= 0) || s > 1e9)
		ui_complain(ui, "\"%s\" is no time: 12.5 or 1:02.5", text);
	else
		nav_to_time(ui, (uint64_t)(s * 1e9));
}

static void
go_percent(struct ui *ui, const char *text)
{
	char *pos = mem_printf("%.*s%%", (int)strcspn(text, "% "), text);

	nav_to(ui, pos);
	mem_free(pos);
}

static void
go_mark(struct ui *ui, const char *text)
{
	char *pos = mem_printf("@%s", *text == '@' ? text + 1 : text);

	nav_to(ui, pos);
	mem_free(pos);
}

void
command_run(struct ui *ui, const char *line)
{
	size_t len;
	char *name;
	enum request r;
	const char *arg;
	struct pos_spec spec;

	line += strspn(line, " ");
	len = strcspn(line, " ");
	arg = line + len + strspn(line + len, " ");
	if (!len)
		return;
	name = mem_printf("%.*s", (int)len, line);
	r = request_by_name(name);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(commands[i].name, name) != 0 || (!*arg && r))
			continue;
		commands[i].run(ui, arg);
		goto out;
	}
	if (r && !*arg)
		ui_request(ui, r, 0);
	else if (!strcmp(name, "q") || !strcmp(name, "q!"))
		ui_request(ui, REQ_QUIT, 0);
	else if (pos_parse(line, &spec, NULL) >= 0)
		nav_to(ui, line);
	else if (strspn(line, "0123456789 ") == strlen(line))
		go_event(ui, line);
	else
		ui_complain(ui,
			    "\"%s\" is neither a command nor a position; "
			    ":help lists both",
			    name);
out:
	mem_free(name);
}

void
prompt_finished(struct ui *ui, enum prompt_kind kind, const char *text)
{
	if (!*text && kind != PROMPT_FILTER && kind != PROMPT_MARK_SET &&
	    kind != PROMPT_SEARCH && kind != PROMPT_SEARCH_BACK)
		return;
	switch (kind) {
	case PROMPT_COMMAND:
		command_run(ui, text);
		break;
	case PROMPT_SEARCH:
	case PROMPT_SEARCH_BACK:
		search_text(ui, text, kind == PROMPT_SEARCH_BACK);
		break;
	case PROMPT_FILTER:
		search_filter(ui, text);
		break;
	case PROMPT_EVENT:
		go_event(ui, text);
		break;
	case PROMPT_TIME:
		go_time(ui, text);
		break;
	case PROMPT_PERCENT:
		go_percent(ui, text);
		break;
	case PROMPT_MARK_SET:
		set_mark(ui, text);
		break;
	case PROMPT_MARK_GO:
		go_mark(ui, text);
		break;
	case PROMPT_SQL:
		sql_run(ui, text);
		break;
	case PROMPT_NONE:
	case PROMPT_KINDS:
		break;
	}
}
