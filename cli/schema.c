#include "cli/schema.h"

#include <stdio.h>
#include <string.h>

#include "cli/table.h"
#include "cli/text.h"
#include "store/query.h"
#include "store/store.h"

/* What schema "this" shows of one recording, and the tables of names. */
static const char relations[] =
	"select c.relname, obj_description(c.oid, 'pg_class'), a.attname,"
	" format_type(a.atttypid, a.atttypmod), col_description(c.oid, "
	"a.attnum)"
	" from pg_catalog.pg_class c"
	" join pg_catalog.pg_attribute a on a.attrelid = c.oid"
	" where c.relnamespace = 'pastime'::regnamespace"
	" and a.attnum > 0 and not a.attisdropped"
	" and c.relkind in ('r', 'p', 'v', 'f')"
	" and (c.relname in ('kind', 'syscall', 'errno', 'signal')"
	"  or exists (select from pg_catalog.pg_class v where"
	"   v.relnamespace = 'this'::regnamespace and v.relname = c.relname))"
	" order by c.relkind = 'v' desc, c.relname, a.attnum";

static const char functions[] =
	"select p.proname || '(' || pg_get_function_arguments(p.oid) || ')',"
	" pg_get_function_result(p.oid), obj_description(p.oid, 'pg_proc')"
	" from pg_catalog.pg_proc p"
	" where p.pronamespace = 'pastime'::regnamespace order by 1";

enum { F_CALL, F_RESULT, F_TEXT, F_COUNT };
enum { C_VIEW, C_VIEW_TEXT, C_NAME, C_TYPE, C_TEXT, C_COUNT };

static void
print_relations(const struct sql_result *r, bool bold)
{
	const char *last = "";

	for (size_t i = 0; i < r->rows; i++) {
		const char *const *row = r->cells + i * r->cols;

		if (strcmp(row[C_VIEW], last) != 0)
			printf("%s%s%s%s\n    %s\n\n", i > 0 ? "\n" : "",
			       bold ? "\033[1m" : "", row[C_VIEW],
			       bold ? "\033[0m" : "",
			       row[C_VIEW_TEXT] ? row[C_VIEW_TEXT] : "");
		last = row[C_VIEW];
		printf("    %-14s %-10s %s\n", row[C_NAME], row[C_TYPE],
		       row[C_TEXT] ? row[C_TEXT] : "");
	}
}

static void
print_functions(const struct sql_result *r, bool bold)
{
	printf("\n%sFunctions%s\n\n", bold ? "\033[1m" : "",
	       bold ? "\033[0m" : "");
	for (size_t i = 0; i < r->rows; i++) {
		const char *const *row = r->cells + i * r->cols;

		printf("    %s: %s\n        %s\n", row[F_CALL], row[F_RESULT],
		       row[F_TEXT] ? row[F_TEXT] : "");
	}
}

int
schema_print(struct cli *c, struct err *err)
{
	struct sql_result r = { 0 }, f = { 0 };
	bool bold = text_coloured(stdout);
	int ret;

	ret = store_open(c->url, &c->db, err);
	if (ret == 0)
		ret = query_sql(c->db, 0, relations, &c->arena, &r, err);
	if (ret == 0)
		ret = query_sql(c->db, 0, functions, &c->arena, &f, err);
	if (ret < 0)
		return ret;
	if (r.cols != C_COUNT || f.cols != F_COUNT)
		return err_set(err, E_DB, "the catalog has another shape");
	puts("In 'pastime sql' these show one recording, which rec() and :rec "
	     "name;\nschema-qualified (pastime.call) they show all, told apart "
	     "by the column\nrecording.\n");
	print_relations(&r, bold);
	print_functions(&f, bold);
	return 0;
}
