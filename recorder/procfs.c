/*
 * What /proc tells a program about tracing: as if there were none. Applied to
 * what read(2) brought before it is recorded. The text may get
 * shorter, and the result with it; a reader sees a short read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* The rest of the line that begins with key becomes value. */
static void
set_line(char *text, size_t *len, const char *key, const char *value)
{
	char *p = strstr(text, key);
	size_t n = strlen(value);
	char *end;

	if (p == NULL)
		return;
	p += strlen(key);
	end = strchr(p, '\n');
	if (end == NULL || (size_t)(end - p) < n)
		return;
	memcpy(p, value, n);
	memmove(p + n, end, (size_t)(text + *len - end) + 1);
	*len -= (size_t)(end - p) - n;
}

static void
edit_status(const struct task *who, char *text, size_t *len)
{
	static const char stopped[] = "State:\tt (tracing stop)";
	const struct process *p = who->proc;

	if (strstr(text, stopped) != NULL)
		set_line(text, len, "State:\t", "S (sleeping)");
	set_line(text, len, "TracerPid:\t", "0");
	if (p != NULL)
		set_line(text, len, "NoNewPrivs:\t", p->no_new_privs ? "1" : "0");
	if (who->filters == NULL) {
		set_line(text, len, "Seccomp:\t", "0");
		set_line(text, len, "Seccomp_filters:\t", "0");
	}
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
	int64_t n = t->call.sc.ret;
	const struct task *who;
	size_t len = (size_t)n;
	char text[TEXT_MAX + 1];
	bool is_stat;

	if (n < TEXT_MIN || n > TEXT_MAX)
		return 0;
	who = subject(r, t, &is_stat);
	if (who == NULL || scratch_read(t, addr, text, len) != n)
		return 0;
	text[len] = '\0';
	if (is_stat)
		edit_stat(text);
	else
		edit_status(who, text, &len);
	if (scratch_write(t, addr, text, len) != (int64_t)len)
		return 0;
	if ((int64_t)len == n)
		return 0;
	/* The kernel wrote beyond what we call the end. */
	if (t->call.scratch == NULL &&
	    mem_read_all(&task_space(t)->mem, addr + len, text + len,
			 (size_t)n - len) == 0)
		item_put_mem(&r->items, addr + len,
			     span_of(text + len, (size_t)n - len));
	t->call.sc.ret = (int64_t)len;
	t->last.rax = (uint64_t)len;
	return ptrace_set_regs(t->tid, &t->last);
}
