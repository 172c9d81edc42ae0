/* gdb's monitor: commands in words. */
#include "gdb/divert.h"
#include "gdb/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define CHUNK (PACKET_SIZE / 4)
#define EVENTS_DEFAULT 10
#define EVENTS_MAX 100000u

typedef int command_fn(struct gdb_server *s, const char *arg, struct buf *out,
		       struct err *err);

static int
where(struct gdb_server *s, struct pos *at, struct err *err)
{
	int ret = s->t->ops->where(s->t, at);

	return ret < 0 ? err_set(err, -ret, "the replay stands nowhere") : 0;
}

static int
cmd_when(struct gdb_server *s, const char *arg, struct buf *out,
	 struct err *err)
{
	uint64_t last = s->t->ops->last(s->t);
	char text[POS_TEXT_MAX];
	struct pos at;
	int ret;

	if (*arg)
		return err_set(err, E_USAGE, "monitor when: no argument");
	ret = where(s, &at, err);
	if (ret == 0)
		buf_printf(out, "%s of %lu\n", pos_format(&at, text), last);
	return ret;
}

static int
cmd_seek(struct gdb_server *s, const char *arg, struct buf *out,
	 struct err *err)
{
	char text[POS_TEXT_MAX];
	struct pos p;
	int ret;

	if (!*arg)
		return err_set(err, E_USAGE, "monitor seek POS");
	ret = s->host.position(s->host.ctx, arg, &p, err);
	if (ret < 0)
		return ret;
	ret = gdb_server_seek(s, &p, server_go_on, s, err);
	s->moved = true;
	s->has_next = false;
	if (ret == 0)
		ret = where(s, &p, err);
	if (ret == 0)
		buf_printf(out, "at %s\n", pos_format(&p, text));
	return ret;
}

static int
cmd_checkpoint(struct gdb_server *s, const char *arg, struct buf *out,
	       struct err *err)
{
	char text[POS_TEXT_MAX];
	struct pos at;
	int ret;

	if (*arg)
		return err_set(err, E_USAGE, "monitor checkpoint: no argument");
	ret = s->t->ops->checkpoint(s->t, err);
	if (ret == 0)
		ret = where(s, &at, err);
	if (ret == 0)
		buf_printf(out, "checkpoint at %s: monitor seek %s\n",
			   pos_format(&at, text), text);
	return ret;
}

static int
cmd_events(struct gdb_server *s, const char *arg, struct buf *out,
	   struct err *err)
{
	unsigned long n = EVENTS_DEFAULT;
	char *end;
	struct pos at;
	int ret;

	if (*arg) {
		n = strtoul(arg, &end, 10);
		if (*end || n == 0 || n > EVENTS_MAX || arg[0] == '-')
			return err_set(err, E_USAGE,
				       "monitor events N: N is a number from 1 "
				       "to %u",
				       EVENTS_MAX);
	}
	ret = where(s, &at, err);
	return ret < 0 ? ret : s->host.events(s->host.ctx, at.seq, n, out, err);
}

static int
cmd_processes(struct gdb_server *s, const char *arg, struct buf *out,
	      struct err *err)
{
	uint32_t last = 0;
	int ret = threads_load(s, err);

	if (*arg)
		return err_set(err, E_USAGE, "monitor processes: no argument");
	for (size_t i = 0; ret == 0 && i < s->n_tasks; i++) {
		const struct target_task *t = &s->tasks[i];

		if (!t->alive || t->space == 0 || t->process == last)
			continue;
		last = t->process;
		buf_printf(out, "%c %7d  %s\n",
			   process_is_shown(s, t->process) ? '*' : ' ', t->tgid,
			   t->comm ? t->comm : "");
	}
	return ret;
}

static int cmd_help(struct gdb_server *s, const char *arg, struct buf *out,
		    struct err *err);

static const struct command {
	const char *name, *arg;
	command_fn *run;
	const char *help;
} commands[] = {
	{ "when", "", cmd_when, "the position where the replay stands" },
	{ "seek", "POS", cmd_seek,
	  "go to a position: e1234, start, end, 37%, 12.5s, @bookmark" },
	{ "checkpoint", "", cmd_checkpoint,
	  "keep a copy of this moment, for coming back quickly" },
	{ "events", "[N]", cmd_events, "the last N events up to here (10)" },
	{ "processes", "", cmd_processes,
	  "processes that live here; * = those that gdb sees; attach PID "
	  "looks at another" },
	{ "help", "", cmd_help, "this list" },
};

static int
cmd_help(struct gdb_server *s, const char *arg, struct buf *out,
	 struct err *err)
{
	(void)s;
	(void)arg;
	(void)err;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		char left[32];

		snprintf(left, sizeof(left), "%s %s", commands[i].name,
			 commands[i].arg);
		buf_printf(out, "monitor %-16s %s\n", left, commands[i].help);
	}
	return 0;
}

static int
run(struct gdb_server *s, char *line, struct buf *out, struct err *err)
{
	size_t n = strcspn(line, " \t");
	const char *arg = line + n + strspn(line + n, " \t");

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strlen(commands[i].name) == n &&
		    strncmp(line, commands[i].name, n) == 0)
			return commands[i].run(s, arg, out, err);
	}
	line[n] = '\0';
	return err_set(err, E_USAGE,
		       "no such command: '%s'; 'monitor help' lists them",
		       line);
}

void
monitor_handle(struct gdb_server *s, struct scan *args)
{
	struct buf line = { 0 }, out = { 0 }, text = { 0 };
	struct err err = { 0 };
	char *words;
	size_t len;

	divert_end(s);
	if (!hex_get(scan_rest(args), &line)) {
		reply_error(s, 1);
		buf_free(&line);
		return;
	}
	words = mem_strdup(buf_cstr(&line));
	for (len = strlen(words); len > 0 && strchr(" \t\n", words[len - 1]);)
		words[--len] = '\0';
	if (run(s, words + strspn(words, " \t"), &out, &err) < 0) {
		buf_clear(&out);
		buf_printf(&out, "%s\n", err.text);
		if (err.hint[0])
			buf_printf(&out, "  %s\n", err.hint);
	}
	for (size_t at = 0; at < out.len; at += CHUNK) {
		buf_clear(&text);
		buf_str(&text, "O");
		hex_put(&text, out.p + at,
			out.len - at < CHUNK ? out.len - at : CHUNK);
		server_send(s, buf_span(&text));
	}
	mem_free(words);
	buf_free(&line);
	buf_free(&out);
	buf_free(&text);
	reply_ok(s);
}
