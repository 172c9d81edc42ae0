#ifndef BASE_OPT_H
#define BASE_OPT_H

/*
 * One table per command: it parses the command line, prints --help, feeds the
 * bash completion and is compared with the manual page.
 */
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum opt_kind {
	OPT_FLAG,	/* bool *: set true */
	OPT_COUNT,	/* int *: incremented (-vv) */
	OPT_STR,	/* const char **: the argument, borrowed from argv */
	OPT_STRS,	/* struct opt_strs *: may be given several times */
	OPT_U64,	/* uint64_t *: decimal or 0x; k, M, G = powers of 1024 */
	OPT_OPT_STR,	/* const char **: --name or --name=ARG ("" without) */
};

struct opt {
	char letter;		/* 0 = none */
	const char *name;	/* long name without dashes; NULL ends the table */
	enum opt_kind kind;
	void *value;
	const char *arg;	/* "N", "URL": as shown in help; NULL for flags */
	const char *help;	/* one line */
};

struct opt_strs {
	const char **v;
	size_t len;
};

/*
 * Parse argv[1..]; stops at "--" or, with stop_at_operand, at the first word
 * that is no option ("-" is none). Operands are moved to the front of argv:
 * argv[0] .. argv[*out_argc - 1], then NULL. Long options may be abbreviated
 * unambiguously; options of one letter may be joined (-vn5).
 * Errors: E_USAGE naming the word and, where there is a near one, with a hint
 * at the option that was probably meant; argv may be half sorted then.
 */
int opt_parse(const struct opt *opts, int argc, char **argv,
	      bool stop_at_operand, int *out_argc, struct err *err);
/* The table as --help shows it: two columns, wrapped to width. */
void opt_help(const struct opt *opts, FILE *out, int width);
void opt_strs_free(struct opt_strs *s);

#endif
