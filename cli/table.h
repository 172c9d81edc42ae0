#ifndef CLI_TABLE_H
#define CLI_TABLE_H

/*
 * Tables for people (aligned, header line), as JSON (one object a line) or as
 * CSV (RFC 4180). People see short values, machines full ones: a command asks
 * table_for_people() and makes its cells accordingly.
 */
#include "base/arena.h"
#include "cli/cmd.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct column {
	const char *name; /* lower case; shown to people in capitals */
	bool number;	  /* right-aligned; bare in JSON */
	bool cut;	  /* may be cut off to fit the terminal */
	bool machine;	  /* not shown to people */
};

enum table_form { TABLE_TEXT, TABLE_JSON, TABLE_CSV };

struct table {
	const struct column *cols;
	size_t n;
	enum table_form form;
	FILE *out;
	struct arena arena;
	VEC(const char *) cells; /* TABLE_TEXT: kept until the end, to align */
};

void table_begin(struct table *t, const struct cli *c,
		 const struct column *cols, size_t n, FILE *out);
bool table_for_people(const struct table *t);
/* One row of n cells (copied); NULL is null. */
void table_row(struct table *t, const char *const *cells);
void table_end(struct table *t);

/* s as a JSON string, quotes included; bytes that are no UTF-8 become U+FFFD.
 */
void json_string(FILE *out, const char *s);
void csv_cell(FILE *out, const char *s);

#endif
