/* Facts of the header event: what the command was given, where it runs. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fd.h"
#include "recorder/chaos.h"
#include "recorder/exec.h"
#include "recorder/nondet.h"
#include "tracee/cpuid.h"

#define NRLIMITS 16

static void __attribute__((format(printf, 3, 4)))
put_text(struct buf *items, const char *key, const char *fmt, ...)
{
	struct buf text = { 0 };
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	buf_str(&text, line);
	item_put_kv(items, key, buf_span(&text));
	buf_free(&text);
}

static void
put_list(struct buf *items, const char *key, char *const *list)
{
	struct buf text = { 0 };

	for (; list != NULL && *list != NULL; list++)
		buf_put(&text, *list, strlen(*list) + 1);
	item_put_kv(items, key, buf_span(&text));
	buf_free(&text);
}

static bool
read_link(pid_t tid, const char *name, char out[PATH_MAX])
{
	char path[320];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", tid, name);
	n = readlink(path, out, PATH_MAX - 1);
	out[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static void
put_link(pid_t tid, const char *name, struct buf *items)
{
	char target[PATH_MAX];

	if (read_link(tid, name, target))
		item_put_kv(items, name, span_str(target));
}

static void
put_status(pid_t tid, struct buf *items)
{
	struct buf text = { 0 };
	char path[64];
	const char *p;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	if (fd_read_file(path, &text) == 0) {
		p = strstr(buf_cstr(&text), "\nUmask:");
		if (p != NULL)
			put_text(items, "umask", "%04lo",
				 strtoul(p + 7, NULL, 8));
		p = strstr(buf_cstr(&text), "\nUid:");
		if (p != NULL)
			put_text(items, "uid", "%lu", strtoul(p + 5, NULL, 10));
		p = strstr(buf_cstr(&text), "\nGid:");
		if (p != NULL)
			put_text(items, "gid", "%lu", strtoul(p + 5, NULL, 10));
	}
	buf_free(&text);
}

static void
put_limits(pid_t tid, struct buf *items)
{
	struct buf all = { 0 };
	int i;

	for (i = 0; i < NRLIMITS; i++) {
		struct rlimit lim = { 0 };

		prlimit(tid, (__rlimit_resource_t)i, NULL, &lim);
		buf_u64(&all, lim.rlim_cur);
		buf_u64(&all, lim.rlim_max);
	}
	item_put_kv(items, "rlimits", buf_span(&all));
	buf_free(&all);
}

static void
put_machine(const struct recorder *r, struct buf *items)
{
	struct buf text = { 0 };
	struct utsname u;
	uint64_t xcr0 = cpuid_xcr0();

	if (uname(&u) == 0) {
		put_text(items, "uname", "%s %s %s %s", u.sysname, u.release,
			 u.version, u.machine);
		put_text(items, "host", "%s", u.nodename);
	}
	cpuid_model(&text);
	item_put_kv(items, "cpu", buf_span(&text));
	buf_clear(&text);
	nondet_cpuid(r, &text);
	item_put_kv(items, "cpuid", buf_span(&text));
	buf_clear(&text);
	buf_u64(&text, xcr0);
	item_put_kv(items, "xcr0", buf_span(&text));
	buf_free(&text);
}

static void
put_descriptors(pid_t tid, struct buf *items)
{
	char path[64], name[96], target[PATH_MAX];
	struct dirent *de;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", tid);
	dir = opendir(path);
	if (dir == NULL)
		return; /* shown to people only */
	while ((de = readdir(dir)) != NULL) {
		if (de->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "fd/%.20s", de->d_name);
		if (read_link(tid, name, target))
			item_put_bytes(items, ITEM_FD,
				       strtoul(de->d_name, NULL, 10),
				       span_str(target));
	}
	closedir(dir);
}

int
exec_header(struct recorder *r, struct task *t, struct buf *items,
	    struct err *err)
{
	put_list(items, "argv", r->opts.argv);
	put_list(items, "env", r->opts.envp);
	put_link(t->tid, "cwd", items);
	put_link(t->tid, "exe", items);
	put_status(t->tid, items);
	put_limits(t->tid, items);
	put_machine(r, items);
	put_text(items, "cpus", "%u", r->opts.cpus != 0 ? r->opts.cpus : 1);
	chaos_header(r, items);
	put_text(items, "version", "%s", PACKAGE_VERSION);
	put_descriptors(t->tid, items);
	return 0;
}
