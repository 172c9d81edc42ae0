#include "cli/schema.h"

#include <stdio.h>
#include <string.h>

#include "cli/table.h"
#include "cli/text.h"
#include "store/query.h"
#include "store/store.h"

/* Views, and pastime.event, which people query like one. */
static const char catalog[] =
	"select c.relname, obj_description(c.oid, 'pg_class'), a.attname,"
	" format_type(a.atttypid, a.atttypmod), col_description(c.oid, "
	"a.attnum)"
	" from pg_catalog.pg_class c"
	" join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
	" join pg_catalog.pg_attribute a on a.attrelid = c.oid"
	" where n.nspname = 'pastime' and a.attnum > 0 and not a.attisdropped"
	" and (c.relkind = 'v' or c.relname = 'event')"
	" order by c.relname, a.attnum";

enum { C_VIEW, C_VIEW_TEXT, C_NAME, C_TYPE, C_TEXT, C_COUNT };

int
schema_print(struct cli *c, struct err *err)
{
	struct sql_result r = { 0 };
	bool bold = text_coloured(stdout);
	const char *last = "";
	int ret;

	ret = store_open(c->url, &c->db, err);
	if (ret == 0)
		ret = query_sql(c->db, 0, catalog, &c->arena, &r, err);
	if (ret < 0)
		return ret;
	if (r.cols != C_COUNT)
		return err_set(err, E_DB,
			       "the catalog answered with %zu columns", r.cols);
	for (size_t i = 0; i < r.rows; i++) {
		const char *const *row = r.cells + i * r.cols;

		if (strcmp(row[C_VIEW], last) != 0)
			printf("%s%s%s%s\n    %s\n\n", i > 0 ? "\n" : "",
			       bold ? "\033[1m" : "", row[C_VIEW],
			       bold ? "\033[0m" : "",
			       row[C_VIEW_TEXT] ? row[C_VIEW_TEXT] : "");
		last = row[C_VIEW];
		printf("    %-14s %-26s %s\n", row[C_NAME], row[C_TYPE],
		       row[C_TEXT] ? row[C_TEXT] : "");
	}
	return 0;
}
