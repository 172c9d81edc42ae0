#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "cli/nested.h"
#include "cli/table.h"
#include "cli/text.h"
#include "store/store.h"
#include "tracee/probe.h"

#define LOW_BYTES (256ull << 20)

struct doctor {
	struct cli *c;
	struct table t;
	bool cannot_record;
};

static const struct column columns[] = {
	{ .name = "check" },
	{ .name = "result" },
	{ .name = "needed", .machine = true },
	{ .name = "found", .cut = true },
	{ .name = "remedy", .cut = true },
};

/* People get a line, and below it what to do. */
static void
report(struct doctor *d, const char *name, bool ok, bool needed,
       const char *found, const char *remedy)
{
	const char *result = ok ? "ok" : needed ? "NO" : "no";
	const char *cells[] = { name, result, needed ? "true" : "false", found,
				ok ? "" : remedy };

	_Static_assert(ARRAY_LEN(cells) == ARRAY_LEN(columns), "one each");
	d->cannot_record |= needed && !ok;
	if (!table_for_people(&d->t)) {
		table_row(&d->t, cells);
		return;
	}
	printf("%-3s %-18s %s\n", result, name,
	       text_clean(&d->c->arena, found));
	if (!ok && *remedy)
		printf("    %-18s %s\n", "", remedy);
}

static void
check_host(struct doctor *d)
{
	struct utsname u;
	struct err err = { 0 };
	bool nested = nested_check(&err) == -E_NESTED;

	if (uname(&u) == 0)
		report(d, "kernel", strcmp(u.machine, "x86_64") == 0, true,
		       text_printf(&d->c->arena, "%s %s %s", u.sysname,
				   u.release, u.machine),
		       "pastime runs on x86-64 Linux only");
	report(d, "not recorded", !nested, true,
	       nested ? err.text : "no other pastime traces this shell",
	       err.hint);
}

static void
check_probes(struct doctor *d)
{
	struct probe_result r[PROBE_COUNT];

	probe_all(r);
	for (size_t i = 0; i < PROBE_COUNT; i++)
		report(d, r[i].name, r[i].ok, r[i].needed,
		       text_printf(&d->c->arena, "%s%s%s", r[i].text,
				   r[i].found[0] ? ": " : "", r[i].found),
		       r[i].remedy);
}

static void
check_space(struct doctor *d, const char *dir)
{
	struct statvfs v;
	uint64_t left;

	/* The directory may not be there yet: its file system counts. */
	if (statvfs(dir, &v) < 0 && statvfs(getenv("HOME") ?: "/", &v) < 0)
		return;
	left = (uint64_t)v.f_bavail * v.f_frsize;
	report(d, "disk space", left >= LOW_BYTES, false,
	       text_printf(&d->c->arena, "%s free for %s",
			   text_bytes(&d->c->arena, left), dir),
	       "pastime rm and pastime gc make room");
}

static void
check_embedded(struct doctor *d)
{
	struct cluster_status s = { 0 };
	struct arena *a = &d->c->arena;
	struct err err = { 0 };

	if (cluster_status(&s, &err) < 0) {
		report(d, "database", false, true, err.text, err.hint);
		return;
	}
	report(d, "postgres", s.bindir != NULL, true,
	       s.bindir ? s.bindir : "no PostgreSQL 15 or later found",
	       "Debian: apt-get install postgresql; Fedora: dnf install "
	       "postgresql-server; or --db URL");
	report(d, "database", true, false,
	       text_printf(a, "embedded, %s, in %s",
			   s.running  ? "running"
			   : s.exists ? "stopped"
				      : "not made yet",
			   s.dir ? s.dir : "?"),
	       "");
	if (s.dir)
		check_space(d, s.dir);
	cluster_status_free(&s);
}

static void
check_store(struct doctor *d)
{
	struct store_where w = { 0 };
	struct err err = { 0 };
	struct db *db = NULL;
	int ret;

	ret = store_where(d->c->url, &w, &err);
	if (ret == 0 && w.embedded) {
		check_embedded(d);
		if (d->cannot_record)
			goto out;
	}
	if (ret == 0)
		ret = store_open(d->c->url, &db, &err);
	/* Without a server recordings wait in the spool. */
	report(d, "connection", ret == 0, false,
	       ret == 0 ? text_printf(&d->c->arena, "%s", w.url) : err.text,
	       err.hint);
	store_close(db);
out:
	store_where_free(&w);
}

static void
check_programs(struct doctor *d)
{
	static const struct {
		const char *name, *what, *remedy;
	} p[] = {
		{ "psql", "pastime sql without a query",
		  "Debian: apt-get install postgresql-client; Fedora: dnf "
		  "install postgresql" },
		{ "man", "pastime help with a pager",
		  "Debian: apt-get install man-db; Fedora: dnf install "
		  "man-db" },
	};

	for (size_t i = 0; i < ARRAY_LEN(p); i++)
		report(d, p[i].name,
		       system(text_printf(&d->c->arena,
					  "command -v %s >/dev/null 2>&1",
					  p[i].name)) == 0,
		       false, p[i].what, p[i].remedy);
}

static int
run(struct cli *c, void *own, int argc, char **argv, struct err *err)
{
	struct doctor d = { .c = c };

	table_begin(&d.t, c, columns, ARRAY_LEN(columns), stdout);
	check_host(&d);
	check_probes(&d);
	check_store(&d);
	check_programs(&d);
	if (table_for_people(&d.t)) {
		d.t.n = 0;
		puts(d.cannot_record ? "\npastime cannot record here"
				     : "\npastime can record here");
	}
	table_end(&d.t);
	return d.cannot_record ? EXIT_NO : 0;
}

const struct cmd cmd_doctor = {
	.name = "doctor",
	.summary = "say what works on this host, and what to do about the rest",
	.flags = CMD_TABLE,
	.run = run,
};
