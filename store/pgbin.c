#include "store/pgbin.h"

#include <ctype.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config.h"
#include "store/program.h"

struct search {
	int wanted; /* major, 0 = the newest */
	int major;  /* of the best so far */
	char *dir;
};

static bool
has_programs(const char *dir)
{
	static const char *const names[] = { "postgres", "initdb" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *path = mem_printf("%s/%s", dir, names[i]);
		bool ok = access(path, X_OK) == 0;

		mem_free(path);
		if (!ok)
			return false;
	}
	return true;
}

/* The first number in "postgres (PostgreSQL) 15.8"; 0 when it does not run. */
static int
ask_major(const char *dir)
{
	char *path = mem_printf("%s/postgres", dir);
	const char *argv[] = { "postgres", "--version", NULL };
	struct buf text = { 0 };
	int status = -1, major = 0;
	const char *p;

	if (program_read(path, argv, &text, &status, NULL) == 0 &&
	    status == 0) {
		p = buf_cstr(&text);
		while (*p && !isdigit((unsigned char)*p))
			p++;
		major = atoi(p);
	}
	buf_free(&text);
	mem_free(path);
	return major;
}

static void
consider(struct search *s, const char *dir)
{
	int major;

	if (!dir || dir[0] != '/' || !has_programs(dir))
		return;
	/* Packagers name the directory after the major: saves running it. */
	if (sscanf(dir, "/usr/lib/postgresql/%d/bin", &major) != 1 &&
	    sscanf(dir, "/usr/pgsql-%d/bin", &major) != 1)
		major = ask_major(dir);
	if (s->wanted ? major != s->wanted : major < PG_OLDEST)
		return;
	if (s->dir && major <= s->major)
		return;
	mem_free(s->dir);
	s->dir = mem_strdup(dir);
	s->major = major;
}

static void
consider_glob(struct search *s, const char *pattern)
{
	glob_t g;

	if (glob(pattern, 0, NULL, &g) == 0) {
		for (size_t i = 0; i < g.gl_pathc; i++)
			consider(s, g.gl_pathv[i]);
		globfree(&g);
	}
}

static void
consider_path(struct search *s)
{
	const char *path = getenv("PATH");
	char *copy, *dir, *save;

	if (!path)
		return;
	copy = mem_strdup(path);
	for (dir = strtok_r(copy, ":", &save); dir;
	     dir = strtok_r(NULL, ":", &save))
		consider(s, dir);
	mem_free(copy);
}

static void
consider_pg_config(struct search *s)
{
	static const char *const programs[] = { "/usr/bin/pg_config",
						"/usr/local/bin/pg_config" };
	const char *argv[] = { "pg_config", "--bindir", NULL };

	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		struct buf text = { 0 };
		int status = -1;
		char *line;

		if (access(programs[i], X_OK) < 0)
			continue;
		if (program_read(programs[i], argv, &text, &status, NULL) ==
			    0 &&
		    status == 0) {
			line = mem_strdup(buf_cstr(&text));
			line[strcspn(line, "\n")] = '\0';
			consider(s, line);
			mem_free(line);
		}
		buf_free(&text);
	}
}

int
pgbin_find(int major, char **out_dir, int *out_major, struct err *err)
{
	const char *only = getenv("PASTIME_PGBIN");
	struct search s = { .wanted = major };

	if (only && only[0]) {
		consider(&s, only);
	} else {
		consider(&s, PGBIN[0] ? PGBIN : NULL);
		consider_glob(&s, "/usr/lib/postgresql/*/bin");
		consider_glob(&s, "/usr/pgsql-*/bin");
		if (!s.dir)
			consider_path(&s);
		if (!s.dir)
			consider_pg_config(&s);
	}
	if (s.dir) {
		*out_dir = s.dir;
		if (out_major)
			*out_major = s.major;
		return 0;
	}
	if (only && only[0])
		err_set(err, E_DB_UNREACHABLE,
			"no PostgreSQL server programs %s%.0d in %s "
			"(PASTIME_PGBIN)",
			major ? "of version " : "15 or newer", major, only);
	else
		err_set(err, E_DB_UNREACHABLE,
			"no PostgreSQL server programs %s%.0d found",
			major ? "of version " : "15 or newer", major);
	err_hint(err,
		 "Debian, Ubuntu: apt-get install postgresql%s%.0d   Fedora: "
		 "dnf install postgresql-server   or --db URL for another "
		 "server",
		 major ? "-" : "", major);
	return -E_DB_UNREACHABLE;
}
