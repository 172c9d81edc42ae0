#include <string.h>

#include "cli/cmd.h"
#include "cli/table.h"
#include "cli/text.h"
#include "store/store.h"

static const struct column columns[] = {
	{ .name = "server" },
	{ .name = "state" },
	{ .name = "version" },
	{ .name = "pid", .number = true },
	{ .name = "size", .number = true },
	{ .name = "directory" },
	{ .name = "socket" },
	{ .name = "programs" },
	{ .name = "url", .machine = true },
};

static int
print_other(struct cli *c, struct table *t, const struct store_where *w,
	    struct err *err)
{
	struct db *db = NULL;
	int ret;

	ret = store_open(c->url, &db, err);
	if (ret < 0)
		return ret;
	table_row(t, (const char *const[]){ "given", "answers", NULL, NULL,
					    NULL, NULL, NULL, NULL, w->url });
	store_close(db);
	return 0;
}

static int
print_embedded(struct cli *c, struct table *t, const struct store_where *w,
	       struct err *err)
{
	struct cluster_status s = { 0 };
	struct arena *a = &c->arena;
	bool people = table_for_people(t);
	const char *none = people ? "-" : NULL;
	int ret;

	ret = cluster_status(&s, err);
	if (ret < 0)
		return ret;
	const char *cells[] = {
		"embedded",
		s.running  ? "running"
		: s.exists ? "stopped"
			   : "not made yet",
		s.server_version
			? text_printf(a, "%d.%d", s.server_version / 10000,
				      s.server_version % 10000)
			: none,
		s.running ? text_printf(a, "%d", s.pid) : none,
		people ? text_bytes(a, s.bytes)
		       : text_printf(a, "%lu", s.bytes),
		s.dir,
		s.socket_dir,
		s.bindir,
		w->url,
	};

	_Static_assert(ARRAY_LEN(cells) == ARRAY_LEN(columns), "one each");
	table_row(t, cells);
	cluster_status_free(&s);
	return 0;
}

/* One server is one row; people read it better as lines. */
static int
status(struct cli *c, const struct store_where *w, struct err *err)
{
	struct table t;
	int ret;

	table_begin(&t, c, columns, ARRAY_LEN(columns), stdout);
	ret = w->embedded ? print_embedded(c, &t, w, err)
			  : print_other(c, &t, w, err);
	if (ret == 0 && table_for_people(&t)) {
		for (size_t i = 0; i < t.n; i++) {
			if (!t.cols[i].machine && *t.cells.v[i])
				printf("%-10s %s\n", t.cols[i].name,
				       t.cells.v[i]);
		}
		vec_clear(&t.cells);
		t.n = 0;
	}
	table_end(&t);
	return ret;
}

static int
not_embedded(const struct store_where *w, const char *verb, struct err *err)
{
	int ret;

	ret = err_set(err, E_USAGE, "cannot %s a server that is not ours: %s",
		      verb, w->url);
	err_hint(err, "without --db, PASTIME_DB and PG* variables it is the "
		      "embedded server");
	return ret;
}

static int
run(struct cli *c, void *own, int argc, char **argv, struct err *err)
{
	const char *verb = argc > 0 ? argv[0] : "status";
	static const struct {
		const char *verb, *done;
		int (*fn)(struct err *err);
	} verbs[] = {
		{ "start", "running", cluster_start },
		{ "stop", "stopped", cluster_stop },
		{ "init", "ready", cluster_init },
	};
	struct store_where w = { 0 };
	int ret;

	ret = store_where(c->url, &w, err);
	if (ret < 0)
		return ret;
	if (strcmp(verb, "status") == 0) {
		ret = status(c, &w, err);
		goto out;
	}
	if (strcmp(verb, "url") == 0) {
		puts(w.url);
		goto out;
	}
	ret = err_set(err, E_USAGE,
		      "db: '%s' is none of status, start, stop, url, init",
		      verb);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (strcmp(verb, verbs[i].verb) != 0)
			continue;
		ret = w.embedded ? verbs[i].fn(err)
				 : not_embedded(&w, verb, err);
		if (ret == 0 && !c->quiet)
			puts(verbs[i].done);
	}
out:
	store_where_free(&w);
	return ret;
}

const struct cmd cmd_db = {
	.name = "db",
	.operands = "[status|start|stop|url|init]",
	.summary = "look at and control the database server",
	.flags = CMD_TABLE,
	.max = 1,
	.run = run,
};
