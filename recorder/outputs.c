/*
 * Writes to the outputs that the command was started with. Two tasks that
 * write to the same one at the same time leave its bytes in an order that their
 * stops do not tell, and replay prints in the order of events. So such writes
 * take turns: the next begins when the one before is logged.
 *
 *   entry --free--> holds --event, restart or death--> free
 *     |                ^
 *     +--taken--> enter logged, baton given up, held at the entry
 *
 * Who waits is like any task inside a blocking call, so nobody who needs the
 * baton waits for it.
 */
#include "recorder/engine.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "agent/abi.h"
#include "recorder/agent.h"
#include "recorder/sched.h"
#include "recorder/task.h"

#define TTY_MAJOR 4u
#define TTYAUX_MAJOR 5u
#define PTS_MAJOR_FIRST 136u
#define PTS_MAJOR_LAST 143u
#define DEV_NULL makedev(1, 3)
#define DEV_TTY makedev(TTYAUX_MAJOR, 0)

struct output {
	dev_t dev, rdev;
	ino_t ino;
	struct task *holder; /* its write is under way; NULL = free */
	VEC(struct task *) waiting;
};

static bool
is_tty(const struct stat *st)
{
	unsigned m = major(st->st_rdev);

	return S_ISCHR(st->st_mode) &&
	       (m == TTY_MAJOR || m == TTYAUX_MAJOR ||
		(m >= PTS_MAJOR_FIRST && m <= PTS_MAJOR_LAST));
}

static bool
stat_fd(const struct task *t, uint64_t fd, struct stat *st)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", t->tid, (int)fd);
	return stat(path, st) == 0;
}

/* The output that this file is; /dev/tty is whichever terminal there is. */
static struct output *
find(const struct recorder *r, const struct stat *st)
{
	for (size_t i = 0; i < r->outputs.len; i++) {
		struct output *o = r->outputs.v[i];

		if (o->dev == st->st_dev && o->ino == st->st_ino)
			return o;
		if (o->rdev != 0 && is_tty(st) &&
		    (o->rdev == st->st_rdev || st->st_rdev == DEV_TTY))
			return o;
	}
	return NULL;
}

void
outputs_init(struct recorder *r, const struct task *t)
{
	for (uint64_t fd = 0; fd <= 2; fd++) {
		struct output *o;
		struct stat st;

		if (!stat_fd(t, fd, &st) || (fd == 0 && !is_tty(&st)) ||
		    (S_ISCHR(st.st_mode) && st.st_rdev == DEV_NULL) ||
		    find(r, &st) != NULL)
			continue;
		o = mem_zalloc(sizeof(*o));
		o->dev = st.st_dev;
		o->ino = st.st_ino;
		o->rdev = is_tty(&st) ? st.st_rdev : 0;
		vec_push(&r->outputs, o);
	}
}

void
outputs_release(struct recorder *r)
{
	for (size_t i = 0; i < r->outputs.len; i++) {
		vec_free(&r->outputs.v[i]->waiting);
		mem_free(r->outputs.v[i]);
	}
	vec_free(&r->outputs);
}

/* Which descriptor the call writes to; false: none. */
static bool
written_fd(const struct sys_call *c, uint64_t *fd)
{
	switch (c->nr) {
	case SYS_write:
	case SYS_writev:
	case SYS_pwrite64:
	case SYS_pwritev:
	case SYS_pwritev2:
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_sendmmsg:
	case SYS_sendfile:
	case SYS_vmsplice:
		*fd = c->args[0];
		return true;
	case SYS_tee:
		*fd = c->args[1];
		return true;
	case SYS_splice:
	case SYS_copy_file_range:
		*fd = c->args[2];
		return true;
	}
	return false;
}

bool
outputs_enter(struct recorder *r, struct task *t)
{
	struct output *o;
	struct stat st;
	uint64_t fd;

	if (r->tasks.len < 2 || t->call.output != NULL ||
	    !written_fd(&t->call.sc, &fd) || !stat_fd(t, fd, &st))
		return true;
	o = find(r, &st);
	if (o == NULL)
		return true;
	if (o->holder != NULL || o->waiting.len > 0) {
		vec_push(&o->waiting, t);
		return false;
	}
	o->holder = t;
	t->call.output = o;
	return true;
}

uint64_t
outputs_list(const struct recorder *r, struct agent_output *out, size_t max)
{
	size_t n = 0;

	for (; n < r->outputs.len && n < max; n++)
		out[n] = (struct agent_output){ r->outputs.v[n]->dev,
						r->outputs.v[n]->ino,
						r->outputs.v[n]->rdev };
	return n;
}

bool
outputs_is_ours(const struct recorder *r, const struct task *t)
{
	struct stat st;
	uint64_t fd;

	return written_fd(&t->call.sc, &fd) && stat_fd(t, fd, &st) &&
	       find(r, &st) != NULL;
}

void
outputs_leave(struct task *t)
{
	if (t->call.output != NULL && t->call.output->holder == t)
		t->call.output->holder = NULL;
	t->call.output = NULL;
}

static void
stop_waiting(struct output *o, const struct task *t)
{
	for (size_t i = o->waiting.len; i-- > 0;)
		if (o->waiting.v[i] == t)
			vec_remove(&o->waiting, i);
}

void
outputs_forget(struct recorder *r, const struct task *t)
{
	for (size_t i = 0; i < r->outputs.len; i++) {
		struct output *o = r->outputs.v[i];

		if (o->holder == t)
			o->holder = NULL;
		stop_waiting(o, t);
	}
}

/* A call that was left for a restart may stay away for long (SIGTTOU). */
static bool
still_writes(struct task *t, const struct output *o)
{
	if (t->call.output != o || t->dead)
		return false;
	if (!t->call.restarting)
		return true;
	t->call.output = NULL;
	return false;
}

int
outputs_pump(struct recorder *r)
{
	for (size_t i = 0; i < r->outputs.len; i++) {
		struct output *o = r->outputs.v[i];

		if (o->holder != NULL && !still_writes(o->holder, o))
			o->holder = NULL;
		while (o->holder == NULL && o->waiting.len > 0) {
			struct task *t = o->waiting.v[0];
			int ret;

			vec_remove(&o->waiting, 0);
			if (!t->call.active || t->dead)
				continue;
			o->holder = t;
			t->call.output = o;
			ret = syscall_resume(t);
			if (ret < 0)
				return ret;
		}
	}
	return 0;
}
