/*
 * Memory that more than one space can change: shared mappings, and file
 * mappings whose file is written.
 *
 * Every MAP_SHARED mapping belongs to an object, known by the inode behind it
 * (anonymous ones by a number of ours, System V segments by their id). Spaces
 * that share an object which somebody may write are one group: they take turns.
 * A call that would bring two groups together waits at its entry until the
 * other group's runner is at a stop, then the groups merge.
 *
 * Replay repeats stores to shared memory, but no write(2): what mappings show
 * after such a call on their file is recorded with it.
 */
#include "recorder/agent.h"
#include "recorder/engine.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "recorder/sched.h"
#include "recorder/task.h"

/* Identities that no file system has. */
#define DEV_ANON (~0ull)
#define DEV_SYSV (~0ull - 1)

/* A write records at most this much per mapping in one piece. */
#define WRITTEN_MAX (64ull << 20)

/* glibc's loader says so of libraries; nobody writes those in place. */
#define IS_LIBRARY(flags) (((flags)&MAP_DENYWRITE) != 0)

struct ident {
	uint64_t dev, ino, size;
	bool may_write;	/* opened for writing: mprotect can make it writable */
};

static bool
fd_inode(const struct task *t, int fd, struct ident *out)
{
	struct stat st;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", t->tid, fd);
	if (fd < 0 || stat(path, &st) < 0 ||
	    (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)))
		return false;
	*out = (struct ident){ .dev = st.st_dev,
			       .ino = st.st_ino,
			       .size = (uint64_t)st.st_size };
	return true;
}

static bool
fd_ident(const struct task *t, int fd, struct ident *out)
{
	char path[64];
	uint64_t flags;

	if (!fd_inode(t, fd, out))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", t->tid, fd);
	if (fd_read_number(path, "flags:", 8, &flags))
		out->may_write = (flags & O_ACCMODE) == O_RDWR;
	return true;
}

/* A file of the system, which an upgrade renames into place but nobody writes:
 * not to be looked for at each write. */
static bool
is_system_file(const struct task *t)
{
	char path[64], to[8] = "";

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", t->tid,
		 (int)t->call.sc.args[4]);
	return readlink(path, to, sizeof(to) - 1) > 0 &&
	       (strncmp(to, "/usr/", 5) == 0 || strncmp(to, "/lib", 4) == 0 ||
		strncmp(to, "/etc/", 5) == 0);
}

/* What a mapping call is about to map; false: nothing that can be shared. */
static bool
call_ident(const struct task *t, struct ident *out)
{
	const uint64_t *a = t->call.sc.args;

	if (t->call.sc.nr == SYS_shmat) {
		*out = (struct ident){ .dev = DEV_SYSV, .ino = a[0],
				       .may_write = true };
		return true;
	}
	if (t->call.sc.nr != SYS_mmap || (a[3] & MAP_ANONYMOUS))
		return false;
	return fd_ident(t, (int)a[4], out);
}

/* A write needs a closer look only when somebody maps a file. */
static bool
any_mapping(const struct recorder *r)
{
	for (size_t i = 0; i < r->spaces.len; i++)
		if (r->spaces.v[i]->shmaps.len > 0)
			return true;
	return false;
}

/* --- lists of mappings -------------------------------------------------- */

static bool
same_inode(const struct shmap *m, const struct ident *id)
{
	return m->dev == id->dev && m->ino == id->ino;
}

static struct shmap *
find_at(struct space *s, uint64_t addr)
{
	for (size_t i = 0; i < s->shmaps.len; i++)
		if (addr - s->shmaps.v[i].start < s->shmaps.v[i].len)
			return &s->shmaps.v[i];
	return NULL;
}

/* Cut the mapping so that none crosses addr. */
static void
split_at(struct space *s, uint64_t addr)
{
	struct shmap *m = find_at(s, addr);
	struct shmap rest;

	if (m == NULL || m->start == addr)
		return;
	rest = *m;
	m->len = addr - m->start;
	rest.start += m->len;
	rest.offset += m->len;
	rest.len -= m->len;
	vec_push(&s->shmaps, rest);
}

void
shared_unmapped(struct recorder *r, struct space *s, uint64_t start,
		uint64_t len)
{
	split_at(s, start);
	split_at(s, start + len);
	for (size_t i = 0; i < s->shmaps.len;)
		if (s->shmaps.v[i].start - start < len)
			vec_swap_remove(&s->shmaps, i);
		else
			i++;
}

void
shared_protect(struct space *s, uint64_t start, uint64_t len, uint32_t prot)
{
	split_at(s, start);
	split_at(s, start + len);
	for (size_t i = 0; i < s->shmaps.len; i++)
		if (s->shmaps.v[i].start - start < len)
			s->shmaps.v[i].prot = prot;
}

bool
shared_is_followed(struct space *s, uint64_t addr)
{
	return find_at(s, addr) != NULL;
}

bool
shared_is_writable(const struct space *s)
{
	for (size_t i = 0; i < s->shmaps.len; i++)
		if (s->shmaps.v[i].shared && s->shmaps.v[i].may_write)
			return true;
	return false;
}

void
shared_fork(struct space *child, const struct space *parent)
{
	for (size_t i = 0; i < parent->shmaps.len; i++)
		vec_push(&child->shmaps, parent->shmaps.v[i]);
}

/* The number of the object that a shared mapping of the inode belongs to. */
static uint64_t
object_of(const struct recorder *r, const struct ident *id)
{
	for (size_t i = 0; i < r->spaces.len; i++) {
		const struct space *s = r->spaces.v[i];

		for (size_t k = 0; k < s->shmaps.len; k++)
			if (same_inode(&s->shmaps.v[k], id) &&
			    s->shmaps.v[k].shared)
				return s->shmaps.v[k].shared_id;
	}
	return 0;
}

/* --- mapping ------------------------------------------------------------ */

/* mremap: the new place keeps the identity of the old one. */
static void
moved(struct recorder *r, struct task *t, struct map_rec *m)
{
	const uint64_t *a = t->call.sc.args;
	struct space *s = task_space(t);
	struct shmap *old = find_at(s, a[0]), copy;

	if (old == NULL)
		return;
	copy = *old;
	copy.offset += a[0] - old->start;
	copy.start = m->start;
	copy.len = m->len;
	if (a[1] != 0 && !(a[3] & MREMAP_DONTUNMAP))
		shared_unmapped(r, s, a[0], a[1]);
	shared_unmapped(r, s, m->start, m->len);
	m->shared_id = copy.shared_id;
	m->offset = copy.offset;
	vec_push(&s->shmaps, copy);
}

int
shared_mapped(struct recorder *r, struct task *t, struct map_rec *m,
	      struct err *err)
{
	bool shared = (m->flags & MAP_SHARED) != 0; /* also SHARED_VALIDATE */
	struct space *s = task_space(t);
	struct ident id = { 0 };
	struct shmap sm;
	bool known;

	if (t->call.sc.nr == SYS_mremap) {
		moved(r, t, m);
		return 0;
	}
	shared_unmapped(r, s, m->start, m->len);
	if (!shared && t->call.sc.nr == SYS_mmap &&
	    IS_LIBRARY(t->call.sc.args[3]))
		return 0;
	if (!call_ident(t, &id)) {
		if (!shared)
			return 0;
		id = (struct ident){ .dev = DEV_ANON, .ino = r->nshared + 1,
				     .may_write = true };
	}
	if (t->call.sc.nr == SYS_mmap && !(shared && id.may_write) &&
	    id.dev != DEV_ANON && is_system_file(t))
		return 0;
	m->shared_id = object_of(r, &id);
	known = m->shared_id != 0;
	if (shared && !known)
		m->shared_id = ++r->nshared;
	sm = (struct shmap){ .start = m->start, .len = m->len,
			     .offset = m->offset, .dev = id.dev, .ino = id.ino,
			     .prot = m->prot, .shared = shared,
			     .may_write = id.may_write,
			     .shared_id = m->shared_id, .file = m->file };
	vec_push(&s->shmaps, sm);
	return known;
}

/* --- groups come together ----------------------------------------------- */

/* shared_enter let a call pass that maps the inode, and it has not returned. */
static void
set_mapping(struct task *t, const struct ident *id)
{
	t->call.extra[1] = id->dev;
	t->call.extra[2] = id->ino;
	t->call.extra[3] = 1;
}

static bool
is_mapping(const struct task *t, const struct ident *id)
{
	return t->call.active && t->call.extra[3] != 0 &&
	       t->call.extra[1] == id->dev && t->call.extra[2] == id->ino;
}

/* A group other than t's own that would share memory which can change. */
static struct group *
foreign_group(const struct recorder *r, const struct task *t,
	      const struct ident *id, bool writes)
{
	size_t it = 0;
	uint64_t tid;
	void *p;

	for (size_t i = 0; i < r->spaces.len; i++) {
		const struct space *s = r->spaces.v[i];

		if (s->group == task_group(t))
			continue;
		for (size_t k = 0; k < s->shmaps.len; k++) {
			const struct shmap *m = &s->shmaps.v[k];

			if (same_inode(m, id) &&
			    (writes || (m->shared && m->may_write)))
				return s->group;
		}
	}
	/* One that is inside the call that maps it is not in the lists yet. */
	while (map_next(&r->tasks, &it, &tid, &p)) {
		const struct task *u = p;

		if (u->proc != NULL && task_group(u) != task_group(t) &&
		    is_mapping(u, id))
			return task_group(u);
	}
	return NULL;
}

/* A runner that waits for another group goes to the end of its own queue; when
 * its turn comes it asks anew. */
static void
ask_again(struct recorder *r, struct task *t)
{
	sched_forget(r, t);
	sched_ready(t, NEXT_ENTRY);
}

/* The runner is inside a call, alone in its group until now: what would have
 * been one event is an enter, and later an exit. */
static int
block_in_call(struct recorder *r, struct task *t, struct err *err)
{
	int ret = syscall_log_enter(r, t, err);

	if (ret < 0)
		return ret;
	t->state = TASK_BLOCKED;
	sched_release(t);
	return 0;
}

/* Everything of from belongs to to; from has no runner. */
static void
merge(struct recorder *r, struct group *to, struct group *from)
{
	to->live += from->live;
	from->live = 0;
	for (size_t i = 0; i < from->ready.len; i++)
		vec_push(&to->ready, from->ready.v[i]);
	vec_clear(&from->ready);
	/* Who waited for one waits for the other now. */
	for (size_t i = 0; i < from->wanted.len; i++)
		if (from->wanted.v[i] != to->runner)
			vec_push(&to->wanted, from->wanted.v[i]);
	vec_clear(&from->wanted);
	for (size_t i = 0; i < r->spaces.len; i++) {
		struct space *s = r->spaces.v[i];
		bool last = from->refs == 1;

		if (s->group != from)
			continue;
		s->group = to;
		to->refs++;
		group_drop(r, from);
		if (last)
			return;
	}
}

/* True while the other group's runner itself waits at an entry for a merge. */
static bool
waits_for_merge(const struct recorder *r, const struct task *t)
{
	for (size_t i = 0; i < r->groups.len; i++)
		for (size_t k = 0; k < r->groups.v[i]->wanted.len; k++)
			if (r->groups.v[i]->wanted.v[k] == t)
				return true;
	return false;
}

static int
bring_together(struct recorder *r, struct task *t, const struct ident *id,
	       bool writes, struct err *err)
{
	struct group *g;
	int ret;

	while ((g = foreign_group(r, t, id, writes)) != NULL) {
		struct task *other;

		agent_close_group(r, g);
		other = g->runner;

		if (other != NULL && waits_for_merge(r, other)) {
			ask_again(r, other);
		} else if (other != NULL && other->call.active &&
			   other->stop.kind == STOP_NONE) {
			ret = block_in_call(r, other, err);
			if (ret < 0)
				return ret;
		} else if (other != NULL) {
			vec_push(&g->wanted, t);
			if (g->runner != NULL)
				agent_break(g->runner);
			return 1;
		}
		merge(r, task_group(t), g);
	}
	return 0;
}

/* Which descriptor's file the call changes, -1 = none. */
static int
written_fd(const struct task *t)
{
	const uint64_t *a = t->call.sc.args;

	switch (t->call.sc.nr) {
	case SYS_write:
	case SYS_writev:
	case SYS_pwrite64:
	case SYS_pwritev:
	case SYS_pwritev2:
	case SYS_ftruncate:
	case SYS_fallocate:
	case SYS_sendfile:
		return (int)a[0];
	case SYS_copy_file_range:
	case SYS_splice:
		return (int)a[2];
	}
	return -1;
}

int
shared_enter(struct recorder *r, struct task *t, struct err *err)
{
	const uint64_t *a = t->call.sc.args;
	struct ident id;
	int fd = written_fd(t);
	int ret;

	if (fd >= 0)
		return any_mapping(r) && fd_inode(t, fd, &id) ?
			       bring_together(r, t, &id, true, err) :
			       0;
	if (t->call.sc.nr == SYS_mmap &&
	    !(a[3] & (MAP_ANONYMOUS | MAP_DENYWRITE)))
		agent_no_writes(r);
	if (t->call.sc.nr == SYS_mmap && !(a[3] & MAP_SHARED))
		return 0;
	if (!call_ident(t, &id))
		return 0;
	ret = bring_together(r, t, &id, id.may_write, err);
	if (ret == 0)
		set_mapping(t, &id);
	return ret;
}

/* --- files that are written under their mappings ------------------------ */

/* The part of the file that the call has changed: [*from, *to). */
static void
written_range(const struct task *t, int fd, uint64_t *from, uint64_t *to)
{
	const struct sys_call *c = &t->call.sc;
	char path[64];

	*from = 0;
	*to = ~0ull;
	if (c->nr == SYS_pwrite64 || c->nr == SYS_pwritev) {
		*from = c->args[3];
		*to = *from + (uint64_t)c->ret;
	}
	if (c->nr != SYS_write && c->nr != SYS_writev)
		return;
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", t->tid, fd);
	if (fd_read_number(path, "pos:", 10, to))
		*from = *to - (uint64_t)c->ret;
}

/* Some task whose number stands for the space. */
static uint32_t
task_of(const struct recorder *r, const struct space *s)
{
	size_t it = 0;
	uint64_t tid;
	void *p;

	while (map_next(&r->tasks, &it, &tid, &p)) {
		const struct task *t = p;

		if (t->proc != NULL && t->proc->space == s && t->number != 0)
			return t->number;
	}
	return 0;
}

/* What the mapping shows of [from, to) of its file, as a memory item. */
static void
put_written(struct recorder *r, const struct task *t, const struct space *s,
	    const struct shmap *m, uint64_t from, uint64_t to)
{
	uint64_t end = m->offset + m->len, len;
	ssize_t got;
	void *bytes;

	if (from < m->offset)
		from = m->offset;
	if (to > end)
		to = end;
	if (from >= to)
		return;
	len = to - from;
	if (len > WRITTEN_MAX) {
		warn(r, t, WARN_LOST, t->call.sc.nr,
		     "a call changed more of a mapped file than is recorded");
		len = WRITTEN_MAX;
	}
	bytes = arena_alloc(&r->arena, len);
	/* Short where the file ends. A shared object ends there in replay, too;
	 * of a private mapping the pages that were cut off are gone. */
	got = mem_read(&s->mem, m->start + from - m->offset, bytes, len);
	if (got < 0)
		got = 0;
	if (!m->shared)
		got = (ssize_t)len;
	if (got > 0)
		item_put_mem_task(&r->items, task_of(r, s),
				  m->start + from - m->offset,
				  span_of(bytes, (size_t)got));
}

/* A mapped object has another size: MAP without a place, EVENTS.md. */
static void
put_size(struct recorder *r, uint64_t shared_id, uint64_t size)
{
	struct map_rec m = { .shared_id = shared_id, .offset = size };

	if (shared_id != 0)
		item_put_map(&r->items, &m);
}

int
shared_written(struct recorder *r, struct task *t, struct err *err)
{
	int fd = written_fd(t);
	uint64_t from, to, done = 0, sized = 0;
	struct ident id;

	if (fd < 0 || t->call.sc.ret < 0 || !any_mapping(r) ||
	    !fd_inode(t, fd, &id))
		return 0;
	written_range(t, fd, &from, &to);
	for (size_t i = 0; i < r->spaces.len; i++) {
		const struct space *s = r->spaces.v[i];

		for (size_t k = 0; k < s->shmaps.len; k++) {
			const struct shmap *m = &s->shmaps.v[k];

			if (!same_inode(m, &id))
				continue;
			if (m->shared_id != 0 && m->shared_id != sized)
				put_size(r, sized = m->shared_id, id.size);
			/* one whole view of a shared object serves all */
			if (m->shared && m->shared_id == done)
				continue;
			put_written(r, t, s, m, from, to);
			if (m->shared && m->offset <= from &&
			    m->offset + m->len >= to)
				done = m->shared_id;
		}
	}
	return 0;
}

void
shared_reverted(struct recorder *r, struct task *t, uint64_t start,
		uint64_t len)
{
	const struct space *s = task_space(t);

	for (size_t i = 0; i < s->shmaps.len; i++) {
		const struct shmap *m = &s->shmaps.v[i];
		uint64_t from = start > m->start ? start : m->start;
		uint64_t to = start + len < m->start + m->len ?
				      start + len :
				      m->start + m->len;

		if (!m->shared && from < to)
			put_written(r, t, s, m, m->offset + (from - m->start),
				    m->offset + (to - m->start));
	}
}
