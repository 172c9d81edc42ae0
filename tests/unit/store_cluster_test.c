#include <criterion/criterion.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "event/source.h"
#include "store/cluster.h"
#include "store/db.h"
#include "store/pgbin.h"
#include "store/query.h"
#include "store/wrapper.h"
#include "tests/unit/store_fix.h"

static void
begin(void)
{
	char *dir;

	fix_home();
	if (pgbin_find(0, &dir, NULL, &fix_err) < 0)
		cr_skip_test("no PostgreSQL server here");
	mem_free(dir);
}

static void
end(void)
{
	cluster_stop(NULL);
	fix_remove();
}

TestSuite(store_cluster, .init = begin, .fini = end, .timeout = 120);

static struct cluster_status
status(void)
{
	struct cluster_status s;

	must(cluster_status(&s, &fix_err));
	return s;
}

static int
pid_now(void)
{
	struct cluster_status s = status();
	int pid = s.pid;

	cluster_status_free(&s);
	return pid;
}

static void
kill_server(void)
{
	int pid = pid_now();

	cr_assert_gt(pid, 0);
	cr_assert_eq(kill(pid, SIGKILL), 0);
}

Test(store_cluster, is_made_started_and_stopped_on_demand)
{
	struct cluster_status s = status();
	struct stat st;

	cr_assert_not(s.exists);
	cr_assert_not(s.running);
	cluster_status_free(&s);
	must(cluster_start(&fix_err));
	must(cluster_start(&fix_err));
	s = status();
	cr_assert(s.exists);
	cr_assert(s.running);
	cr_assert_gt(s.pid, 0);
	cr_assert_geq(s.server_version, 150000);
	cr_assert_gt(s.bytes, 1 << 20);
	cr_assert_eq(stat(s.dir, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0700);
	cr_assert_neq(st.st_uid, 0);
	cr_assert_eq(stat(s.socket_dir, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0700);
	cluster_status_free(&s);
	must(cluster_stop(&fix_err));
	must(cluster_stop(&fix_err));
	s = status();
	cr_assert(s.exists);
	cr_assert_not(s.running);
	cluster_status_free(&s);
}

Test(store_cluster, has_the_settings_that_keep_data)
{
	struct db *db = fix_connect();

	cr_assert_eq(fix_sql(db, "select count(*) from "
				 "pg_catalog.pg_settings where "
				 "(name, setting) in (('fsync', 'on'), "
				 "('full_page_writes', 'on'), "
				 "('synchronous_commit', 'off'), "
				 "('listen_addresses', ''), "
				 "('unix_socket_permissions', '0700'), "
				 "('wal_level', 'minimal'))"),
		     6);
	store_close(db);
}

Test(store_cluster, several_who_need_it_at_once_start_one)
{
	int st;

	for (int i = 0; i < 5; i++) {
		if (fork() == 0) {
			struct db *db;
			int rc = store_open(NULL, &db, &fix_err);

			if (rc < 0)
				fprintf(stderr, "child: %s\n", fix_err.text);
			_exit(rc < 0);
		}
	}
	for (int i = 0; i < 5; i++) {
		wait(&st);
		cr_assert_eq(st, 0);
	}
	cr_assert_gt(pid_now(), 0);
}

Test(store_cluster, comes_back_after_kill_9)
{
	struct db *db = fix_connect();

	must(db_exec(db,
		     "set synchronous_commit = on; "
		     "create table public.kept (a int)",
		     &fix_err));
	store_close(db);
	for (int i = 0; i < 3; i++) {
		kill_server();
		db = fix_connect();
		cr_assert_eq(fix_sql(db, "select count(*) from public.kept"),
			     0);
		store_close(db);
	}
}

static void
write_pid(int pid)
{
	struct cluster_status s = status();
	char *path = mem_printf("%s/postmaster.pid", s.dir);
	char *command = mem_printf("sed -i '1s/.*/%d/' %s", pid, path);

	cr_assert_eq(system(command), 0);
	mem_free(command);
	mem_free(path);
	cluster_status_free(&s);
}

Test(store_cluster, a_pid_file_that_names_another_process_is_stale)
{
	struct db *db = fix_connect();

	store_close(db);
	kill_server();
	write_pid(getpid());
	cr_assert_eq(pid_now(), 0);
	db = fix_connect();
	cr_assert_neq(pid_now(), getpid());
	store_close(db);
	/* We are still here: the number was not believed. */
}

Test(store_cluster, a_lost_socket_directory_is_made_again)
{
	struct db *db = fix_connect();
	struct cluster_status s = status();
	char *command = mem_printf("rm -rf %s", s.socket_dir);

	store_close(db);
	cr_assert_eq(system(command), 0);
	db = fix_connect();
	cr_assert_eq(fix_sql(db, "select 5"), 5);
	store_close(db);
	mem_free(command);
	cluster_status_free(&s);
}

Test(store_cluster, a_long_home_has_a_short_socket)
{
	char *name = mem_printf("%s/%0*d", fix_path(), 150, 0);
	struct cluster_status s;
	struct db *db;

	setenv("PASTIME_HOME", name, 1);
	db = fix_connect();
	s = status();
	cr_assert_lt(strlen(s.socket_dir), 60);
	cr_assert_eq(fix_sql(db, "select 5"), 5);
	store_close(db);
	cluster_status_free(&s);
	mem_free(name);
}

Test(store_cluster, a_socket_directory_of_somebody_else_is_refused)
{
	struct account who;
	struct db *db = NULL;
	char *dir;

	if (geteuid() != 0)
		cr_skip_test("only root can make one");
	must(home_account(false, &who, &fix_err));
	must(home_socket_dir(&who, &dir, &fix_err));
	cr_assert_eq(chown(dir, 12345, 12345), 0);
	cr_assert_lt(store_open(NULL, &db, &fix_err), 0);
	cr_assert_not_null(strstr(fix_err.text, "belongs to user 12345"));
	rmdir(dir);
	mem_free(dir);
}

Test(store_cluster, the_account_that_made_a_cluster_runs_it)
{
	struct cluster_status before, after;
	struct stat st;
	struct db *db;

	if (geteuid() != 0 || !getpwnam("postgres"))
		cr_skip_test("needs root and two accounts");
	setenv("PASTIME_ACCOUNT", "nobody", 1);
	db = fix_connect();
	store_close(db);
	before = status();
	must(cluster_stop(&fix_err));
	setenv("PASTIME_ACCOUNT", "postgres", 1);
	db = fix_connect();
	store_close(db);
	after = status();
	cr_assert_eq(stat(after.socket_dir, &st), 0);
	cr_assert_eq(st.st_uid, getpwnam("nobody")->pw_uid);
	cluster_status_free(&before);
	cluster_status_free(&after);
}

Test(store_cluster, a_cluster_of_another_major_names_the_package)
{
	char *dir = mem_printf("%s/pg99", fix_path());
	char *file = mem_printf("%s/PG_VERSION", dir);
	struct db *db = NULL;
	FILE *f;

	mkdir(dir, 0700);
	f = fopen(file, "w");
	fputs("99\n", f);
	fclose(f);
	cr_assert_eq(store_open(NULL, &db, &fix_err), -E_DB_UNREACHABLE);
	cr_assert_not_null(strstr(fix_err.text, "PostgreSQL 99"));
	cr_assert_not_null(strstr(fix_err.hint, "postgresql-99"));
	mem_free(file);
	mem_free(dir);
}

Test(store_cluster, without_server_programs_the_package_is_named)
{
	struct db *db = NULL;

	setenv("PASTIME_PGBIN", "/nonexistent", 1);
	cr_assert_eq(store_open(NULL, &db, &fix_err), -E_DB_UNREACHABLE);
	cr_assert_not_null(strstr(fix_err.hint, "apt-get install postgresql"));
}

/* pg_upgrade accepts a target of the same major, which is what we have. */
Test(store_cluster, an_upgrade_keeps_recordings)
{
	struct cluster c = { 0 };
	struct db *db;
	char *bindir, *moved;
	int major;

	fix_record("before", 1, 100);
	db = fix_connect();
	must(query_fill_rows(db, 1, NULL, NULL, &fix_err));
	/* As cluster_start does before it upgrades. */
	must(wrapper_remove(db, &fix_err));
	store_close(db);
	must(cluster_stop(&fix_err));
	must(pgbin_find(0, &bindir, &major, &fix_err));
	/* As if it had been made by the major before. */
	must(cluster_locate(&c, &fix_err));
	moved = mem_printf("%s/pg%d", fix_path(), major - 1);
	cr_assert_eq(rename(c.dir, moved), 0);
	mem_free(c.dir);
	c.dir = moved;
	c.major = major - 1;
	must(cluster_upgrade(&c, bindir, bindir, major, &fix_err));
	cr_assert_eq(c.major, major);
	cluster_release(&c);
	db = fix_connect();
	fix_check(db, 1, 1, 100);
	must(query_fill_rows(db, 1, NULL, NULL, &fix_err));
	cr_assert_eq(fix_sql(db, "select count(*) from pastime.event"), 100);
	store_close(db);
	mem_free(bindir);
}

/* ---- recording while the server has a bad time */

Test(store_cluster, recording_does_not_wait_for_the_first_start)
{
	struct sink *s = fix_open("x");
	struct db *db;

	/* initdb has hardly begun: nothing is there to connect to. */
	fix_put(s, 2, 1, 20000);
	cr_assert_eq(store_sink_recording(s), 0);
	must(store_sink_finish(s, &fix_err));
	cr_assert_eq(store_sink_recording(s), 1);
	must(s->ops->close(s, &fix_err));
	db = fix_connect();
	fix_check(db, 1, 2, 20000);
	store_close(db);
}

Test(store_cluster, a_server_killed_amid_a_recording_loses_nothing)
{
	struct db *db = fix_connect();
	struct sink *s = fix_open("x");

	fix_put(s, 2, 1, 100000);
	while (fix_sql(db, "select coalesce(max(events), 0) from "
			   "pastime.recording") < 50000)
		;
	store_close(db);
	kill_server();
	fix_put(s, 2, 100001, 200000);
	must(store_sink_finish(s, &fix_err));
	cr_assert_null(store_sink_problem(s), "%s", store_sink_problem(s));
	must(s->ops->close(s, &fix_err));
	db = fix_connect();
	fix_check(db, 1, 2, 200000);
	cr_assert_eq(fix_spools(), 0);
	store_close(db);
}

Test(store_cluster, a_server_killed_again_and_again_loses_nothing)
{
	struct sink *s = fix_open("x");
	struct db *db;

	for (uint64_t i = 0; i < 6; i++) {
		db = fix_connect();
		fix_put(s, 5, i * 30000 + 1, (i + 1) * 30000);
		store_close(db);
		kill_server();
	}
	must(store_sink_finish(s, &fix_err));
	cr_assert_null(store_sink_problem(s), "%s", store_sink_problem(s));
	must(s->ops->close(s, &fix_err));
	db = fix_connect();
	fix_check(db, 1, 5, 180000);
	store_close(db);
}

Test(store_cluster, one_killed_backend_loses_nothing)
{
	struct db *db = fix_connect();
	struct sink *s = fix_open("x");

	fix_put(s, 2, 1, 60000);
	while (fix_sql(db, "select count(*) from pastime.recording") == 0)
		;
	fix_sql(db, "select count(pg_catalog.pg_terminate_backend(pid)) from "
		    "pg_catalog.pg_stat_activity where pid <> "
		    "pg_catalog.pg_backend_pid() and "
		    "backend_type = 'client backend'");
	fix_put(s, 2, 60001, 120000);
	must(store_sink_finish(s, &fix_err));
	cr_assert_null(store_sink_problem(s), "%s", store_sink_problem(s));
	must(s->ops->close(s, &fix_err));
	fix_check(db, 1, 2, 120000);
	store_close(db);
}
