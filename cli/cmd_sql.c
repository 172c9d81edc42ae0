#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "cli/cmd.h"
#include "cli/interrupt.h"
#include "cli/pick.h"
#include "cli/say.h"
#include "cli/table.h"
#include "cli/text.h"
#include "store/query.h"
#include "store/store.h"

struct sql {
	const char *file;
	struct opt_strs with;
};

static void
options(void *own, struct opt_list *l)
{
	struct sql *o = own;

	opt_add(l, 'f', "file", OPT_STR, &o->file, "FILE",
		"read the query from FILE (- for standard input)");
	opt_add(l, 'w', "with", OPT_STRS, &o->with, "REC",
		"the query looks at the events of this recording, too");
}

static int
read_query(const char *path, struct buf *out, struct err *err)
{
	int ret = strcmp(path, "-") == 0 ? fd_read_all(STDIN_FILENO, out)
					 : fd_read_file(path, out);

	if (ret < 0) {
		errno = -ret;
		return err_errno(err, "cannot read %s", path);
	}
	return 0;
}

/* Where the quoted or commented piece at s ends; s when there is none. */
static const char *
skip_quoted(const char *s)
{
	const char *end;

	if (*s == '\'' || *s == '"') {
		end = strchr(s + 1, *s);
		return end ? end + 1 : s + strlen(s);
	}
	if (s[0] == '-' && s[1] == '-')
		return s + strcspn(s, "\n");
	if (s[0] == '/' && s[1] == '*') {
		end = strstr(s + 2, "*/");
		return end ? end + 2 : s + strlen(s);
	}
	return s;
}

/* :rec is the recording's number, as in psql; not inside quotes, not ::rec. */
static void
bind_rec(const char *s, uint64_t rec, struct buf *out)
{
	while (*s) {
		const char *end = skip_quoted(s);

		if (end > s) {
			buf_put(out, s, (size_t)(end - s));
			s = end;
		} else if (strncmp(s, "::", 2) == 0) {
			buf_str(out, "::");
			s += 2;
		} else if (strncmp(s, ":rec", 4) == 0 && s[4] != '_' &&
			   !isalnum((unsigned char)s[4])) {
			buf_printf(out, "%lu", rec);
			s += 4;
		} else {
			buf_u8(out, (uint8_t)*s++);
		}
	}
}

static void
print_result(struct cli *c, const struct sql_result *r)
{
	struct column *cols =
		arena_alloc(&c->arena, (r->cols + 1) * sizeof(*cols));
	struct table t;

	for (size_t i = 0; i < r->cols; i++)
		cols[i] = (struct column){ .name = r->names[i],
					   .number = r->numeric &&
						     r->numeric[i] };
	if (r->cols > 0) {
		table_begin(&t, c, cols, r->cols, stdout);
		for (size_t i = 0; i < r->rows; i++)
			table_row(&t, r->cells + i * r->cols);
		table_end(&t);
	}
	if (r->tag && (r->cols == 0 || c->verbose) && !c->quiet)
		say("%s", r->tag);
}

/* psql, connected and set up: search_path, pastime.rec() and :rec. */
static int
run_psql(struct cli *c, uint64_t rec, struct err *err)
{
	struct store_where w = { 0 };
	const char *old = getenv("PGOPTIONS");
	const char *set;
	int ret;

	ret = store_where(c->url, &w, err);
	if (ret < 0)
		return ret;
	set = text_printf(
		&c->arena,
		"%s%s-c search_path=this,pastime,public -c pastime.rec=%lu",
		old ? old : "", old ? " " : "", rec);
	setenv("PGOPTIONS", set, 1);
	if (!c->quiet)
		say("recording %lu is :rec; views of it are in the search path "
		    "(\\dv, pastime help schema)",
		    rec);
	fflush(NULL);
	execlp("psql", "psql", "-v", text_printf(&c->arena, "rec=%lu", rec),
	       "-v", "PROMPT1=pastime %R%# ", "-v", "PROMPT2=pastime %R%# ",
	       "-d", w.url, NULL);
	ret = err_errno(err, "cannot start psql");
	err_hint(err, "install it (Debian: postgresql-client, Fedora: "
		      "postgresql), or give the query:\n"
		      "pastime sql \"select * from event limit 10\"");
	store_where_free(&w);
	return ret;
}

static bool
is_query(const char *word)
{
	return strpbrk(word, " \t\n;") != NULL;
}

static int
fill(struct cli *c, uint64_t rec, struct err *err)
{
	struct progress p;
	int ret;

	progress_init(&p, "preparing", "events", c->quiet);
	ret = query_fill_rows(c->db, rec, progress_step, &p, err);
	progress_end(&p);
	return ret;
}

static int
run(struct cli *c, void *own, int argc, char **argv, struct err *err)
{
	struct sql *o = own;
	struct sql_result res = { 0 };
	struct buf text = { 0 }, bound = { 0 };
	const char *which = NULL, *query = NULL;
	uint64_t rec;
	int ret = 0;

	if (argc > 0 && (argc == 2 || o->file || !is_query(argv[0])))
		which = argv[0];
	if (argc > 0 && !o->file && argv[argc - 1] != which)
		query = argv[argc - 1];
	if (argc == 2 && o->file)
		return err_set(err, E_USAGE,
			       "sql: a query and -f exclude each other");
	if (o->file) {
		ret = read_query(o->file, &text, err);
		query = buf_cstr(&text);
	}
	if (ret == 0)
		ret = pick_recording(c, which, &rec, err);
	interrupt_catch(c->db);
	if (ret == 0)
		ret = fill(c, rec, err);
	for (size_t i = 0; ret == 0 && i < o->with.len; i++) {
		uint64_t other;

		ret = pick_recording(c, o->with.v[i], &other, err);
		if (ret == 0)
			ret = fill(c, other, err);
	}
	if (ret == 0 && !query)
		ret = run_psql(c, rec, err);
	if (ret == 0) {
		bind_rec(query, rec, &bound);
		ret = query_sql(c->db, rec, buf_cstr(&bound), &c->arena, &res,
				err);
	}
	if (ret == 0)
		print_result(c, &res);
	buf_free(&text);
	buf_free(&bound);
	opt_strs_free(&o->with);
	return ret;
}

const struct cmd cmd_sql = {
	.name = "sql",
	.operands = "[REC] [QUERY]",
	.summary = "ask the history in SQL; without a query, start psql on it",
	.flags = CMD_DB | CMD_TABLE,
	.max = 2,
	.size = sizeof(struct sql),
	.options = options,
	.run = run,
};
