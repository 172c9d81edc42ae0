#include "cli/cmd.h"
#include "cli/table.h"
#include "cli/text.h"
#include "store/query.h"

static const struct column columns[] = {
	{ .name = "rec", .number = true },
	{ .name = "uuid", .machine = true },
	{ .name = "name", .cut = true },
	{ .name = "when" },
	{ .name = "time", .number = true },
	{ .name = "events", .number = true },
	{ .name = "tasks", .number = true },
	{ .name = "size", .number = true },
	{ .name = "indexed", .number = true },
	{ .name = "status" },
	{ .name = "state" },
	{ .name = "host", .machine = true },
	{ .name = "tags", .cut = true },
	{ .name = "command", .cut = true },
};

static void
print_row(struct table *t, struct arena *a, const struct recording_row *r)
{
	bool people = table_for_people(t);
	const char *cells[] = {
		text_printf(a, "%lu", r->recording),
		r->uuid,
		r->name,
		people ? text_when(a, r->started_real_ns)
		       : text_when_utc(a, r->started_real_ns),
		people ? text_duration(a, r->duration_ns)
		       : text_printf(a, "%.6f", (double)r->duration_ns / 1e9),
		people ? text_count(a, r->events)
		       : text_printf(a, "%lu", r->events),
		text_printf(a, "%lu", r->tasks),
		people ? text_bytes(a, r->bytes)
		       : text_printf(a, "%lu", r->bytes),
		!r->indexed && people ? "-"
		: people	      ? text_bytes(a, r->indexed)
				      : text_printf(a, "%lu", r->indexed),
		r->status == -1 ? (people ? "-" : NULL)
				: text_status(a, r->status),
		r->state,
		r->host,
		r->tags,
		r->command,
	};

	_Static_assert(ARRAY_LEN(cells) == ARRAY_LEN(columns), "one each");
	table_row(t, cells);
}

static int
run(struct cli *c, void *own, int argc, char **argv, struct err *err)
{
	struct recording_row *rows = NULL;
	struct table t;
	size_t n = 0;
	int ret;

	ret = query_recordings(c->db, &c->arena, &rows, &n, err);
	if (ret < 0)
		return ret;
	table_begin(&t, c, columns, ARRAY_LEN(columns), stdout);
	if (n == 0 && table_for_people(&t) && !c->quiet)
		puts("no recordings yet; make one: pastime record COMMAND");
	else
		for (size_t i = 0; i < n; i++)
			print_row(&t, &c->arena, &rows[i]);
	if (n > 0 || !table_for_people(&t))
		table_end(&t);
	return 0;
}

const struct cmd cmd_ls = {
	.name = "ls",
	.summary = "list the recordings",
	.flags = CMD_DB | CMD_TABLE,
	.run = run,
};
