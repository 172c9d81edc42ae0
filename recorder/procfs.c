/*
 * What /proc tells a program about tracing: as if there were none; and of CPUs
 * under --chaos. Applied to what read(2) brought before it is recorded. The
 * text may get shorter, and the result with it; a reader sees a short read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "recorder/chaos.h"
#include "recorder/special.h"
#include "recorder/task.h"

/* status has 1.5 KB; what is outside of this costs nothing. */
#define TEXT_MIN 64
#define TEXT_MAX 4095

/* The recorded task whose status or stat is read, or NULL. */
static const struct task *
subject(const struct recorder *r, const struct task *t, bool *out_stat)
{
	char path[64], to[128];
	const char *name;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", t->tid,
		 (int)t->call.sc.args[0]);
	n = readlink(path, to, sizeof(to) - 1);
	if (n <= 0)
		return NULL;
	to[n] = '\0';
	name = strrchr(to, '/');
	if (strncmp(to, "/proc/", 6) != 0 ||
	    (strcmp(name, "/status") != 0 && strcmp(name, "/stat") != 0))
		return NULL;
	*out_stat = strcmp(name, "/stat") == 0;
	/* /proc/PID/task/TID/status: the last number counts */
	if (strstr(to, "/task/") != NULL)
		return task_get(r, atoi(strstr(to, "/task/") + 6));
	return task_get(r, atoi(to + 6));
}

struct text {
	char p[TEXT_MAX + 1];
	size_t len, max;
};

/* The rest of the line that begins with key becomes value. */
static void
set_line(struct text *x, const char *key, const char *value)
{
	char *p = strstr(x->p, key);
	size_t n = strlen(value), was;
	char *end;

	if (p == NULL)
		return;
	p += strlen(key);
	end = strchr(p, '\n');
	if (end == NULL)
		return;
	was = (size_t)(end - p);
	if (n > was && x->len + n - was > x->max)
		return;
	memmove(p + n, end, (size_t)(x->p + x->len - end) + 1);
	memcpy(p, value, n);
	x->len = x->len + n - was;
}

/* All of n CPUs, as the kernel writes them: "f,ffffffff" and "0-35". */
static void
set_cpus(struct text *x, unsigned n)
{
	char list[32];
	struct buf mask = { 0 };

	if (n % 32 != 0)
		buf_printf(&mask, "%0*x", (int)(n % 32 + 3) / 4,
			   (1u << n % 32) - 1);
	for (unsigned i = 0; i < n / 32; i++)
		buf_printf(&mask, "%sffffffff", mask.len > 0 ? "," : "");
	snprintf(list, sizeof(list), n > 1 ? "0-%u" : "%u", n - 1);
	set_line(x, "Cpus_allowed:\t", buf_cstr(&mask));
	set_line(x, "Cpus_allowed_list:\t", list);
	buf_free(&mask);
}

static void
edit_status(const struct recorder *r, const struct task *who, struct text *x)
{
	static const char stopped[] = "State:\tt (tracing stop)";
	const struct process *p = who->proc;

	if (strstr(x->p, stopped) != NULL)
		set_line(x, "State:\t", "S (sleeping)");
	set_line(x, "TracerPid:\t", "0");
	if (p != NULL)
		set_line(x, "NoNewPrivs:\t", p->no_new_privs ? "1" : "0");
	if (who->filters == NULL) {
		set_line(x, "Seccomp:\t", "0");
		set_line(x, "Seccomp_filters:\t", "0");
	}
	if (chaos_cpus(r) != 0)
		set_cpus(x, chaos_cpus(r));
}

/* PID (comm) S ...: one letter. */
static void
edit_stat(char *text)
{
	char *p = strrchr(text, ')');

	if (p != NULL && p[1] == ' ' && p[2] == 't')
		p[2] = 'S';
}

int
procfs_read(struct recorder *r, struct task *t, struct err *err)
{
	uint64_t addr = t->call.sc.args[1];
	size_t n = (size_t)t->call.sc.ret;
	struct text x = { .len = n, .max = n };
	const struct task *who;
	bool is_stat;

	if (t->call.skipped || t->call.sc.ret < TEXT_MIN ||
	    t->call.sc.ret > TEXT_MAX)
		return 0;
	who = subject(r, t, &is_stat);
	if (who == NULL || scratch_read(t, addr, x.p, n) != (int64_t)n)
		return 0;
	x.p[n] = '\0';
	if (is_stat)
		edit_stat(x.p);
	else
		edit_status(r, who, &x);
	if (scratch_write(t, addr, x.p, x.len) != (int64_t)x.len)
		return 0;
	if (x.len == n)
		return 0;
	/* The kernel wrote beyond what we call the end. */
	if (t->call.scratch == NULL &&
	    mem_read_all(&task_space(t)->mem, addr + x.len, x.p + x.len,
			 n - x.len) == 0)
		item_put_mem(&r->items, addr + x.len,
			     span_of(x.p + x.len, n - x.len));
	t->call.sc.ret = (int64_t)x.len;
	t->last.rax = x.len;
	return ptrace_set_regs(t->tid, &t->last);
}

bool
procfs_status(const struct recorder *r, const struct task *t, struct buf *out)
{
	struct text x = { .max = TEXT_MAX };
	struct buf real = { 0 };
	const struct task *who;
	char path[64];
	bool is_stat;

	who = subject(r, t, &is_stat);
	if (who == NULL || is_stat)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/status", who->tid);
	if (fd_read_file(path, &real) == 0 && real.len <= TEXT_MAX / 2) {
		memcpy(x.p, real.p, real.len);
		x.len = real.len;
		if (who == t) /* it would run while it reads */
			set_line(&x, "State:\t", "R (running)");
		edit_status(r, who, &x);
		buf_put(out, x.p, x.len);
	}
	buf_free(&real);
	return x.len > 0;
}
