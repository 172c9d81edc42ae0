#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "cli/cmd.h"
#include "cli/debugger.h"
#include "cli/interrupt.h"
#include "cli/pick.h"
#include "cli/say.h"
#include "cli/text.h"
#include "event/format.h"
#include "event/source.h"
#include "gdb/server.h"
#include "replayer/replayer.h"
#include "replayer/target.h"
#include "store/query.h"
#include "store/store.h"

struct gdb {
	const char *at;
	const char *port;
};

struct serving {
	struct cli *c;
	uint64_t rec;
	struct source *source;
	struct replayer *replayer;
	struct gdb_server *server;
	struct debugger debugger;
	struct task_row *tasks; /* NULL = not asked for yet */
	size_t n_tasks;
};

static void
options(void *own, struct opt_list *l)
{
	struct gdb *o = own;

	opt_add(l, 0, "at", OPT_STR, &o->at, "POS",
		"begin at this position, not at the end");
	opt_add(l, 0, "port", OPT_STR, &o->port, "N",
		"start no gdb, serve this port of localhost: gdb, an IDE or "
		"lldb; 0 = one that is free, - = standard input and output");
}

/* ---- what the server asks of us */

static int
position(void *ctx, const char *text, struct pos *out, struct err *err)
{
	struct serving *s = ctx;

	return pick_position(s->c, s->rec, text, out, err);
}

static int
tid_of(struct serving *s, uint32_t task)
{
	for (size_t i = 0; i < s->n_tasks; i++) {
		if (s->tasks[i].task == task)
			return s->tasks[i].tid;
	}
	return 0;
}

static int
events(void *ctx, uint64_t seq, uint64_t n, struct buf *out, struct err *err)
{
	struct format_opts f = { 0 };
	struct serving *s = ctx;
	struct event *ev = NULL;
	struct arena a = { 0 };
	struct buf line = { 0 };
	uint64_t scanned;
	size_t got = 0;
	int ret = 0;

	if (!s->tasks)
		ret = query_tasks(s->c->db, s->rec, &s->c->arena, &s->tasks,
				  &s->n_tasks, err);
	if (ret == 0)
		ret = query_events(s->c->db, s->rec, seq + 1, true, n, NULL, &a,
				   &ev, &got, &scanned, err);
	for (size_t i = got; ret == 0 && i-- > 0;) {
		buf_clear(&line);
		event_format(&ev[i], &f, &line);
		buf_printf(out, "e%-7lu %7d  %s\n", ev[i].seq,
			   tid_of(s, ev[i].task),
			   text_clean(&a, buf_cstr(&line)));
	}
	buf_free(&line);
	arena_free(&a);
	return ret;
}

/* ---- */

static int
parse_port(const char *text, unsigned *out, struct err *err)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || n > 65535)
		return err_set(err, E_USAGE,
			       "--port %s: not a port (0 to 65535, or -)",
			       text);
	*out = (unsigned)n;
	return 0;
}

/* Stand there, or where replay and recording part, and say so. */
static int
go(struct serving *s, const char *at, struct err *err)
{
	struct target *t = replayer_target(s->replayer);
	struct progress progress;
	struct pos pos;
	int ret;

	ret = pick_position(s->c, s->rec, at ? at : "end", &pos, err);
	if (ret < 0)
		return ret;
	progress_init(&progress, "seeking", "events", s->c->quiet);
	ret = gdb_server_seek(s->server, &pos, progress_step, &progress, err);
	progress_end(&progress);
	if (ret == -E_DIVERGED || ret == -E_UNTIMED) {
		say_error(err);
		err_clear(err);
		ret = t->ops->where(t, &pos);
		if (ret == 0)
			ret = gdb_server_seek(s->server, &pos, NULL, NULL, err);
	}
	return ret;
}

/* gdb has the same terminal, or nobody sees more than the server's. */
static void
damaged(void *ctx, const char *why)
{
	const struct serving *s = ctx;

	if (!s->c->quiet)
		say(SAY_DAMAGED, why);
}

static int
open_all(struct serving *s, const char *at, struct err *err)
{
	struct replay_opts ro = { .verify_output = true,
				  .damaged = damaged,
				  .damaged_ctx = s };
	struct gdb_host host = { .ctx = s,
				 .position = position,
				 .events = events };
	int ret;

	ret = store_source_open(s->c->db, s->rec, &s->source, err);
	if (ret == 0)
		ret = replayer_open(&s->replayer, s->source, &ro, err);
	if (ret < 0)
		return ret;
	s->server = gdb_server_new(replayer_target(s->replayer), &host);
	return go(s, at, err);
}

static void
close_all(struct serving *s)
{
	gdb_server_free(s->server);
	if (s->replayer)
		replayer_close(s->replayer);
	if (s->source)
		s->source->ops->close(s->source);
}

/* One client after the other, until it is time to end. */
static int
serve(struct serving *s, struct err *err)
{
	int fd = -1, ret;

	for (;;) {
		ret = debugger_accept(&s->debugger, &fd, err);
		if (ret == -E_END)
			return 0;
		if (ret < 0)
			return ret;
		ret = gdb_server_client(s->server, fd, fd, s->debugger.quit,
					err);
		close(fd);
		if (ret < 0)
			return ret;
	}
}

static int
serve_port(struct serving *s, struct err *err)
{
	int ret = debugger_catch(&s->debugger, err);

	if (ret < 0)
		return ret;
	if (!s->c->quiet) {
		say("serving recording %lu on port %d of localhost; Ctrl-C "
		    "ends it",
		    s->rec, s->debugger.port);
		say("in gdb: target extended-remote localhost:%d",
		    s->debugger.port);
	}
	return serve(s, err);
}

static int
serve_stdio(struct serving *s, struct err *err)
{
	int ret = debugger_catch(&s->debugger, err);

	if (ret == 0)
		ret = gdb_server_client(s->server, STDIN_FILENO, STDOUT_FILENO,
					s->debugger.quit, err);
	return ret;
}

static int
run_gdb(struct serving *s, char **args, struct err *err)
{
	const char *program = getenv("PASTIME_GDB");
	int ret, status;

	if (!program || !*program)
		program = DEBUGGER_DEFAULT;
	ret = debugger_start(
		&s->debugger, program,
		gdb_server_use_local_files(s->server) ? "" : "target:", args,
		s->c->inherit, err);
	if (ret == 0)
		ret = serve(s, err);
	/* Its connection goes before it is waited for. */
	fd_close(&s->debugger.listening);
	if (s->debugger.pid) {
		status = debugger_wait(&s->debugger);
		ret = ret < 0 ? ret : status;
	}
	return ret;
}

static int
check(const struct gdb *o, int argc, char **argv, unsigned *port,
      struct err *err)
{
	const char *program = getenv("PASTIME_GDB");

	if (!o->port)
		return debugger_check(
			program && *program ? program : DEBUGGER_DEFAULT, err);
	if (argc > 0)
		return err_set(err, E_USAGE,
			       "--port starts no gdb that '%s' could be for",
			       argv[0]);
	return strcmp(o->port, "-") == 0 ? 0 : parse_port(o->port, port, err);
}

static int
run(struct cli *c, void *own, int argc, char **argv, struct err *err)
{
	const struct gdb *o = own;
	struct serving s = { .c = c, .debugger = { -1, 0, -1, 0, "" } };
	const char *rec = NULL;
	unsigned port = 0;
	int ret;

	/* Names of recordings do not begin like options. */
	if (argc > 0 && argv[0][0] != '-') {
		rec = *argv++;
		argc--;
	}
	ret = check(o, argc, argv, &port, err);
	if (ret == 0)
		ret = pick_recording(c, rec, &s.rec, err);
	if (ret == 0 && o->port && strcmp(o->port, "-") != 0)
		ret = debugger_listen(&s.debugger, port, err);
	signal(SIGPIPE, SIG_IGN);
	interrupt_catch(NULL);
	if (ret == 0)
		ret = open_all(&s, o->at, err);
	if (ret == 0 && !o->port)
		ret = run_gdb(&s, argv, err);
	else if (ret == 0 && strcmp(o->port, "-") == 0)
		ret = serve_stdio(&s, err);
	else if (ret == 0)
		ret = serve_port(&s, err);
	debugger_close(&s.debugger);
	close_all(&s);
	return ret;
}

const struct cmd cmd_gdb = {
	.name = "gdb",
	.operands = "[REC] [-- GDB-ARGUMENTS]",
	.summary = "debug a recording with gdb, forwards and backwards",
	.flags = CMD_DB | CMD_PTRACE,
	.max = -1,
	.size = sizeof(struct gdb),
	.options = options,
	.run = run,
};
