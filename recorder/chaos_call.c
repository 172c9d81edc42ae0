/*
 * What calls are asked for and answer. The kernel may be asked for less than
 * the program asked for (struct call's given): what it says then is recorded
 * like any answer.
 */
#include "recorder/chaos_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "recorder/engine.h"
#include "recorder/sched.h"
#include "recorder/task.h"

#define MOVE_PERCENT 20u
#define EINTR_PERCENT 5u
#define SHORT_PERCENT 15u
#define WHOLE_MAX 16u /* numbers and tokens, which were written in one go */
/* Where sanitizers allow mappings, too, and above all that is 32 bits. */
#define MOVE_FROM 0x7e8000000000ull
#define MOVE_TO 0x7f0000000000ull
#define MOVE_LEN_MAX (1ull << 36)
#define PAGE_BITS 12u
/* Of libraries: SIGCANCEL, SIGSETXID. */
#define SIGNALS_OF_LIBC (3ull << 31)

uint64_t *
call_given(struct task *t)
{
	struct call *c = &t->call;

	if (c->given == NULL) {
		c->given = arena_alloc(&c->arena, sizeof(c->sc.args));
		memcpy(c->given, c->sc.args, sizeof(c->sc.args));
	}
	return c->given;
}

/* The program has its own arguments in the registers again at the end. */
int
call_give(struct task *t)
{
	struct regs regs = t->call.regs;

	syscall_given_args(t, &regs);
	return ptrace_set_regs(t->tid, &regs);
}

/* --- mappings ----------------------------------------------------------------
 */

/* A mapping that may be anywhere. */
static bool
may_move(const struct sys_call *sc)
{
	const uint64_t fixed =
		MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_32BIT | MAP_GROWSDOWN;

	return sc->nr == SYS_mmap && sc->args[0] == 0 &&
	       !(sc->args[3] & fixed) && sc->args[1] < MOVE_LEN_MAX;
}

static int
move(struct recorder *r, struct task *t, struct err *err)
{
	uint64_t *arg = call_given(t);
	int ret;

	arg[0] = MOVE_FROM +
		 (chaos_below(r->chaos, (MOVE_TO - MOVE_FROM) >> PAGE_BITS)
		  << PAGE_BITS);
	ret = chaos_event(r, t, CHAOS_MAP, arg[0], 0, err);
	return ret < 0 ? ret : call_give(t);
}

/* --- interruptions -----------------------------------------------------------
 */

/* Calls that Linux ends with EINTR though no handler ran, when the process was
 * stopped and continued (signal(7)), and that would wait. */
static bool
may_be_interrupted(const struct sys_call *sc)
{
	switch (sc->nr) {
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
		return (int)sc->args[3] != 0;
	case SYS_semop:
	case SYS_semtimedop:
	case SYS_rt_sigtimedwait:
		return true;
	}
	return false;
}

/* --- short reads and writes --------------------------------------------------
 */

/* MSG_ flags of a call, if it has them. */
static uint64_t
message_flags(const struct sys_call *sc)
{
	switch (sc->nr) {
	case SYS_recvfrom:
	case SYS_sendto:
		return sc->args[3];
	case SYS_recvmsg:
	case SYS_sendmsg:
		return sc->args[2];
	}
	return 0;
}

/* 1 reads, -1 writes, 0 neither; of bytes that come without borders. */
static int
direction(const struct sys_call *sc)
{
	if (message_flags(sc) & (MSG_WAITALL | MSG_OOB | MSG_EOR))
		return 0;
	switch (sc->nr) {
	case SYS_read:
	case SYS_readv:
	case SYS_preadv2:
	case SYS_recvfrom:
	case SYS_recvmsg:
		return 1;
	case SYS_write:
	case SYS_writev:
	case SYS_pwritev2:
	case SYS_sendto:
	case SYS_sendmsg:
		return -1;
	}
	return 0;
}

static bool
has_vector(const struct sys_call *sc)
{
	return sc->nr != SYS_read && sc->nr != SYS_write &&
	       sc->nr != SYS_recvfrom && sc->nr != SYS_sendto;
}

/* How many bytes a call is asked for. */
static uint64_t
offered(const struct task *t)
{
	const struct sys_call *sc = &t->call.sc;

	return has_vector(sc) ? vector_len(t) : sc->args[2];
}

/* A handler that ran in the midst of a write would have made it short. */
static bool
catches_signals(const struct task *t)
{
	char path[32], line[128];
	unsigned long long caught = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", t->tid);
	f = fopen(path, "re");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "SigCgt: %llx", &caught) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return (caught & ~SIGNALS_OF_LIBC) != 0;
}

static bool
is_stream(int fd)
{
	socklen_t len = sizeof(int);
	int type;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_STREAM;
}

/* May the kernel do a part of what it is asked for on this file? */
static bool
may_be_short(const struct task *t, int fd, uint64_t len, bool reads)
{
	bool nonblock = (message_flags(&t->call.sc) & MSG_DONTWAIT) != 0;
	int flags = fcntl(fd, F_GETFL);
	struct termios tty;
	struct stat st;

	if (flags < 0 || fstat(fd, &st) < 0)
		return false;
	nonblock |= (flags & O_NONBLOCK) != 0;
	if (S_ISFIFO(st.st_mode)) {
		if (flags & O_DIRECT) /* packets */
			return false;
		return reads ||
		       (len > PIPE_BUF && (nonblock || catches_signals(t)));
	}
	if (S_ISSOCK(st.st_mode))
		return is_stream(fd) &&
		       (reads || nonblock || catches_signals(t));
	/* Line by line they are read whole. */
	return reads && S_ISCHR(st.st_mode) && tcgetattr(fd, &tty) == 0 &&
	       !(tty.c_lflag & ICANON);
}

static int
cut(struct recorder *r, struct task *t, uint64_t len, struct err *err)
{
	const struct sys_call *sc = &t->call.sc;
	int fd = task_borrow_fd(t, sc->args[0]);
	bool may = fd >= 0 && may_be_short(t, fd, len, direction(sc) > 0);
	uint64_t part;
	int ret = VECTOR_CUT;

	fd_close(&fd);
	if (!may)
		return 0;
	part = chaos_between(r->chaos, 1, len - 1);
	if (!has_vector(sc))
		call_given(t)[2] = part;
	else
		ret = vector_cut(r, t, part, err);
	if (ret != VECTOR_CUT)
		return ret == VECTOR_AGAIN ? 1 : ret;
	ret = chaos_event(r, t, CHAOS_SHORT, len, part, err);
	return ret < 0 || t->call.given == NULL ? ret : call_give(t);
}

/* --- all ---------------------------------------------------------------------
 */

static bool
draws(const struct recorder *r, enum knob knob, unsigned percent)
{
	return chaos_has(r, knob) && chaos_chance(r->chaos, percent);
}

int
chaos_call(struct recorder *r, struct task *t, struct err *err)
{
	const struct sys_call *sc = &t->call.sc;
	int ret;

	if (r->chaos == NULL)
		return 0;
	chaos_task(r, t)->cut.n = 0;
	if (t->call.skipped || t->call.logged)
		return 0;
	if (chaos_has(r, KNOB_cpus)) {
		ret = cpus_call(r, t, err);
		if (ret != 0)
			return ret < 0 ? ret : 0;
	}
	if (may_move(sc) && draws(r, KNOB_maps, MOVE_PERCENT))
		return move(r, t, err);
	if (direction(sc) != 0 && draws(r, KNOB_short, SHORT_PERCENT)) {
		uint64_t len = offered(t);

		return len > WHOLE_MAX ? cut(r, t, len, err) : 0;
	}
	if (sc->nr == SYS_futex)
		return futex_call(r, t, err);
	if (!may_be_interrupted(sc) || !draws(r, KNOB_eintr, EINTR_PERCENT))
		return 0;
	ret = chaos_event(r, t, CHAOS_EINTR, 0, 0, err);
	if (ret == 0)
		syscall_answer(t, -EINTR, false);
	return ret;
}
