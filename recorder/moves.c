/*
 * Calls that move bytes to the command's outputs without the program's memory
 * ever holding them: sendfile, splice, tee, copy_file_range. What they moved is
 * recorded with their event, because replay has nowhere else to take it from.
 *
 * The kernel does not say what it moved. Of a file it can be read again, at the
 * place where it came from. Out of a pipe or a stream socket it is gone, so it
 * is looked at before: the call may then take no more than was seen. Where
 * nothing is there yet, the task waits in poll in place of the call, which is
 * issued again afterwards:
 *
 *   entry --bytes there--> the call, cut to what was seen --exit--> item
 *     |  ^
 *     |  +--ready-- issued again
 *     +--nothing yet--> poll
 *
 * Anything else (a terminal, a datagram socket) cannot be looked at: EINVAL, as
 * for a descriptor that does not support it, and programs read and write.
 *
 * Another reader of the same pipe between look and call would spoil it. Of
 * those that are recorded none moves to the same output meanwhile.
 */
#include "recorder/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "event/sys.h"
#include "recorder/task.h"

#define MOVE_MAX (1u << 20) /* bytes in one call; moving less is allowed */

enum source_kind { SOURCE_NONE, SOURCE_FILE, SOURCE_PIPE, SOURCE_STREAM };

struct move {
	uint8_t kind;	/* enum source_kind */
	uint8_t len_at; /* argument that says how much */
	bool nonblock;
	bool polls; /* it waits in poll */
	bool ready; /* regs are there */
	uint64_t fd, offset;
	uint64_t room;	  /* for a struct pollfd */
	struct regs regs; /* at the entry, scratch memory in place */
	struct span seen; /* in the call's arena */
};

/* Arguments: what it reads, where the offset is (6 = nowhere), how much, flags.
 */
static bool
shape_of(int nr, int *in, int *off, int *len, int *flags)
{
	*off = *flags = 6;
	switch (nr) {
	case SYS_sendfile:
		*in = 1;
		*off = 2;
		*len = 3;
		return true;
	case SYS_tee:
		*in = 0;
		*len = 2;
		*flags = 3;
		return true;
	case SYS_splice:
		*in = 0;
		*off = 1;
		*len = 4;
		*flags = 5;
		return true;
	case SYS_copy_file_range:
		*in = 0;
		*off = 1;
		*len = 4;
		return true;
	}
	return false;
}

static enum source_kind
kind_of(int fd)
{
	socklen_t len = sizeof(int);
	struct stat st;
	int type = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return SOURCE_NONE;
	if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))
		return SOURCE_FILE;
	if (S_ISFIFO(st.st_mode))
		return SOURCE_PIPE;
	if (S_ISSOCK(st.st_mode) &&
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	    type == SOCK_STREAM)
		return SOURCE_STREAM;
	return SOURCE_NONE;
}

static bool
find_offset(struct task *t, struct move *m, int fd, int off)
{
	uint64_t at = off < 6 ? t->call.sc.args[off] : 0;
	off_t now;

	if (at != 0)
		return mem_read_all(&task_space(t)->mem, at, &m->offset,
				    sizeof(m->offset)) == 0;
	now = lseek(fd, 0, SEEK_CUR);
	m->offset = (uint64_t)now;
	return now >= 0;
}

bool
moves_set_up(struct recorder *r, struct task *t)
{
	struct call *c = &t->call;
	int in, off, len, flags, fd;
	struct move *m;

	if (!shape_of(c->sc.nr, &in, &off, &len, &flags) ||
	    !outputs_is_ours(r, t))
		return true;
	m = arena_alloc(&c->arena, sizeof(*m));
	*m = (struct move){ .fd = c->sc.args[in], .len_at = (uint8_t)len };
	fd = task_borrow_fd(t, m->fd);
	m->kind = (uint8_t)kind_of(fd);
	if (m->kind == SOURCE_FILE && !find_offset(t, m, fd, off))
		m->kind = SOURCE_NONE;
	if (m->kind == SOURCE_PIPE || m->kind == SOURCE_STREAM)
		m->nonblock =
			(fcntl(fd, F_GETFL) & O_NONBLOCK) ||
			(flags < 6 && (c->sc.args[flags] & SPLICE_F_NONBLOCK));
	fd_close(&fd);
	if (m->kind == SOURCE_NONE)
		return false;
	c->move = m;
	return true;
}

int
moves_room(struct recorder *r, struct task *t, struct err *err)
{
	struct move *m = t->call.move;

	if (m->kind == SOURCE_FILE || m->room != 0)
		return 0;
	return scratch_room(r, t, sizeof(struct pollfd), &m->room, err);
}

/* The first bytes of what is in the pipe, which keeps them. */
static ssize_t
peek_pipe(int fd, uint8_t *p, size_t n)
{
	int own[2];
	ssize_t got;

	if (pipe2(own, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	(void)fcntl(own[1], F_SETPIPE_SZ, MOVE_MAX);
	got = tee(fd, own[1], n, SPLICE_F_NONBLOCK);
	if (got > 0)
		got = read(own[0], p, (size_t)got);
	got = got < 0 ? -errno : got;
	fd_close(&own[0]);
	fd_close(&own[1]);
	return got;
}

/* Bytes that are there, 0 at the end, -EAGAIN: none yet. */
static ssize_t
look(struct task *t, struct move *m, size_t want)
{
	uint8_t *p = arena_alloc(&t->call.arena, want + 1);
	int fd = task_borrow_fd(t, m->fd);
	ssize_t n = -EBADF;

	if (fd >= 0 && m->kind == SOURCE_PIPE) {
		n = peek_pipe(fd, p, want);
	} else if (fd >= 0) {
		n = recv(fd, p, want, MSG_PEEK | MSG_DONTWAIT);
		n = n < 0 ? -errno : n;
	}
	fd_close(&fd);
	m->seen = span_of(p, n > 0 ? (size_t)n : 0);
	return n;
}

/* In place of the call: poll(2) on its source. */
static int
wait_for_bytes(struct task *t, struct move *m)
{
	struct pollfd p = { .fd = (int)m->fd, .events = POLLIN };
	struct regs regs = m->regs;
	int ret = mem_write_all(&task_space(t)->mem, m->room, &p, sizeof(p));

	if (ret < 0)
		return ret;
	outputs_leave(t); /* it may be for long */
	regs.orig_rax = SYS_poll;
	regs.rdi = m->room;
	regs.rsi = 1;
	regs.rdx = m->nonblock ? 0 : (uint64_t)-1;
	m->polls = true;
	return ptrace_set_regs(t->tid, &regs);
}

int
moves_resume(struct task *t)
{
	struct move *m = t->call.move;
	struct regs regs;
	uint64_t want;
	ssize_t n = 0;
	int ret = 0;

	if (!m->ready) {
		ret = ptrace_get_regs(t->tid, &m->regs);
		if (ret < 0)
			return ret;
		m->ready = true;
	}
	want = t->call.sc.args[m->len_at];
	if (want > MOVE_MAX)
		want = MOVE_MAX;
	m->polls = false;
	m->seen = (struct span){ 0 };
	if (m->kind != SOURCE_FILE && want > 0)
		n = look(t, m, (size_t)want);
	if (n == -EAGAIN && m->room != 0) {
		ret = wait_for_bytes(t, m);
		return ret < 0 ? ret : task_resume(t, PTRACE_SYSCALL, 0);
	}
	if (n > 0)
		want = (uint64_t)n;
	/* An error, or the end: the kernel says so itself. */
	regs = m->regs;
	syscall_set_arg(&regs, m->len_at, want);
	ret = ptrace_set_regs(t->tid, &regs);
	return ret < 0 ? ret : task_resume(t, PTRACE_SYSCALL, 0);
}

int
moves_exit(struct task *t, struct regs *regs)
{
	struct move *m = t->call.move;
	int ret;

	if (!m->polls)
		return 0;
	if (!m->nonblock)
		return (int64_t)regs->rax > 0;
	regs->rax = (uint64_t)-EAGAIN;
	ret = ptrace_set_regs(t->tid, regs);
	return ret < 0 ? ret : 0;
}

/* Of a file: from where it came. */
static struct span
read_again(struct task *t, struct move *m, size_t n)
{
	uint8_t *p = arena_alloc(&t->call.arena, n + 1);
	int fd = task_borrow_fd(t, m->fd);
	size_t done = 0;
	ssize_t got = 0;

	while (fd >= 0 && done < n) {
		got = pread(fd, p + done, n - done, (off_t)(m->offset + done));
		if (got <= 0)
			break;
		done += (size_t)got;
	}
	fd_close(&fd);
	return span_of(p, done);
}

struct span
moves_moved(struct task *t)
{
	struct move *m = t->call.move;
	size_t n = t->call.sc.ret > 0 ? (size_t)t->call.sc.ret : 0;

	if (m->kind == SOURCE_FILE)
		return n > 0 ? read_again(t, m, n) : (struct span){ 0 };
	return span_of(m->seen.p, n < m->seen.len ? n : m->seen.len);
}
