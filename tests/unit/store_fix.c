#include "tests/unit/store_fix.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "event/source.h"
#include "store/db.h"
#include "tests/unit/store_gen.h"

struct err fix_err;
static char home[64];

const char *
fix_path(void)
{
	return home;
}

void
fix_home(void)
{
	static const char *const ours[] = { "PASTIME_DB",    "PGHOST",
					    "PGSERVICE",     "PGDATABASE",
					    "PASTIME_FAULT", "PASTIME_PGBIN" };

	snprintf(home, sizeof(home), "/tmp/pastime-test.XXXXXX");
	cr_assert_not_null(mkdtemp(home));
	/* The server's account must get through to its cluster. */
	chmod(home, 0711);
	setenv("PASTIME_HOME", home, 1);
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		unsetenv(ours[i]);
	/* Tests make no accounts on the host. */
	if (geteuid() == 0 && !getenv("PASTIME_ACCOUNT"))
		setenv("PASTIME_ACCOUNT",
		       system("id postgres >/dev/null 2>&1") == 0 ? "postgres"
								  : "nobody",
		       1);
}

static void
use_db(const char *which)
{
	const char *top = getenv("TOP_SRCDIR");
	char command[512], line[512];
	int status;
	FILE *f;

	fix_home();
	snprintf(command, sizeof(command), "bash %s/tests/pg.sh %s",
		 top ? top : ".", which);
	f = popen(command, "r");
	cr_assert_not_null(f);
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	status = pclose(f);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		cr_skip_test("no PostgreSQL server here");
	cr_assert_eq(status, 0, "%s", command);
	setenv("PASTIME_DB", line, 1);
}

void
fix_db(void)
{
	use_db("db");
}

void
fix_empty_db(void)
{
	use_db("empty");
}

void
fix_remove(void)
{
	char *command = mem_printf("rm -rf %s", home);

	if (home[0] && system(command) != 0)
		fprintf(stderr, "%s failed\n", command);
	mem_free(command);
}

struct sink *
fix_open(const char *command)
{
	struct store_sink_opts o = { .command = command };
	struct sink *s = NULL;

	must(store_sink_open(&o, &s, &fix_err));
	return s;
}

void
fix_put(struct sink *s, uint64_t seed, uint64_t from, uint64_t to)
{
	struct event ev;
	struct gen g;

	gen_init(&g, seed);
	for (uint64_t i = 1; i <= to; i++) {
		gen_next(&g, &ev);
		if (i >= from)
			must(sink_put(s, &ev, &fix_err));
	}
	gen_free(&g);
}

uint64_t
fix_record(const char *command, uint64_t seed, uint64_t n)
{
	struct sink *s = fix_open(command);
	uint64_t rec;

	fix_put(s, seed, 1, n);
	must(store_sink_finish(s, &fix_err));
	rec = store_sink_recording(s);
	cr_assert_null(store_sink_problem(s), "%s", store_sink_problem(s));
	must(s->ops->close(s, &fix_err));
	cr_assert_neq(rec, 0);
	return rec;
}

struct db *
fix_connect(void)
{
	struct db *db = NULL;

	must(store_open(NULL, &db, &fix_err));
	return db;
}

void
fix_check(struct db *db, uint64_t rec, uint64_t seed, uint64_t n)
{
	struct source *src = NULL;
	struct event got, want;
	struct gen g;

	must(store_source_open(db, rec, &src, &fix_err));
	gen_init(&g, seed);
	for (uint64_t i = 1; i <= n; i++) {
		int rc = source_next(src, &got, &fix_err);

		cr_assert_eq(rc, 1, "event %lu of %lu: %d %s", (unsigned long)i,
			     (unsigned long)n, rc, fix_err.text);
		gen_next(&g, &want);
		cr_assert(event_equal(&got, &want), "event %lu differs",
			  (unsigned long)i);
	}
	cr_assert_eq(source_next(src, &got, &fix_err), 0);
	gen_free(&g);
	src->ops->close(src);
}

int64_t
fix_sql(struct db *db, const char *sql)
{
	struct arena a = { 0 };
	struct db_rows r = { 0 };
	int64_t v = 0;

	must(db_query(db, sql, DB_NONE, &a, &r, &fix_err));
	if (r.n && r.cols)
		v = db_get_int(&r, 0, 0);
	arena_free(&a);
	return v;
}

size_t
fix_spools(void)
{
	char *path = mem_printf("%s/spool", home);
	DIR *d = opendir(path);
	struct dirent *de;
	size_t n = 0;

	while (d && (de = readdir(d)))
		n += de->d_name[0] != '.';
	if (d)
		closedir(d);
	mem_free(path);
	return n;
}
