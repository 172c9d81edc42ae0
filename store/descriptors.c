#include "store/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/arena.h"
#include "base/mem.h"
#include "event/facts.h"
#include "event/item.h"
#include "event/sys.h"

#define FD_LIMIT 65536 /* higher ones are not followed */
#define FIOCLEX_ 0x5451
#define FIONCLEX_ 0x5450

static const char how_start[] = "start", how_fork[] = "fork",
		  how_open[] = "open", how_dup[] = "dup", how_recv[] = "recv",
		  by_close[] = "close", by_dup[] = "dup", by_exec[] = "exec",
		  by_exit[] = "exit", kind_file[] = "file", kind_dir[] = "dir",
		  kind_pipe[] = "pipe", kind_socket[] = "socket",
		  kind_tty[] = "tty", kind_device[] = "device",
		  kind_anon[] = "anon";

const char *
intervals_word(const char *text)
{
	static const char *const words[] = {
		how_start, how_fork,	how_open, how_dup,     how_recv,
		by_close,  by_exec,	by_exit,  kind_file,   kind_dir,
		kind_pipe, kind_socket, kind_tty, kind_device, kind_anon,
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(words[i], text) == 0)
			return words[i];
	}
	return "";
}

/* ---- open files */

static bool
begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* From what /proc/PID/fd shows, or a path. */
static const char *
kind_of(const char *name)
{
	if (begins(name, "pipe:"))
		return kind_pipe;
	if (begins(name, "socket:"))
		return kind_socket;
	if (begins(name, "anon_inode:"))
		return kind_anon;
	if (begins(name, "/dev/pts/") || begins(name, "/dev/tty") ||
	    begins(name, "/dev/console"))
		return kind_tty;
	if (begins(name, "/dev/") && !begins(name, "/dev/shm/"))
		return kind_device;
	return kind_file;
}

void
intervals_add_open_file(struct intervals *iv, struct open_file_iv *row)
{
	vec_push(&iv->open_files, row);
	map_set(&iv->by_file, row->file, row);
	if (row->file > iv->last_file)
		iv->last_file = row->file;
}

static struct open_file_iv *
new_file(struct intervals *iv, const struct event *ev, uint32_t process,
	 const char *kind, char *name)
{
	struct open_file_iv *f = mem_zalloc(sizeof(*f));

	f->file = iv->last_file + 1;
	f->process = process;
	f->from_seq = ev->seq;
	f->kind = kind;
	f->name = name;
	intervals_add_open_file(iv, f);
	return f;
}

static struct open_file_iv *
file_of(struct intervals *iv, const struct descriptor_iv *d)
{
	return d ? map_get(&iv->by_file, d->file) : NULL;
}

/* ---- descriptors */

static struct descriptor_iv *
find_fd(const struct proc *p, int fd)
{
	if (fd < 0 || (size_t)fd >= p->fds.len)
		return NULL;
	return p->fds.v[fd];
}

void
intervals_add_descriptor(struct intervals *iv, struct descriptor_iv *row)
{
	struct proc *p = map_get(&iv->by_process, row->process);
	struct open_file_iv *f = file_of(iv, row);

	vec_push(&iv->descriptors, row);
	if (f)
		f->refs++;
	if (!p)
		return;
	while (p->fds.len <= (size_t)row->fd)
		vec_push(&p->fds, NULL);
	p->fds.v[row->fd] = row;
}

static void
close_fd(struct intervals *iv, struct proc *p, int fd, uint64_t seq,
	 const char *by)
{
	struct descriptor_iv *d = find_fd(p, fd);
	struct open_file_iv *f = file_of(iv, d);

	if (!d)
		return;
	d->to_seq = seq;
	d->closed_by = by;
	p->fds.v[fd] = NULL;
	if (f)
		f->refs--;
}

static void
open_fd(struct intervals *iv, struct proc *p, int fd, uint64_t seq,
	uint32_t file, const char *how, bool cloexec)
{
	struct descriptor_iv *d;

	if (fd < 0 || fd >= FD_LIMIT)
		return;
	close_fd(iv, p, fd, seq, by_close);
	d = mem_zalloc(sizeof(*d));
	d->process = p->row->process;
	d->fd = fd;
	d->file = file;
	d->from_seq = seq;
	d->how = how;
	d->cloexec = cloexec;
	intervals_add_descriptor(iv, d);
}

void
descriptors_inherit(struct intervals *iv, const struct proc *from,
		    struct proc *to, uint64_t seq)
{
	for (size_t i = 0; from && i < from->fds.len; i++) {
		const struct descriptor_iv *d = from->fds.v[i];

		if (d)
			open_fd(iv, to, d->fd, seq, d->file,
				from->row->process ? how_fork : how_start,
				d->cloexec);
	}
}

void
descriptors_exec(struct intervals *iv, struct proc *p, uint64_t seq)
{
	for (size_t i = 0; i < p->fds.len; i++) {
		if (p->fds.v[i] && p->fds.v[i]->cloexec)
			close_fd(iv, p, (int)i, seq, by_exec);
	}
}

void
descriptors_exit(struct intervals *iv, struct proc *p, uint64_t seq)
{
	for (size_t i = 0; i < p->fds.len; i++)
		close_fd(iv, p, (int)i, seq, by_exit);
	vec_free(&p->fds);
}

/* ---- calls */

bool
descriptors_want(int call)
{
	const struct sys_desc *d = sys_desc(call);

	if (d->flags & (SYSF_FD | SYSF_RET_FD))
		return true;
	switch (call) {
	case SYS_connect:
	case SYS_bind:
	case SYS_fcntl:
	case SYS_ioctl:
	case SYS_getsockname:
	case SYS_getpeername:
		return true;
	}
	return false;
}

/* Was the new descriptor asked to be closed on exec? */
static bool
asks_cloexec(const struct event *ev)
{
	const uint64_t *a = ev->args;

	switch (ev->call) {
	case SYS_open:
	case SYS_pipe2:
	case SYS_eventfd2:
	case SYS_timerfd_create:
	case SYS_memfd_create:
	case SYS_fanotify_init:
		return ev->call == SYS_memfd_create ? a[1] & 1
						    : (a[1] & O_CLOEXEC) != 0;
	case SYS_openat:
	case SYS_dup3:
		return (a[2] & O_CLOEXEC) != 0;
	case SYS_socket:
	case SYS_socketpair:
		return (a[1] & SOCK_CLOEXEC) != 0;
	case SYS_accept4:
	case SYS_signalfd4:
		return (a[3] & O_CLOEXEC) != 0;
	case SYS_epoll_create1:
	case SYS_inotify_init1:
		return (a[0] & O_CLOEXEC) != 0;
	case SYS_fcntl:
		return a[1] == F_DUPFD_CLOEXEC;
	case SYS_pidfd_open:
	case SYS_pidfd_getfd:
		return true;
	}
	return false;
}

/* What the descriptor refers to: as the recorder saw it, else as it was
 * opened. */
static char *
name_of(const struct event *ev, int fd, const struct facts *f)
{
	struct item it;

	if (item_find(ev->payload, ITEM_FD, (uint64_t)fd, &it))
		return mem_printf("%.*s", (int)it.bytes.len,
				  (const char *)it.bytes.p);
	if (f->path.len)
		return mem_printf("%.*s", (int)f->path.len,
				  (const char *)f->path.p);
	switch (ev->call) {
	case SYS_socket:
	case SYS_socketpair:
	case SYS_accept:
	case SYS_accept4:
		return mem_strdup("socket:");
	case SYS_pipe:
	case SYS_pipe2:
		return mem_strdup("pipe:");
	}
	return mem_printf("anon_inode:%s", sys_name(ev->call));
}

static struct open_file_iv *
open_new(struct intervals *iv, struct proc *p, const struct event *ev, int fd,
	 const struct facts *facts, const char *how)
{
	char *name = name_of(ev, fd, facts);
	const char *kind = kind_of(name);
	struct open_file_iv *f;

	if (kind == kind_file &&
	    ((ev->call == SYS_openat && (ev->args[2] & O_DIRECTORY)) ||
	     (ev->call == SYS_open && (ev->args[1] & O_DIRECTORY))))
		kind = kind_dir;
	f = new_file(iv, ev, p->row->process, kind, name);
	open_fd(iv, p, fd, ev->seq, f->file, how, asks_cloexec(ev));
	return f;
}

/* Two numbers in memory: pipe, socketpair. */
static void
open_pair(struct intervals *iv, struct proc *p, const struct event *ev,
	  uint64_t addr, const struct facts *facts)
{
	struct item_reader ir;
	struct item it;
	int fds[2];

	item_reader_init(&ir, ev->payload);
	while (item_next(&ir, &it, NULL) > 0) {
		if (it.kind != ITEM_MEM || it.addr != addr ||
		    it.bytes.len != sizeof(fds))
			continue;
		memcpy(fds, it.bytes.p, sizeof(fds));
		open_new(iv, p, ev, fds[0], facts, how_open);
		open_new(iv, p, ev, fds[1], facts, how_open);
	}
}

static void
dup_fd(struct intervals *iv, struct proc *p, const struct event *ev, int from,
       int to)
{
	const struct descriptor_iv *d = find_fd(p, from);

	if (from == to)
		return;
	close_fd(iv, p, to, ev->seq, by_dup);
	if (d)
		open_fd(iv, p, to, ev->seq, d->file, how_dup, asks_cloexec(ev));
}

static void
set_cloexec(struct proc *p, int fd, bool on)
{
	struct descriptor_iv *d = find_fd(p, fd);

	if (d)
		d->cloexec = on;
}

static void
on_close_range(struct intervals *iv, struct proc *p, const struct event *ev)
{
	for (uint64_t fd = ev->args[0]; fd <= ev->args[1] && fd < p->fds.len;
	     fd++) {
		if (ev->args[2] & 4) /* CLOSE_RANGE_CLOEXEC */
			set_cloexec(p, (int)fd, true);
		else
			close_fd(iv, p, (int)fd, ev->seq, by_close);
	}
}

static void
on_fcntl(struct intervals *iv, struct proc *p, const struct event *ev)
{
	switch (ev->args[1]) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		dup_fd(iv, p, ev, (int)ev->args[0], (int)ev->ret);
		break;
	case F_SETFD:
		set_cloexec(p, (int)ev->args[0], ev->args[2] & FD_CLOEXEC);
		break;
	}
}

static void
set_address(struct open_file_iv *f, char **which, struct span addr)
{
	if (!f || addr.len == 0)
		return;
	mem_free(*which);
	*which = mem_printf("%.*s", (int)addr.len, (const char *)addr.p);
}

static void
on_accept(struct intervals *iv, struct proc *p, const struct event *ev,
	  const struct facts *facts)
{
	struct open_file_iv *server = file_of(iv, find_fd(p, (int)ev->args[0]));
	struct open_file_iv *f;

	f = open_new(iv, p, ev, (int)ev->ret, facts, how_open);
	set_address(f, &f->peer, facts->addr);
	if (server && server->local)
		f->local = mem_strdup(server->local);
}

/* Descriptors that came otherwise, with a message say: the recorder names
 * them. */
static void
open_named(struct intervals *iv, struct proc *p, const struct event *ev,
	   const struct facts *facts)
{
	bool received = ev->call == SYS_recvmsg || ev->call == SYS_recvmmsg;
	const struct descriptor_iv *d;
	struct item_reader ir;
	struct item it;

	item_reader_init(&ir, ev->payload);
	while (item_next(&ir, &it, NULL) > 0) {
		if (it.kind != ITEM_FD)
			continue;
		d = find_fd(p, (int)it.num);
		if (!d || d->from_seq != ev->seq)
			open_new(iv, p, ev, (int)it.num, facts,
				 received ? how_recv : how_open);
	}
}

/* Calls that name a socket's ends. */
static void
on_address(struct intervals *iv, struct proc *p, const struct event *ev,
	   const struct facts *facts)
{
	struct open_file_iv *f = file_of(iv, find_fd(p, (int)ev->args[0]));

	if (!f)
		return;
	if (ev->call == SYS_bind || ev->call == SYS_getsockname)
		set_address(f, &f->local, facts->addr);
	else
		set_address(f, &f->peer, facts->addr);
}

static void
on_success(struct intervals *iv, struct proc *p, const struct event *ev,
	   const struct facts *facts)
{
	const struct sys_desc *d = sys_desc(ev->call);

	switch (ev->call) {
	case SYS_dup:
	case SYS_dup2:
	case SYS_dup3:
		dup_fd(iv, p, ev, (int)ev->args[0], (int)ev->ret);
		break;
	case SYS_close_range:
		on_close_range(iv, p, ev);
		break;
	case SYS_fcntl:
		on_fcntl(iv, p, ev);
		break;
	case SYS_ioctl:
		if (ev->args[1] == FIOCLEX_ || ev->args[1] == FIONCLEX_)
			set_cloexec(p, (int)ev->args[0],
				    ev->args[1] == FIOCLEX_);
		break;
	case SYS_pipe:
	case SYS_pipe2:
		open_pair(iv, p, ev, ev->args[0], facts);
		break;
	case SYS_socketpair:
		open_pair(iv, p, ev, ev->args[3], facts);
		break;
	case SYS_accept:
	case SYS_accept4:
		on_accept(iv, p, ev, facts);
		break;
	case SYS_bind:
	case SYS_connect:
	case SYS_getsockname:
	case SYS_getpeername:
		on_address(iv, p, ev, facts);
		break;
	case SYS_close:
		close_fd(iv, p, (int)ev->args[0], ev->seq, by_close);
		break;
	default:
		if (d->flags & SYSF_RET_FD)
			open_new(iv, p, ev, (int)ev->ret, facts, how_open);
	}
}

void
descriptors_call(struct intervals *iv, const struct event *ev)
{
	struct proc *p = intervals_proc(iv, ev->task);
	struct arena a = { 0 };
	struct facts facts;

	if (!p)
		return;
	facts_of(ev, NULL, &a, &facts);
	/* Linux has closed it, whatever close says but that there was none. */
	if (ev->call == SYS_close && facts.error && facts.error != EBADF)
		close_fd(iv, p, (int)ev->args[0], ev->seq, by_close);
	else if (ev->call == SYS_connect && facts.error == EINPROGRESS)
		on_address(iv, p, ev, &facts);
	else if (!(ev->flags & EVF_ERROR))
		on_success(iv, p, ev, &facts);
	open_named(iv, p, ev, &facts);
	arena_free(&a);
}

/* What the command finds open. They hang on a process that is none, number 0,
 * from which the first one inherits. */
void
descriptors_start(struct intervals *iv, const struct event *header)
{
	struct process_iv *none = mem_zalloc(sizeof(*none));
	struct facts facts = { .fd = -1 };
	struct item_reader ir;
	struct item it;
	struct proc *p;

	intervals_add_process(iv, none);
	p = map_get(&iv->by_process, 0);
	item_reader_init(&ir, header->payload);
	while (item_next(&ir, &it, NULL) > 0) {
		if (it.kind == ITEM_FD)
			open_new(iv, p, header, (int)it.num, &facts, how_start);
	}
}
