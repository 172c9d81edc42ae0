/*
 * What the program wrote to the outputs it was started with. Descriptors of
 * each process are followed as far as they lead there; the bytes come from the
 * puppet's own memory, which is the proof that replay computed them again.
 */
#include "replayer/internal.h"

#include "base/mem.h"
#include "event/sys.h"
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define IOV_COUNT_MAX 1024u
#define MMSGHDR_LEN 64u /* struct mmsghdr: a msghdr, */
#define MSG_LEN_AT 56u	/* and how much of it was sent */

/* ---- which descriptor leads where */

/* Names under which the very same open file can be met again. */
static bool
is_stream(const char *name)
{
	static const char *const prefix[] = { "pipe:[", "socket:[", "/dev/pts/",
					      "/dev/tty", "/dev/console" };

	for (size_t i = 0; name && i < ARRAY_LEN(prefix); i++) {
		if (strncmp(name, prefix[i], strlen(prefix[i])) == 0)
			return true;
	}
	return false;
}

static bool
is_tty(const char *name)
{
	return is_stream(name) && name[0] == '/';
}

/* The output that a newly opened thing of this name is; 0 = none. */
static int
origin_of_name(const struct replayer *r, const char *name)
{
	if (!is_stream(name))
		return 0;
	for (int fd = 1; fd <= 2; fd++) {
		if (r->out_name[fd] && strcmp(r->out_name[fd], name) == 0)
			return fd;
		if (strcmp(name, "/dev/tty") == 0 && is_tty(r->out_name[fd]))
			return fd;
	}
	/* A terminal that is input only still shows what is written to it. */
	if (is_tty(name) && r->out_name[0] && strcmp(r->out_name[0], name) == 0)
		return 1;
	return 0;
}

static struct fd_origin *
fdtab_find(struct fdtab *t, int fd)
{
	for (size_t i = 0; i < t->v.len; i++) {
		if (t->v.v[i].fd == fd)
			return &t->v.v[i];
	}
	return NULL;
}

static void
fdtab_remove(struct fdtab *t, int fd)
{
	for (size_t i = t->v.len; i-- > 0;) {
		if (t->v.v[i].fd == fd)
			vec_swap_remove(&t->v, i);
	}
}

static void
fdtab_set(struct fdtab *t, int fd, int origin, bool cloexec)
{
	struct fd_origin o = { .fd = fd, .origin = origin, .cloexec = cloexec };

	fdtab_remove(t, fd);
	if (origin)
		vec_push(&t->v, o);
}

void
fdtab_start(struct replayer *r, struct fdtab *t)
{
	bool told = r->out_name[0] || r->out_name[1] || r->out_name[2];

	for (int fd = 1; fd <= 2; fd++) {
		if (!told || r->out_name[fd])
			fdtab_set(t, fd, fd, false);
	}
	fdtab_set(t, 0, origin_of_name(r, r->out_name[0]), false);
}

struct fdtab *
fdtab_copy(const struct fdtab *t)
{
	struct fdtab *new = mem_zalloc(sizeof(*new));

	new->users = 1;
	for (size_t i = 0; i < t->v.len; i++)
		vec_push(&new->v, t->v.v[i]);
	return new;
}

void
fdtab_release(struct fdtab *t)
{
	if (!t || --t->users > 0)
		return;
	vec_free(&t->v);
	mem_free(t);
}

static void
unshare_fds(struct puppet *p)
{
	struct fdtab *old = p->fds;

	if (old->users == 1)
		return;
	p->fds = fdtab_copy(old);
	old->users--;
}

void
fdtab_exec(struct puppet *p)
{
	unshare_fds(p);
	for (size_t i = p->fds->v.len; i-- > 0;) {
		if (p->fds->v.v[i].cloexec)
			vec_swap_remove(&p->fds->v, i);
	}
}

static void
track_dup(struct puppet *p, int old, int new, bool cloexec)
{
	const struct fd_origin *o = fdtab_find(p->fds, old);

	if (old != new)
		fdtab_set(p->fds, new, o ? o->origin : 0, cloexec);
}

static void
track_cloexec(struct puppet *p, int fd, bool on)
{
	struct fd_origin *o = fdtab_find(p->fds, fd);

	if (o)
		o->cloexec = on;
}

static void
track_fcntl(struct puppet *p, const struct event *ev)
{
	int fd = (int)ev->args[0];

	if (ev->args[1] == F_DUPFD || ev->args[1] == F_DUPFD_CLOEXEC)
		track_dup(p, fd, (int)ev->ret, ev->args[1] == F_DUPFD_CLOEXEC);
	else if (ev->args[1] == F_SETFD)
		track_cloexec(p, fd, ev->args[2] & FD_CLOEXEC);
}

static void
track_close_range(struct puppet *p, const struct event *ev)
{
	unsigned from = (unsigned)ev->args[0], to = (unsigned)ev->args[1];

	if (ev->args[2] & CLOSE_RANGE_UNSHARE)
		unshare_fds(p);
	for (size_t i = p->fds->v.len; i-- > 0;) {
		struct fd_origin *o = &p->fds->v.v[i];

		if ((unsigned)o->fd < from || (unsigned)o->fd > to)
			continue;
		if (ev->args[2] & CLOSE_RANGE_CLOEXEC)
			o->cloexec = true;
		else
			vec_swap_remove(&p->fds->v, i);
	}
}

/* The descriptor that "/dev/stdout", "/proc/self/fd/1" and the like name. */
static int
fd_of_path(struct span path)
{
	static const char *const dirs[] = { "/dev/fd/", "/proc/self/fd/" };
	char text[32] = { 0 };

	if (path.len >= sizeof(text))
		return -1;
	memcpy(text, path.p, path.len);
	if (strcmp(text, "/dev/stdout") == 0)
		return 1;
	if (strcmp(text, "/dev/stderr") == 0)
		return 2;
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		size_t n = strlen(dirs[i]);
		char *end;
		long fd;

		if (strncmp(text, dirs[i], n) != 0 || !text[n])
			continue;
		fd = strtol(text + n, &end, 10);
		return *end || fd < 0 || fd > INT32_MAX ? -1 : (int)fd;
	}
	return -1;
}

/* A regular file is opened anew by that, but people mean their output. */
static void
track_open(struct puppet *p, const struct event *ev, uint64_t path_arg)
{
	struct item it;
	int fd;

	if (!item_find(ev->payload, ITEM_IN, path_arg, &it))
		return;
	fd = fd_of_path(it.bytes);
	if (fd >= 0)
		track_dup(p, fd, (int)ev->ret, false);
}

/* What the recorder says about new descriptors. */
static void
track_items(struct replayer *r, struct puppet *p, const struct event *ev)
{
	struct item_reader ir;
	struct item it;

	item_reader_init(&ir, ev->payload);
	while (item_next(&ir, &it, NULL) > 0) {
		char *name;

		if (it.kind != ITEM_FD || fdtab_find(p->fds, (int)it.num))
			continue;
		name = mem_printf("%.*s", (int)it.bytes.len, it.bytes.p);
		fdtab_set(p->fds, (int)it.num, origin_of_name(r, name), false);
		mem_free(name);
	}
}

void
output_track(struct replayer *r, struct puppet *p, const struct event *ev)
{
	if (ev->call == SYS_close) { /* gone even when it failed */
		fdtab_remove(p->fds, (int)ev->args[0]);
		return;
	}
	if (ev->ret < 0)
		return;
	switch (ev->call) {
	case SYS_dup:
	case SYS_dup2:
		track_dup(p, (int)ev->args[0], (int)ev->ret, false);
		break;
	case SYS_dup3:
		track_dup(p, (int)ev->args[0], (int)ev->ret,
			  ev->args[2] & O_CLOEXEC);
		break;
	case SYS_fcntl:
		track_fcntl(p, ev);
		break;
	case SYS_ioctl:
		if (ev->args[1] == FIOCLEX || ev->args[1] == FIONCLEX)
			track_cloexec(p, (int)ev->args[0],
				      ev->args[1] == FIOCLEX);
		break;
	case SYS_close_range:
		track_close_range(p, ev);
		break;
	case SYS_open:
	case SYS_creat:
		track_open(p, ev, 0);
		break;
	case SYS_openat:
	case SYS_openat2:
		track_open(p, ev, 1);
		break;
	case SYS_unshare:
		if (ev->args[0] & CLONE_FILES)
			unshare_fds(p);
		break;
	}
	track_items(r, p, ev);
}

/* ---- what was written */

static void
read_into(struct puppet *p, uint64_t addr, uint64_t len, struct buf *out)
{
	size_t at = out->len;
	ssize_t n = mem_read(&p->space->mem, addr, buf_grow(out, len), len);

	out->len = at + (n > 0 ? (size_t)n : 0);
}

static void
read_iov(struct puppet *p, uint64_t addr, uint64_t count, uint64_t max,
	 struct buf *out)
{
	struct iovec iov[IOV_COUNT_MAX];

	if (count > IOV_COUNT_MAX ||
	    mem_read_all(&p->space->mem, addr, iov, count * sizeof(iov[0])) < 0)
		return;
	for (uint64_t i = 0; i < count && out->len < max; i++) {
		uint64_t len = iov[i].iov_len;

		if (len > max - out->len)
			len = max - out->len;
		read_into(p, (uint64_t)(uintptr_t)iov[i].iov_base, len, out);
	}
}

/* At most max bytes of what the call writes, as memory has them now. */
static void
read_written(struct puppet *p, const struct event *ev, uint64_t max,
	     struct buf *out)
{
	uint64_t iov[2];

	switch (ev->call) {
	case SYS_write:
	case SYS_pwrite64:
	case SYS_sendto:
		read_into(p, ev->args[1], ev->args[2] < max ? ev->args[2] : max,
			  out);
		break;
	case SYS_writev:
	case SYS_pwritev:
	case SYS_pwritev2:
	case SYS_vmsplice:
		read_iov(p, ev->args[1], ev->args[2], max, out);
		break;
	case SYS_sendmsg: /* struct msghdr: the vector and its length */
		if (mem_read_all(&p->space->mem, ev->args[1] + 16, iov,
				 sizeof(iov)) == 0)
			read_iov(p, iov[0], iov[1], max, out);
		break;
	case SYS_sendmmsg: /* how many of them were sent the event tells */
		for (uint64_t i = 0; i < ev->args[2] && i < max; i++)
			if (mem_read_all(&p->space->mem,
					 ev->args[1] + i * MMSGHDR_LEN + 16,
					 iov, sizeof(iov)) == 0)
				read_iov(p, iov[0], iov[1], INT32_MAX, out);
		break;
	}
}

/* Of a sendmmsg the result is a number of messages: their bytes are as many as
 * the kernel put into each header (msg_len), which are items. */
static uint64_t
messages_len(const struct event *ev)
{
	struct item_reader ir;
	struct item it;
	uint64_t sum = 0;

	item_reader_init(&ir, ev->payload);
	while (item_next(&ir, &it, NULL) > 0) {
		uint64_t at = it.addr - ev->args[1];
		uint32_t len;

		if (it.kind != ITEM_MEM || it.bytes.len != sizeof(len) ||
		    at / MMSGHDR_LEN >= (uint64_t)ev->ret ||
		    at % MMSGHDR_LEN != MSG_LEN_AT)
			continue;
		memcpy(&len, it.bytes.p, sizeof(len));
		sum += len;
	}
	return sum;
}

/* Bytes that never were in the program's memory. */
static bool
is_move(int call)
{
	return call == SYS_sendfile || call == SYS_splice || call == SYS_tee ||
	       call == SYS_copy_file_range;
}

static int
written_fd(const struct event *ev)
{
	switch (ev->call) {
	case SYS_tee:
		return (int)ev->args[1];
	case SYS_splice:
	case SYS_copy_file_range:
		return (int)ev->args[2];
	}
	return (int)ev->args[0];
}

bool
output_writes(const struct puppet *p, const struct event *ev)
{
	return (sys_desc(ev->call)->flags & SYSF_WRITES_FILE) &&
	       fdtab_find(p->fds, written_fd(ev));
}

void
output_begin(struct puppet *p, const struct event *ev)
{
	/* Of a call that only begins, any length may be taken. */
	uint64_t max = ev->ret > 0 ? (uint64_t)ev->ret : 0;

	if (ev->kind == EV_enter)
		max = INT32_MAX;
	buf_clear(&p->out);
	if (max > 0 && !is_move(ev->call) &&
	    fdtab_find(p->fds, (int)ev->args[0]))
		read_written(p, ev, max, &p->out);
}

/* The bytes that the event has recorded for argument num. */
static int
recorded_bytes(struct replayer *r, const struct event *ev, uint64_t num,
	       struct buf *out, struct err *err)
{
	struct item_reader ir;
	struct span bytes;
	struct item it;
	int ret;

	item_reader_init(&ir, ev->payload);
	while ((ret = item_next(&ir, &it, err)) > 0) {
		if ((it.kind != ITEM_IN && it.kind != ITEM_IN_BLOB) ||
		    it.num != num)
			continue;
		buf_clear(&r->tmp);
		ret = source_item_bytes(r->src, &it, &r->tmp, &bytes, err);
		if (ret < 0)
			return ret;
		buf_put(out, bytes.p, bytes.len);
	}
	return ret;
}

/*
 * Compare with what the recorder saw. It looks when the call is over: if it
 * blocked, others may have changed the buffer since it took the bytes.
 */
static int
verify(struct replayer *r, struct puppet *p, const struct event *ev,
       struct span bytes, struct err *err)
{
	struct buf want = { 0 }, a = { 0 }, b = { 0 }, now = { 0 };
	size_t at = 0;
	int ret;

	if (ev->kind == EV_exit) {
		read_written(p, ev, bytes.len, &now);
		bytes = buf_span(&now);
	}
	ret = recorded_bytes(r, ev, 1, &want, err);
	if (ret < 0 || want.len != bytes.len || span_eq(buf_span(&want), bytes))
		goto out;
	while (want.p[at] == bytes.p[at])
		at++;
	buf_printf(&a, "output \"");
	buf_escape(&a, span_of(want.p + at,
			       want.len - at < 40 ? want.len - at : 40));
	buf_printf(&a, "\" %zu bytes into the write", at);
	buf_printf(&b, "\"");
	buf_escape(&b, span_of(bytes.p + at,
			       bytes.len - at < 40 ? bytes.len - at : 40));
	buf_printf(&b, "\"");
	ret = diverge(r, ev, err, buf_cstr(&a), buf_cstr(&b),
		      "memory differs, though registers agreed so far");
out:
	buf_free(&now);
	buf_free(&want);
	buf_free(&a);
	buf_free(&b);
	return ret;
}

static int
print_moved(struct replayer *r, const struct event *ev,
	    const struct fd_origin *o, struct err *err)
{
	struct buf bytes = { 0 };
	int ret = recorded_bytes(r, ev, SYS_IN_MOVED, &bytes, err);

	if (ret == 0 && bytes.len > 0)
		r->opts.output(r->opts.output_ctx, ev, o->origin,
			       buf_span(&bytes));
	buf_free(&bytes);
	return ret;
}

int
output_end(struct replayer *r, struct puppet *p, const struct event *ev,
	   struct err *err)
{
	const struct fd_origin *o = NULL;
	struct span bytes;
	int ret = 0;

	if (p->out.len > 0 || is_move(ev->call))
		o = fdtab_find(p->fds, written_fd(ev));
	if (is_move(ev->call))
		return o && ev->ret > 0 && r->opts.output && !r->quiet
			       ? print_moved(r, ev, o, err)
			       : 0;
	bytes = buf_span(&p->out);
	if (ev->ret > 0 && o) {
		uint64_t len = (uint64_t)ev->ret;

		if (ev->call == SYS_sendmmsg)
			len = messages_len(ev);
		if (len < bytes.len)
			bytes.len = (size_t)len;
		if (r->opts.verify_output)
			ret = verify(r, p, ev, bytes, err);
		if (ret == 0 && r->opts.output && !r->quiet)
			r->opts.output(r->opts.output_ctx, ev, o->origin,
				       bytes);
	}
	buf_clear(&p->out);
	return ret;
}
