#ifndef CLI_CMD_H
#define CLI_CMD_H

/*
 * A command is a const struct: its name, its options, what must be true before
 * it runs. main.c parses, checks and calls; the command does one thing and
 * returns.
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/vec.h"
#include <stdbool.h>
#include <stddef.h>

struct db;
struct spawn_inherit;

/* Exit statuses. record passes on those of its command. */
enum {
	EXIT_NO = 1,	 /* the answer is no: diverged, cannot record here */
	EXIT_OURS = 125, /* pastime failed or was misused */
	EXIT_CANNOT_EXEC = 126, /* record: found, but cannot be executed */
	EXIT_NO_COMMAND = 127,	/* record: not found */
};

enum cmd_flag {
	CMD_DB = 1u << 0,     /* needs an open database */
	CMD_TTY = 1u << 1,    /* needs a terminal on stdin and stdout */
	CMD_PTRACE = 1u << 2, /* traces: refused under another pastime */
	CMD_TABLE = 1u << 3,  /* prints a table: --json and --csv */
	CMD_WRAPS = 1u << 4,  /* operands are a command: options end there */
};

struct opt_list {
	VEC(struct opt) opts;
};

void opt_add(struct opt_list *l, char letter, const char *name,
	     enum opt_kind kind, void *value, const char *arg,
	     const char *help);

/* What main.c gives every command. */
struct cli {
	const struct cmd *cmd;
	const struct spawn_inherit *inherit; /* before we touched any signal */
	const char *url;		     /* --db, or NULL */
	bool quiet, json, csv, help, version;
	int verbose;
	struct db *db;	    /* CMD_DB: open */
	struct arena arena; /* lives as long as the command */
};

struct cmd {
	const char *name;
	const char *operands; /* as usage shows them; NULL = none */
	const char *summary;
	unsigned flags;
	int min, max; /* number of operands; max -1 = any */
	size_t size;  /* of the command's own options, zeroed */
	void (*options)(void *own, struct opt_list *l); /* NULL = none */
	/* The exit status, or a negative code and err. */
	int (*run)(struct cli *c, void *own, int argc, char **argv,
		   struct err *err);
};

extern const struct cmd *const commands[]; /* NULL ends it */
const struct cmd *cmd_find(const char *name);
/* The command that was probably meant, or NULL. */
const struct cmd *cmd_nearest(const char *name);
/* "pastime CMD --help" */
void cmd_usage(const struct cmd *cmd, const struct opt *opts);
/* "pastime help": all commands, one line each. */
void cmd_overview(FILE *out);

#endif
