/* How a cluster comes into being: initdb and pg_upgrade, all or nothing. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "store/cluster.h"
#include "store/program.h"

/*
 * What recordings want from a server that nobody else uses. fsync and
 * full_page_writes stay on: turning them off gained nothing measurable and
 * loses whole tables in a power cut. synchronous_commit is off because the
 * spool keeps what the server has not flushed.
 */
static const char settings[] = "\n# pastime\n"
			       "wal_level = minimal\n"
			       "max_wal_senders = 0\n"
			       "max_logical_replication_workers = 0\n"
			       "synchronous_commit = off\n"
			       "shared_buffers = 128MB\n"
			       "max_wal_size = 1GB\n"
			       "jit = off\n"
			       "enable_partitionwise_aggregate = on\n"
			       "max_locks_per_transaction = 256\n"
			       "log_min_messages = warning\n"
			       "log_line_prefix = '%m [%p] '\n";

/* Refused by a server that was built without lz4. */
static const char settings_lz4[] = "wal_compression = lz4\n"
				   "default_toast_compression = lz4\n";

static int
append(const char *dir, const char *name, const char *text, struct err *err)
{
	char *path = mem_printf("%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
	int rc = fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));

	fd_close(&fd);
	if (rc < 0) {
		errno = -rc;
		rc = err_errno(err, "cannot write %s", path);
	}
	mem_free(path);
	return rc;
}

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	remove(path);
	return 0;
}

static void
remove_tree(const char *path)
{
	nftw(path, remove_entry, 64, FTW_DEPTH | FTW_PHYS);
}

/* What a program that failed said last: initdb marks not all of its errors. */
static void
last_words(const char *log, int status, char *out, size_t size)
{
	struct buf text = { 0 };
	const char *at, *last = NULL;

	if (cluster_log_tail(log, out, size))
		return;
	snprintf(out, size, "exit status %d", WEXITSTATUS(status));
	if (fd_read_file(log, &text) == 0) {
		for (at = buf_cstr(&text); *at; at = strchrnul(at, '\n')) {
			at += strspn(at, "\n");
			last = *at ? at : last;
		}
		if (last)
			snprintf(out, size, "%.*s", (int)strcspn(last, "\n"),
				 last);
	}
	buf_free(&text);
}

/*
 * initdb wants a name for whoever runs it, and accounts of containers often
 * have none: show it a list of accounts with one more. *out is the file, NULL
 * when there is a name.
 */
static int
name_ourselves(const struct cluster *c, char **out, struct err *err)
{
	struct buf text = { 0 };
	char *path;
	int fd, rc;

	*out = NULL;
	if (c->who.switch_user || getpwuid(geteuid()))
		return 0;
	(void)fd_read_file("/etc/passwd", &text);
	buf_printf(&text, "pastime:x:%u:%u::%s:/bin/sh\n", geteuid(), getegid(),
		   c->home);
	path = mem_printf("%s/passwd", c->home);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	rc = fd < 0 ? -errno : fd_write_all(fd, text.p, text.len);
	fd_close(&fd);
	buf_free(&text);
	if (rc < 0) {
		rc = err_set(err, -rc, "cannot write %s", path);
		mem_free(path);
		return rc;
	}
	*out = path;
	return 0;
}

static void
hint(const char *log, bool nameless, struct err *err)
{
	if (nameless)
		err_hint(err,
			 "your account has no name, which PostgreSQL needs: "
			 "add one to /etc/passwd\n"
			 "(%u is your number), or use another server: --db "
			 "URL, PASTIME_DB; %s says more",
			 geteuid(), log);
	else
		err_hint(err,
			 "%s says more; --db URL or PASTIME_DB use another "
			 "server",
			 log);
}

/* One of PostgreSQL's programs; its output goes to home/create.log. */
static int
run(const struct cluster *c, const char *bindir, const char *name,
    const char *const *argv, struct err *err)
{
	char *program = mem_printf("%s/%s", bindir, name);
	char *log = mem_printf("%s/create.log", c->home);
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	char *passwd = NULL;
	char why[256];
	int status, rc;

	rc = fd < 0 ? err_errno(err, "cannot open %s", log)
		    : name_ourselves(c, &passwd, err);
	if (rc == 0)
		rc = program_run(program, argv, &c->who, passwd, &fd, &status,
				 err);
	fd_close(&fd);
	if (rc == 0 && status != 0) {
		last_words(log, status, why, sizeof(why));
		rc = err_set(err, E_DB_UNREACHABLE, "%s failed: %s", program,
			     why);
		hint(log, passwd != NULL, err);
	}
	if (passwd)
		unlink(passwd);
	mem_free(passwd);
	mem_free(log);
	mem_free(program);
	return rc;
}

static int
configure(const struct cluster *c, const char *bindir, const char *dir,
	  struct err *err)
{
	const char *argv[] = { "postgres",
			       "-D",
			       dir,
			       "-C",
			       "default_toast_compression",
			       "-c",
			       "default_toast_compression=lz4",
			       "-c",
			       "wal_compression=lz4",
			       NULL };
	int rc;

	rc = append(dir, "postgresql.conf", settings, err);
	if (rc == 0 && run(c, bindir, "postgres", argv, NULL) == 0)
		rc = append(dir, "postgresql.conf", settings_lz4, err);
	return rc;
}

/* An initialised directory home/pgNN.new; the caller renames it. */
static int
make_new(struct cluster *c, const char *bindir, int major, char **out,
	 struct err *err)
{
	char *dir = mem_printf("%s/pg%d.new", c->home, major);
	/* Checksums are on by default from 18 on; pg_upgrade wants both
	 * clusters alike, and chunks have checksums of their own. */
	const char *argv[] = { "initdb",
			       "-D",
			       dir,
			       "-U",
			       CLUSTER_USER,
			       "-A",
			       "trust",
			       "-E",
			       "UTF8",
			       "--locale=C",
			       "--no-sync",
			       "--no-instructions",
			       major >= 18 ? "--no-data-checksums" : NULL,
			       NULL };
	int rc;

	remove_tree(dir);
	if (mkdir(dir, 0700) < 0 ||
	    (c->who.switch_user && lchown(dir, c->who.uid, c->who.gid) < 0)) {
		rc = err_errno(err, "cannot make %s", dir);
		goto out;
	}
	rc = run(c, bindir, "initdb", argv, err);
	if (rc == 0)
		rc = configure(c, bindir, dir, err);
out:
	if (rc < 0) {
		remove_tree(dir);
		mem_free(dir);
		return rc;
	}
	*out = dir;
	return 0;
}

static int
rename_into_place(struct cluster *c, const char *from, int major,
		  struct err *err)
{
	char *dir = mem_printf("%s/pg%d", c->home, major);

	if (rename(from, dir) < 0) {
		int rc = err_errno(err, "cannot rename %s", from);

		mem_free(dir);
		return rc;
	}
	mem_free(c->dir);
	c->dir = dir;
	c->major = major;
	c->exists = true;
	return 0;
}

/* initdb ran without syncing, to be quick. Nothing here waits for the disk, but
 * after a power cut the files should be there: have them written out. */
static void
sync_soon(const struct cluster *c)
{
	const char *argv[] = { "sync", "-f", c->dir, NULL };
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int alive = -1;

	if (null >= 0)
		program_daemon("/bin/sync", argv, &c->who, null, -1, &alive,
			       NULL);
	fd_close(&alive);
	fd_close(&null);
}

int
cluster_create(struct cluster *c, const char *bindir, int major,
	       struct err *err)
{
	char *dir;
	int rc;

	rc = make_new(c, bindir, major, &dir, err);
	if (rc < 0)
		return rc;
	rc = rename_into_place(c, dir, major, err);
	mem_free(dir);
	if (rc == 0)
		sync_soon(c);
	return rc;
}

/*
 * By copying, not by --link: until the new directory has its name the old
 * cluster is untouched, whatever happens on the way.
 */
int
cluster_upgrade(struct cluster *c, const char *old_bindir,
		const char *new_bindir, int new_major, struct err *err)
{
	char *old = mem_strdup(c->dir);
	char *dir = NULL, *sockets = NULL;
	int rc;

	rc = home_socket_dir(&c->who, &sockets, err);
	if (rc < 0)
		goto out;
	rc = make_new(c, new_bindir, new_major, &dir, err);
	if (rc < 0)
		goto out;
	/* It leaves a script in its working directory. */
	const char *argv[] = {
		"sh",
		"-c",
		"cd \"$0\" && exec \"$1\" -U \"$2\" "
		"-b \"$3\" -B \"$4\" -d \"$5\" -D \"$0\" -s \"$6\"",
		dir,
		NULL,
		CLUSTER_USER,
		old_bindir,
		new_bindir,
		old,
		sockets,
		NULL
	};
	char *program = mem_printf("%s/pg_upgrade", new_bindir);

	argv[4] = program;
	rc = run(c, "/bin", "sh", argv, err);
	mem_free(program);
	if (rc < 0) {
		err_wrap(err, "upgrading %s from PostgreSQL %d to %d", old,
			 c->major, new_major);
		remove_tree(dir);
		goto out;
	}
	rc = rename_into_place(c, dir, new_major, err);
	if (rc == 0)
		remove_tree(old);
out:
	mem_free(sockets);
	mem_free(dir);
	mem_free(old);
	return rc;
}
