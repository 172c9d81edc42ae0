#include "store/home.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/fd.h"
#include "base/mem.h"
#include "store/program.h"

#define ROOT_HOME "/var/lib/pastime"
#define SOCKET_NAME "/.s.PGSQL.5432.lock"
#define SOCKET_PATH_MAX 107

static bool
is_root(void)
{
	return geteuid() == 0;
}

/* The value of an environment variable that is an absolute path, or NULL. */
static const char *
env_dir(const char *name)
{
	const char *v = getenv(name);

	return v && v[0] == '/' ? v : NULL;
}

int
home_path(char **out, struct err *err)
{
	const char *dir = getenv("PASTIME_HOME");
	const struct passwd *pw;

	if (dir && dir[0]) {
		if (dir[0] == '/') {
			*out = mem_strdup(dir);
			return 0;
		}
		char *cwd = getcwd(NULL, 0);

		if (!cwd)
			return err_errno(err, "PASTIME_HOME is relative, and "
					      "there is no current directory");
		*out = mem_printf("%s/%s", cwd, dir);
		free(cwd);
		return 0;
	}
	if (is_root()) {
		*out = mem_strdup(ROOT_HOME);
		return 0;
	}
	dir = env_dir("XDG_DATA_HOME");
	if (dir) {
		*out = mem_printf("%s/pastime", dir);
		return 0;
	}
	dir = env_dir("HOME");
	if (!dir) {
		pw = getpwuid(geteuid());
		dir = pw ? pw->pw_dir : NULL;
	}
	if (!dir || dir[0] != '/') {
		err_set(err, ENOENT,
			"no home directory for recordings: "
			"HOME is not set");
		err_hint(err, "set PASTIME_HOME to a directory of your own");
		return -ENOENT;
	}
	*out = mem_printf("%s/.local/share/pastime", dir);
	return 0;
}

int
home_make(const char *sub, char **out, struct err *err)
{
	char *home, *path;
	int rc;

	rc = home_path(&home, err);
	if (rc < 0)
		return rc;
	/* The server's account must pass through root's home to its cluster. */
	rc = fd_mkdirs(home, is_root() ? 0711 : 0700);
	path = sub ? mem_printf("%s/%s", home, sub) : mem_strdup(home);
	if (rc == 0 && sub)
		rc = fd_mkdirs(path, 0700);
	mem_free(home);
	if (rc < 0) {
		errno = -rc;
		rc = err_errno(err, "cannot make %s", path);
		err_hint(err, "set PASTIME_HOME to a directory where you "
			      "may write");
		mem_free(path);
		return rc;
	}
	*out = path;
	return 0;
}

static bool
account_by_name(const char *name, struct account *out)
{
	const struct passwd *pw = getpwnam(name);

	if (!pw || pw->pw_uid == 0)
		return false;
	out->uid = pw->pw_uid;
	out->gid = pw->pw_gid;
	snprintf(out->name, sizeof(out->name), "%s", name);
	return true;
}

/* As distributions make accounts for services; its failure is no error, since
 * there are others to fall back to. */
static void
account_create(void)
{
	const char *argv[] = {
		"useradd",	     "--system",	 "--home-dir",
		ROOT_HOME,	     "--no-create-home", "--shell",
		"/usr/sbin/nologin", "pastime",		 NULL
	};
	static const char *const paths[] = { "/usr/sbin/useradd",
					     "/sbin/useradd" };

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		int status;

		if (access(paths[i], X_OK) < 0)
			continue;
		program_run(paths[i], argv, NULL, NULL, NULL, &status, NULL);
		return;
	}
}

int
home_account(bool may_create, struct account *out, struct err *err)
{
	static const char *const others[] = { "postgres", "nobody" };
	const char *wanted = getenv("PASTIME_ACCOUNT");

	*out = (struct account){ .uid = geteuid(), .gid = getegid() };
	if (!is_root())
		return 0;
	out->switch_user = true;
	if (wanted && wanted[0]) {
		if (account_by_name(wanted, out))
			return 0;
		return err_set(err, ENOENT,
			       "PASTIME_ACCOUNT names '%s', which is no "
			       "unprivileged account",
			       wanted);
	}
	if (account_by_name("pastime", out))
		return 0;
	if (may_create) {
		account_create();
		if (account_by_name("pastime", out))
			return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		if (account_by_name(others[i], out))
			return 0;
	}
	err_set(err, ENOENT,
		"PostgreSQL does not run as root, and there is "
		"no account for it");
	err_hint(err, "useradd --system pastime");
	return -ENOENT;
}

void
home_owner(const char *dir, struct account *io)
{
	const struct passwd *pw;
	struct stat st;

	if (!io->switch_user || lstat(dir, &st) < 0 || st.st_uid == 0 ||
	    st.st_uid == io->uid)
		return;
	pw = getpwuid(st.st_uid);
	io->uid = st.st_uid;
	io->gid = st.st_gid;
	snprintf(io->name, sizeof(io->name), "%s", pw ? pw->pw_name : "?");
}

/* Make path, or accept it when it is a directory of who's alone. */
static int
private_dir(const char *path, const struct account *who, struct err *err)
{
	struct stat st;

	if (mkdir(path, 0700) == 0) {
		if (who->switch_user && lchown(path, who->uid, who->gid) < 0)
			return err_errno(err, "cannot give %s to %s", path,
					 who->name);
		return 0;
	}
	if (errno != EEXIST)
		return err_errno(err, "cannot make %s", path);
	if (lstat(path, &st) < 0)
		return err_errno(err, "cannot look at %s", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, ENOTDIR, "%s is not a directory", path);
	if (who->switch_user && st.st_uid == 0) {
		/* Left half made, or the account was created since. */
		if (lchown(path, who->uid, who->gid) < 0 ||
		    chmod(path, 0700) < 0)
			return err_errno(err, "cannot give %s to %s", path,
					 who->name);
		return 0;
	}
	if (st.st_uid != who->uid) {
		err_set(err, EPERM, "%s belongs to user %u, not to us", path,
			(unsigned)st.st_uid);
		err_hint(err, "remove it, or set XDG_RUNTIME_DIR to a "
			      "directory of your own");
		return -EPERM;
	}
	if ((st.st_mode & 077) != 0 && chmod(path, 0700) < 0)
		return err_errno(err, "cannot make %s private", path);
	return 0;
}

static bool
socket_fits(const char *dir)
{
	return strlen(dir) + strlen(SOCKET_NAME) <= SOCKET_PATH_MAX;
}

/* Where the socket directories of this user belong when there is such a place;
 * NULL: /tmp must do. */
static const char *
runtime_dir(void)
{
	const char *dir = is_root() ? "/run" : env_dir("XDG_RUNTIME_DIR");
	struct stat st;

	if (!dir || stat(dir, &st) < 0 || !S_ISDIR(st.st_mode) ||
	    st.st_uid != geteuid() || access(dir, W_OK | X_OK) < 0)
		return NULL;
	return dir;
}

int
home_socket_dir(const struct account *who, char **out, struct err *err)
{
	const char *base = runtime_dir();
	char *home, *path;
	uint64_t hash;
	int rc;

	rc = home_path(&home, err);
	if (rc < 0)
		return rc;
	hash = XXH3_64bits(home, strlen(home));
	mem_free(home);
	path = mem_printf("%s/pastime-%08x", base ? base : "/tmp",
			  (unsigned)hash);
	if (!base || !socket_fits(path)) {
		mem_free(path);
		path = mem_printf("/tmp/pastime-%u-%08x", (unsigned)geteuid(),
				  (unsigned)hash);
	}
	rc = private_dir(path, who, err);
	if (rc < 0) {
		mem_free(path);
		return rc;
	}
	*out = path;
	return 0;
}
