#include "config.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "cli/cmd.h"
#include "cli/interrupt.h"
#include "cli/nested.h"
#include "cli/say.h"
#include "cli/text.h"
#include "store/store.h"
#include "tracee/spawn.h"

/* Options that every command has; record calls --db also -o. */
static void
common_options(struct cli *c, struct opt_list *l)
{
	bool wraps = c->cmd && (c->cmd->flags & CMD_WRAPS);

	opt_add(l, wraps ? 'o' : 0, "db", OPT_STR, &c->url, "URL",
		"use this PostgreSQL server, not the embedded one");
	opt_add(l, 'q', "quiet", OPT_FLAG, &c->quiet, NULL,
		"say nothing but errors");
	opt_add(l, 'v', "verbose", OPT_COUNT, &c->verbose, NULL, "say more");
	if (!c->cmd || (c->cmd->flags & CMD_TABLE)) {
		opt_add(l, 0, "json", OPT_FLAG, &c->json, NULL,
			"print one JSON object a line");
		opt_add(l, 0, "csv", OPT_FLAG, &c->csv, NULL,
			"print comma-separated values");
	}
	opt_add(l, 'h', "help", OPT_FLAG, &c->help, NULL, "show this and exit");
	if (!c->cmd)
		opt_add(l, 0, "version", OPT_FLAG, &c->version, NULL,
			"show the version and exit");
}

static int
unknown_command(const char *name, struct err *err)
{
	const struct cmd *near = cmd_nearest(name);
	int ret;

	ret = err_set(err, E_USAGE, "unknown command '%s'", name);
	if (near)
		err_hint(err,
			 "did you mean 'pastime %s'?\n"
			 "'pastime help' lists the commands",
			 near->name);
	else
		err_hint(err,
			 "'pastime help' lists the commands;\n"
			 "to record it: pastime record %s",
			 name);
	return ret;
}

static int
check_operands(const struct cmd *cmd, int argc, char **argv, struct err *err)
{
	int ret = 0;

	if (argc < cmd->min)
		ret = err_set(err, E_USAGE, "%s needs %s", cmd->name,
			      cmd->operands);
	else if (cmd->max >= 0 && argc > cmd->max)
		ret = err_set(err, E_USAGE, "%s: one word too many: '%s'",
			      cmd->name, argv[cmd->max]);
	return ret;
}

/* What the flags of a command promise. */
static int
preconditions(struct cli *c, struct err *err)
{
	unsigned flags = c->cmd->flags;
	int ret = 0;

	if (c->json && c->csv)
		return err_set(err, E_USAGE,
			       "--json and --csv exclude each other");
	/* A script of keys stands in for the terminal. */
	if ((flags & CMD_TTY) && !getenv("PASTIME_TUI_SCRIPT") &&
	    !(isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))) {
		ret = err_set(err, ENOTTY, "%s needs a terminal", c->cmd->name);
		err_hint(err, "without one: pastime show, pastime replay --at "
			      "POS, pastime sql");
		return ret;
	}
	if (flags & CMD_PTRACE)
		ret = nested_check(err);
	if (ret == 0 && (flags & CMD_DB))
		ret = store_open(c->url, &c->db, err);
	return ret;
}

/* What to type next where nobody knows better. */
static void
default_hint(const struct cmd *cmd, struct err *err)
{
	const char *code = err_name(err->code);

	if (err->code == -E_USAGE)
		err_hint(err,
			 "usage: pastime %s [OPTIONS]%s%s\n"
			 "pastime help %s",
			 cmd->name, cmd->operands ? " " : "",
			 cmd->operands ? cmd->operands : "", cmd->name);
	else
		err_hint(err, "pastime help %s",
			 err_help(code) ? code : cmd->name);
}

/* argv[0] is the command's name. */
static int
run_command(struct cli *c, int argc, char **argv, struct err *err)
{
	const struct cmd *cmd = c->cmd;
	struct opt_list l = { 0 };
	void *own = mem_zalloc(cmd->size ? cmd->size : 1);
	int n = 0;
	int ret;

	if (cmd->options)
		cmd->options(own, &l);
	common_options(c, &l);
	vec_push(&l.opts, (struct opt){ 0 });
	ret = opt_parse(l.opts.v, argc, argv, cmd->flags & CMD_WRAPS, &n, err);
	if (ret == 0 && c->help) {
		cmd_usage(cmd, l.opts.v);
		goto out;
	}
	if (ret == 0)
		ret = check_operands(cmd, n, argv, err);
	if (ret == 0)
		ret = preconditions(c, err);
	if (ret == 0)
		ret = cmd->run(c, own, n, argv, err);
	if (ret == -E_PTRACE_DENIED)
		nested_explain_denied(err);
	if (ret < 0 && err->hint[0] == '\0')
		default_hint(cmd, err);
out:
	store_close(c->db);
	c->db = NULL;
	vec_free(&l.opts);
	mem_free(own);
	return ret;
}

/* Options before the command's name, then the command. */
static int
dispatch(struct cli *c, int argc, char **argv, struct err *err)
{
	struct opt_list l = { 0 };
	int ret, n = 0, at = 1;

	/* Only leading options are ours; the rest belongs to the command. */
	common_options(c, &l);
	vec_push(&l.opts, (struct opt){ 0 });
	ret = opt_parse(l.opts.v, argc, argv, true, &n, err);
	vec_free(&l.opts);
	if (ret < 0) {
		if (err->hint[0] == '\0')
			err_hint(err, "pastime help");
		return ret;
	}
	at = 0;
	if (c->version) {
		printf("%s %s\n", PACKAGE_NAME, PACKAGE_VERSION);
		return 0;
	}
	if (n == 0) {
		cmd_overview(c->help ? stdout : stderr);
		return c->help ? 0 : EXIT_OURS;
	}
	c->cmd = cmd_find(argv[at]);
	if (!c->cmd)
		return unknown_command(argv[at], err);
	return run_command(c, n, argv, err);
}

/* Output that could not be written is a failure, not a silence. */
static int
flush_stdout(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (errno != EPIPE)
		say("cannot write to standard output: %s", strerror(errno));
	return EXIT_OURS;
}

int
main(int argc, char **argv)
{
	struct spawn_inherit inherit;
	struct cli c = { .inherit = &inherit };
	struct err err = { 0 };
	int ret;

	mem_keep_freed();
	spawn_inherit_get(&inherit);
	fd_fill_standard();
	setlocale(LC_ALL, "");
	ret = dispatch(&c, argc, argv, &err);
	if (ret < 0) {
		fflush(stdout);
		if (!interrupted())
			say_error(&err);
		ret = EXIT_OURS;
	}
	interrupt_die();
	arena_free(&c.arena);
	return flush_stdout(ret);
}
