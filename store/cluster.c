/*
 * The embedded server's life.
 *
 *	none --create--> stopped --start--> starting --> ready --stop--> stopped
 *	                    ^                               |
 *	                    +---- kill -9, power cut -------+
 *
 * home/start.lock is held by whoever creates, starts, upgrades or stops it, so
 * that two recorders which need it at once start one. home/pgNN.run is locked
 * by the server itself: its postmaster and backends inherit the descriptor.
 * A free run lock tells that a postmaster.pid is stale, whatever process has
 * its number now; a server that somebody started by hand has no lock and is
 * known by its pid and working directory.
 */
#include "store/cluster.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "store/db.h"
#include "store/pgbin.h"
#include "store/program.h"
#include "store/store.h"
#include "store/wrapper.h"

#define POLL_MS 5
#define START_SECONDS 120 /* recovery after a crash reads up to 1 GB of WAL */
#define STOP_SECONDS 60
#define LOG_KEEP (4 * 1024 * 1024)

void
cluster_release(struct cluster *c)
{
	mem_free(c->home);
	mem_free(c->dir);
	*c = (struct cluster){ 0 };
}

static bool
is_cluster(const char *dir)
{
	char *path = mem_printf("%s/PG_VERSION", dir);
	bool yes = access(path, F_OK) == 0;

	mem_free(path);
	return yes;
}

int
cluster_locate(struct cluster *c, struct err *err)
{
	struct dirent *de;
	DIR *d;
	int rc;

	*c = (struct cluster){ 0 };
	rc = home_path(&c->home, err);
	if (rc < 0)
		return rc;
	/* whoever looks first decides who owns the directories */
	rc = home_account(true, &c->who, err);
	if (rc < 0) {
		cluster_release(c);
		return rc;
	}
	d = opendir(c->home);
	while (d && (de = readdir(d))) {
		int major = 0, end = 0;
		char *dir;

		if (sscanf(de->d_name, "pg%d%n", &major, &end) != 1 ||
		    de->d_name[end] != '\0' || major <= c->major)
			continue;
		dir = mem_printf("%s/%s", c->home, de->d_name);
		if (!is_cluster(dir)) {
			mem_free(dir);
			continue;
		}
		mem_free(c->dir);
		c->dir = dir;
		c->major = major;
		c->exists = true;
	}
	if (d)
		closedir(d);
	if (c->exists)
		home_owner(c->dir, &c->who);
	return 0;
}

/* Lines: pid, data directory, start time, port, socket directory, listen
 * address, shared memory, status. */
static bool
read_pidfile(const char *dir, struct postmaster *out)
{
	char *path = mem_printf("%s/postmaster.pid", dir);
	struct buf text = { 0 };
	char *line, *save, *copy;
	int n = 0;

	*out = (struct postmaster){ 0 };
	if (fd_read_file(path, &text) == 0) {
		copy = mem_strdup(buf_cstr(&text));
		for (line = strtok_r(copy, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save)) {
			n++;
			if (n == 1)
				out->pid = atoi(line);
			else if (n == 5)
				snprintf(out->socket_dir,
					 sizeof(out->socket_dir), "%s", line);
			/* Line 6 is empty (no TCP), so strtok skips it. */
			else if (strncmp(line, "ready", 5) == 0)
				out->ready = true;
		}
		mem_free(copy);
	}
	buf_free(&text);
	mem_free(path);
	return out->pid > 0;
}

static char *
run_lock_path(const struct cluster *c)
{
	return mem_printf("%s/pg%d.run", c->home, c->major);
}

static bool
run_lock_held(const struct cluster *c)
{
	char *path = run_lock_path(c);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	bool held = false;

	mem_free(path);
	if (fd >= 0) {
		/* Shared: two who only look must not see each other. */
		held = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
		close(fd);
	}
	return held;
}

/* Is pid a process that works in dir, as postmasters do? */
static bool
works_in(int pid, const char *dir)
{
	char link[64], cwd[4096], real[4096];
	ssize_t n;

	if (kill(pid, 0) < 0 && errno == ESRCH)
		return false;
	snprintf(link, sizeof(link), "/proc/%d/cwd", pid);
	n = readlink(link, cwd, sizeof(cwd) - 1);
	if (n < 0)
		return errno != ENOENT; /* not ours to see: believe the file */
	cwd[n] = '\0';
	return realpath(dir, real) && strcmp(cwd, real) == 0;
}

bool
cluster_running(const struct cluster *c, struct postmaster *out)
{
	bool known;

	*out = (struct postmaster){ 0 };
	if (!c->exists)
		return false;
	known = read_pidfile(c->dir, out);
	if (known && works_in(out->pid, c->dir))
		return true;
	*out = (struct postmaster){ 0 };
	return run_lock_held(c);
}

int
cluster_conninfo(const struct cluster *c, const char *database, char **out,
		 struct err *err)
{
	struct postmaster pm;
	char *made = NULL;
	const char *dir;
	int rc;

	if (cluster_running(c, &pm) && pm.socket_dir[0]) {
		dir = pm.socket_dir;
	} else {
		rc = home_socket_dir(&c->who, &made, err);
		if (rc < 0)
			return rc;
		dir = made;
	}
	*out = mem_printf("host=%s port=5432 user=%s dbname=%s", dir,
			  CLUSTER_USER, database);
	mem_free(made);
	return 0;
}

static int
lock_start(int *out_fd, struct err *err)
{
	char *home, *path;
	int rc, fd;

	rc = home_make(NULL, &home, err);
	if (rc < 0)
		return rc;
	path = mem_printf("%s/start.lock", home);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	rc = fd < 0 ? err_errno(err, "cannot open %s", path) : 0;
	while (rc == 0 && flock(fd, LOCK_EX) < 0) {
		if (errno != EINTR)
			rc = err_errno(err, "cannot lock %s", path);
	}
	mem_free(path);
	mem_free(home);
	if (rc < 0) {
		fd_close(&fd);
		return rc;
	}
	*out_fd = fd;
	return 0;
}

bool
cluster_log_tail(const char *path, char *out, size_t size)
{
	struct buf text = { 0 };
	const char *at, *hit = NULL;

	if (fd_read_file(path, &text) == 0) {
		at = buf_cstr(&text);
		while (*at) {
			const char *end = strchrnul(at, '\n');
			const char *f = strstr(at, "FATAL:");
			const char *e = strstr(at, "ERROR:");

			if ((f && f < end) || (e && e < end))
				hit = f && f < end ? f : e;
			at = *end ? end + 1 : end;
		}
		if (hit)
			snprintf(out, size, "%.*s",
				 (int)(strchrnul(hit, '\n') - hit), hit);
	}
	buf_free(&text);
	return hit != NULL;
}

/* The log of this start; what an earlier one left goes to NAME.old when large.
 */
static int
open_log(const struct cluster *c, char **out_path, int *out_fd, struct err *err)
{
	char *path = mem_printf("%s/pg%d.log", c->home, c->major);
	struct stat st;
	int fd;

	if (stat(path, &st) == 0 && st.st_size > LOG_KEEP) {
		char *old = mem_printf("%s.old", path);

		rename(path, old);
		mem_free(old);
	}
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0) {
		int rc = err_errno(err, "cannot open %s", path);

		mem_free(path);
		return rc;
	}
	*out_path = path;
	*out_fd = fd;
	return 0;
}

/* Wait until cond() or the deadline; alive (may be -1) ends it early. */
static bool
wait_until(bool (*cond)(const struct cluster *), const struct cluster *c,
	   int alive, uint64_t seconds)
{
	uint64_t deadline = clock_now_ns() + seconds * 1000000000u;
	struct pollfd pfd = { .fd = alive };

	while (!cond(c)) {
		if (poll(&pfd, 1, POLL_MS) > 0 && (pfd.revents & POLLHUP))
			return cond(c);
		if (clock_now_ns() > deadline)
			return false;
	}
	return true;
}

static bool
is_ready(const struct cluster *c)
{
	struct postmaster pm;

	return read_pidfile(c->dir, &pm) && pm.ready &&
	       works_in(pm.pid, c->dir);
}

static bool
is_gone(const struct cluster *c)
{
	struct postmaster pm;

	return !cluster_running(c, &pm) && !run_lock_held(c);
}

static int
start_failed(const char *log, struct err *err)
{
	char why[512];

	if (!cluster_log_tail(log, why, sizeof(why)))
		snprintf(why, sizeof(why), "see %s", log);
	err_set(err, E_DB_UNREACHABLE,
		"the embedded PostgreSQL did not start: %s", why);
	err_hint(err,
		 "its log is %s; --db URL or PASTIME_DB use another "
		 "server",
		 log);
	return -E_DB_UNREACHABLE;
}

static int
remove_file(const char *dir, const char *name, struct err *err)
{
	char *path = mem_printf("%s/%s", dir, name);
	int rc = 0;

	if (unlink(path) < 0 && errno != ENOENT)
		rc = err_errno(err, "cannot remove %s", path);
	mem_free(path);
	return rc;
}

/*
 * Lock files that outlived their server keep postgres from starting when the
 * number in them belongs to another process by now, or to the dead server
 * itself where process 1 reaps nobody (containers).
 */
static int
heal(const struct cluster *c, const char *socket_dir, struct err *err)
{
	int rc;

	/* After kill -9 of the postmaster its backends notice within moments;
	 * until then they still use the files. */
	if (!wait_until(is_gone, c, -1, STOP_SECONDS))
		return err_set(err, E_BUSY,
			       "processes of a killed PostgreSQL still use %s",
			       c->dir);
	rc = remove_file(c->dir, "postmaster.pid", err);
	if (rc == 0)
		rc = remove_file(socket_dir, ".s.PGSQL.5432.lock", err);
	if (rc == 0)
		rc = remove_file(socket_dir, ".s.PGSQL.5432", err);
	return rc;
}

/* Start the server on an existing cluster and wait until it answers. */
static int
start(struct cluster *c, const char *bindir, struct err *err)
{
	char *program = mem_printf("%s/postgres", bindir);
	char *run = run_lock_path(c);
	char *socket_dir = NULL, *log = NULL, *sockets = NULL;
	int log_fd = -1, run_fd = -1, alive = -1;
	int rc;

	rc = home_socket_dir(&c->who, &socket_dir, err);
	if (rc < 0)
		goto out;
	rc = heal(c, socket_dir, err);
	if (rc < 0)
		goto out;
	rc = open_log(c, &log, &log_fd, err);
	if (rc < 0)
		goto out;
	run_fd = open(run, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (run_fd < 0 || flock(run_fd, LOCK_EX | LOCK_NB) < 0) {
		rc = err_errno(err, "cannot lock %s", run);
		goto out;
	}
	sockets = mem_printf("unix_socket_directories=%s", socket_dir);
	const char *argv[] = { "postgres",
			       "-D",
			       c->dir,
			       "-c",
			       sockets,
			       "-c",
			       "listen_addresses=",
			       "-c",
			       "port=5432",
			       "-c",
			       "unix_socket_permissions=0700",
			       "-c",
			       "logging_collector=off",
			       "-c",
			       "log_destination=stderr",
			       NULL };

	rc = program_daemon(program, argv, &c->who, log_fd, run_fd, &alive,
			    err);
	if (rc == 0 && !wait_until(is_ready, c, alive, START_SECONDS))
		rc = start_failed(log, err);
out:
	fd_close(&alive);
	fd_close(&run_fd);
	fd_close(&log_fd);
	mem_free(sockets);
	mem_free(log);
	mem_free(socket_dir);
	mem_free(run);
	mem_free(program);
	return rc;
}

static int
ensure_database(const struct cluster *c, struct err *err)
{
	struct arena a = { 0 };
	struct db_rows rows;
	struct db *db = NULL;
	char *conninfo;
	int rc;

	rc = cluster_conninfo(c, "postgres", &conninfo, err);
	if (rc < 0)
		return rc;
	rc = db_connect(conninfo, &db, err);
	mem_free(conninfo);
	if (rc < 0)
		return rc;
	rc = db_query(db,
		      "select 1 from pg_catalog.pg_database "
		      "where datname = $1",
		      DB_ARGS(DB_TEXT(CLUSTER_DATABASE)), &a, &rows, err);
	if (rc == 0 && rows.n == 0)
		rc = db_exec(db, "create database " CLUSTER_DATABASE, err);
	arena_free(&a);
	db_close(db);
	return rc;
}

static int
signal_server(const struct cluster *c, int pid, struct err *err)
{
	if (kill(pid, SIGINT) < 0 && errno != ESRCH)
		return err_errno(err, "cannot stop the server, process %d",
				 pid);
	if (!wait_until(is_gone, c, -1, STOP_SECONDS))
		return err_set(err, E_BUSY,
			       "the server, process %d, does not stop", pid);
	return 0;
}

/* The directory of its socket can go away under a server (/run/user/N does when
 * the last session ends): nobody can reach it any more. */
static bool
socket_lost(const struct postmaster *pm)
{
	char *path;
	bool lost;

	if (!pm->socket_dir[0])
		return false;
	path = mem_printf("%s/.s.PGSQL.5432", pm->socket_dir);
	lost = access(path, F_OK) < 0 && errno == ENOENT;
	mem_free(path);
	return lost;
}

/* The library in the data directory is for the old server alone; pg_upgrade
 * would refuse tables that the new one cannot read. */
static int
forget_library(const struct cluster *c, struct err *err)
{
	struct db *db = NULL;
	char *conninfo;
	int rc;

	rc = cluster_conninfo(c, CLUSTER_DATABASE, &conninfo, err);
	if (rc < 0)
		return rc;
	rc = db_connect(conninfo, &db, err);
	mem_free(conninfo);
	if (rc == 0)
		rc = wrapper_remove(db, err);
	db_close(db);
	return rc;
}

/* pg_upgrade wants an old cluster that was shut down in order. */
static int
upgrade(struct cluster *c, const char *old_bindir, const char *new_bindir,
	int new_major, struct err *err)
{
	struct postmaster pm;
	int rc;

	rc = start(c, old_bindir, err);
	if (rc == 0)
		rc = forget_library(c, err);
	if (rc < 0)
		return rc;
	if (cluster_running(c, &pm) && pm.pid)
		rc = signal_server(c, pm.pid, err);
	return rc < 0 ? rc
		      : cluster_upgrade(c, old_bindir, new_bindir, new_major,
					err);
}

/* With the lock: whatever is there, bring it to a running server. */
static int
bring_up(struct cluster *c, struct err *err)
{
	char *bindir = NULL, *newest = NULL;
	struct postmaster pm;
	int rc, major;

	if (cluster_running(c, &pm) && pm.pid && !socket_lost(&pm)) {
		char *log = mem_printf("%s/pg%d.log", c->home, c->major);

		rc = wait_until(is_ready, c, -1, START_SECONDS)
			     ? 0
			     : start_failed(log, err);
		mem_free(log);
		return rc;
	}
	if (pm.pid) {
		rc = signal_server(c, pm.pid, err);
		if (rc < 0)
			return rc;
	}
	rc = c->exists ? 0 : home_account(true, &c->who, err);
	if (rc < 0)
		return rc;
	rc = pgbin_find(0, &newest, &major, err);
	if (rc < 0)
		return rc;
	if (!c->exists) {
		rc = cluster_create(c, newest, major, err);
	} else if (c->major != major) {
		rc = pgbin_find(c->major, &bindir, NULL, err);
		if (rc < 0)
			err_wrap(err,
				 "the database in %s was made by PostgreSQL "
				 "%d, here is %d",
				 c->dir, c->major, major);
		else if (major > c->major)
			rc = upgrade(c, bindir, newest, major, err);
	}
	if (rc == 0)
		rc = start(c, c->major == major ? newest : bindir, err);
	mem_free(bindir);
	mem_free(newest);
	return rc;
}

int
cluster_start(struct err *err)
{
	struct cluster c = { 0 };
	int lock = -1, rc;

	rc = lock_start(&lock, err);
	if (rc < 0)
		return rc;
	rc = cluster_locate(&c, err);
	if (rc == 0)
		rc = bring_up(&c, err);
	if (rc == 0)
		rc = ensure_database(&c, err);
	cluster_release(&c);
	fd_close(&lock);
	return rc;
}

int
cluster_init(struct err *err)
{
	return cluster_start(err);
}

int
cluster_stop(struct err *err)
{
	struct cluster c = { 0 };
	struct postmaster pm;
	int lock = -1, rc;

	rc = lock_start(&lock, err);
	if (rc < 0)
		return rc;
	rc = cluster_locate(&c, err);
	if (rc == 0 && cluster_running(&c, &pm) && pm.pid) {
		rc = signal_server(&c, pm.pid, err);
		if (rc == 0 && pm.socket_dir[0])
			rmdir(pm.socket_dir); /* made again at the next start */
	}
	cluster_release(&c);
	fd_close(&lock);
	return rc;
}

/* nftw has no argument for its callback. */
static _Thread_local uint64_t du_bytes;

static int
du_add(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)path, (void)type, (void)ftw;
	du_bytes += (uint64_t)st->st_blocks * 512;
	return 0;
}

int
cluster_status(struct cluster_status *out, struct err *err)
{
	struct cluster c;
	struct postmaster pm;
	char *conninfo;
	struct db *db;
	int rc;

	*out = (struct cluster_status){ 0 };
	rc = cluster_locate(&c, err);
	if (rc < 0)
		return rc;
	out->exists = c.exists;
	out->running = cluster_running(&c, &pm);
	out->pid = pm.pid;
	out->dir = mem_strdup(c.dir ? c.dir : c.home);
	out->socket_dir = pm.socket_dir[0] ? mem_strdup(pm.socket_dir) : NULL;
	out->server_version = c.major * 10000;
	pgbin_find(c.major, &out->bindir, NULL, NULL);
	if (c.exists) {
		du_bytes = 0;
		nftw(c.dir, du_add, 64, FTW_PHYS);
		out->bytes = du_bytes;
	}
	if (out->running &&
	    cluster_conninfo(&c, CLUSTER_DATABASE, &conninfo, NULL) == 0) {
		if (db_connect(conninfo, &db, NULL) == 0) {
			out->server_version = db_server_version(db);
			db_close(db);
		}
		mem_free(conninfo);
	}
	cluster_release(&c);
	return 0;
}

void
cluster_status_free(struct cluster_status *s)
{
	mem_free(s->dir);
	mem_free(s->socket_dir);
	mem_free(s->bindir);
	*s = (struct cluster_status){ 0 };
}
