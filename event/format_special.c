/* Arguments and results of calls that are many calls in one. */
#include <inttypes.h>
#include <string.h>
#include <sys/syscall.h>

#include "event/format_priv.h"
#include "event/sys_entry.h"

#define FUTEX_PRIVATE_ 0x80u
#define FUTEX_CLOCK_REALTIME_ 0x100u
#define DIRENT_NAME 19u /* of struct linux_dirent64 */
#define DIRENTS_MAX 16u /* names on a line */

enum fcntl_arg {
	FCNTL_NONE,
	FCNTL_NUMBER,
	FCNTL_FD,
	FCNTL_OPEN,
	FCNTL_LOCK,
	FCNTL_POINTER,
};

/* What the third argument of fcntl is. */
static enum fcntl_arg
fcntl_arg(uint64_t cmd)
{
	switch ((uint32_t)cmd) {
	case 1:	    /* F_GETFD */
	case 3:	    /* F_GETFL */
	case 9:	    /* F_GETOWN */
	case 0xb:   /* F_GETSIG */
	case 0x401: /* F_GETLEASE */
	case 0x408: /* F_GETPIPE_SZ */
	case 0x40a: /* F_GET_SEALS */
		return FCNTL_NONE;
	case 2: /* F_SETFD */
		return FCNTL_FD;
	case 4: /* F_SETFL */
		return FCNTL_OPEN;
	case 5: /* F_GETLK, F_SETLK, F_SETLKW and those of descriptions */
	case 6:
	case 7:
	case 0x24:
	case 0x25:
	case 0x26:
		return FCNTL_LOCK;
	case 0xf: /* F_SETOWN_EX, F_GETOWN_EX, F_GETOWNER_UIDS */
	case 0x10:
	case 0x11:
	case 0x40b: /* F_GET_RW_HINT and its like */
	case 0x40c:
	case 0x40d:
	case 0x40e:
		return FCNTL_POINTER;
	default:
		return FCNTL_NUMBER;
	}
}

static bool
lock_text(struct fmt *f, struct span s)
{
	uint16_t type, whence;
	int64_t start, len;

	if (s.len < 24)
		return false;
	memcpy(&type, s.p, 2);
	memcpy(&whence, s.p + 2, 2);
	memcpy(&start, s.p + 8, 8);
	memcpy(&len, s.p + 16, 8);
	buf_str(f->out, "{l_type=");
	fmt_enum(f, flags_flock_type, type);
	buf_str(f->out, ", l_whence=");
	fmt_enum(f, flags_seek, whence);
	buf_printf(f->out, ", l_start=%" PRId64 ", l_len=%" PRId64 "}", start,
		   len);
	return true;
}

static bool
arg_fcntl(struct fmt *f, unsigned i)
{
	const uint64_t v = f->ev->args[i];

	if (i != 2)
		return false;
	switch (fcntl_arg(f->ev->args[1])) {
	case FCNTL_FD:
		fmt_flags(f, flags_fd, v);
		return true;
	case FCNTL_OPEN:
		fmt_flags(f, flags_open, v);
		return true;
	case FCNTL_LOCK:
		return lock_text(f, fmt_arg_bytes(f->ev, i));
	case FCNTL_NUMBER:
		buf_printf(f->out, "%" PRId32, (int32_t)v);
		return true;
	case FCNTL_NONE:
	case FCNTL_POINTER:
		break;
	}
	return false;
}

static struct sys_call
as_call(const struct event *ev)
{
	struct sys_call c = { .nr = ev->call };

	memcpy(c.args, ev->args, sizeof(c.args));
	return c;
}

/* PR_SET_NAME and PR_GET_NAME have a string, others a number behind the
 * pointer. */
static bool
arg_prctl(struct fmt *f, unsigned i)
{
	struct sys_call c = as_call(f->ev);
	const struct sys_subop *op = sys_subop(&c);
	struct span s;

	if (i != 1 || !op)
		return false;
	s = fmt_arg_bytes(f->ev, i);
	if (s.len && (op->value == 15 || op->value == 16)) {
		s.len = strnlen((const char *)s.p, s.len);
		fmt_quote(f, s);
		return true;
	}
	if (op->out != OP_CONST || op->arg != i || op->size != 4 || s.len < 4)
		return false;
	return fmt_struct(f, ARG_INTS, span_of(s.p, 4), f->ev->call, i);
}

/* How many arguments of prctl and keyctl mean something: those up to the
 * output, else those that are not 0. */
static unsigned
nargs_used(const struct event *ev, const struct sys_subop *op, unsigned n)
{
	if (op && ev->call == SYS_prctl && (op->value == 15 || op->value == 16))
		return 2;
	if (op && (op->out == OP_CONST || op->out == OP_RET)) {
		n = op->arg + 1u;
		if (op->out == OP_RET && op->size >= n)
			n = op->size + 1u;
		return n;
	}
	while (n > 2 && ev->args[n - 1] == 0)
		n--;
	return n;
}

/* Outputs of ioctl requests that people know. */
static bool
arg_ioctl(struct fmt *f, unsigned i)
{
	struct sys_call c = as_call(f->ev);
	const struct sys_subop *op = sys_subop(&c);
	struct span s;

	if (i != 2 || !op || (!op->in_size && op->out != OP_CONST))
		return false;
	s = fmt_arg_bytes(f->ev, i);
	if (op->out == OP_CONST && s.len > op->size)
		s.len = op->size;
	if (op->out != OP_CONST && s.len > op->in_size)
		s.len = op->in_size;
	if (s.len == 4)
		return fmt_struct(f, ARG_INTS, s, f->ev->call, i);
	if (op->value == 0x5413 || op->value == 0x5414) { /* TIOC?WINSZ */
		uint16_t size[2];

		if (s.len < sizeof(size))
			return false;
		memcpy(size, s.p, sizeof(size));
		buf_printf(f->out, "{ws_row=%u, ws_col=%u}", size[0], size[1]);
		return true;
	}
	return false;
}

/* Names of directory entries: lengths come from the bytes. */
static bool
arg_dirents(struct fmt *f, unsigned i)
{
	struct span s = fmt_arg_bytes(f->ev, i);
	unsigned n = 0;

	if (i != 1 || f->ev->ret <= 0 || s.len == 0)
		return false;
	if (s.len > (uint64_t)f->ev->ret)
		s.len = (size_t)f->ev->ret;
	buf_str(f->out, "[");
	while (s.len > DIRENT_NAME) {
		size_t len = (size_t)(s.p[16] | s.p[17] << 8);
		const uint8_t *name = s.p + DIRENT_NAME;

		if (len <= DIRENT_NAME || len > s.len)
			break;
		if (n++ == DIRENTS_MAX) {
			buf_str(f->out, ", ...");
			break;
		}
		if (n > 1)
			buf_str(f->out, ", ");
		fmt_quote(f, span_of(name, strnlen((const char *)name,
						   len - DIRENT_NAME)));
		s = span_of(s.p + len, s.len - len);
	}
	buf_str(f->out, "]");
	return true;
}

/* Which bits an ioctl request without a name is made of. */
static void
ioctl_text(struct fmt *f, uint32_t r)
{
	static const char *const dir[] = { "_IO", "_IOW", "_IOR", "_IOWR" };

	if (r > 0xffff)
		buf_printf(f->out, "%s(%#x, %#x, %u)", dir[r >> 30],
			   r >> 8 & 0xff, r & 0xff, IOC_SIZE(r));
	else
		fmt_hex(f, r);
}

/* The operation of calls that are many in one. */
static void
arg_subop(struct fmt *f, unsigned i)
{
	struct sys_call c = as_call(f->ev);
	const char *name = sys_subop_name(&c);

	if (name)
		buf_str(f->out, name);
	else if (c.nr == SYS_ioctl)
		ioctl_text(f, (uint32_t)c.args[i]);
	else
		fmt_hex(f, (uint32_t)c.args[i]);
	if (c.nr == SYS_futex && (c.args[i] & FUTEX_PRIVATE_))
		buf_str(f->out, "|FUTEX_PRIVATE_FLAG");
	if (c.nr == SYS_futex && (c.args[i] & FUTEX_CLOCK_REALTIME_))
		buf_str(f->out, "|FUTEX_CLOCK_REALTIME");
}

static bool
arg_sockopt(struct fmt *f, unsigned i)
{
	const uint64_t v = (uint32_t)f->ev->args[i];

	if (i != 2)
		return false;
	switch ((uint32_t)f->ev->args[1]) {
	case 0:
		fmt_enum(f, flags_sockopt_ip, v);
		return true;
	case 1:
		fmt_enum(f, flags_sockopt, v);
		return true;
	case 6:
		fmt_enum(f, flags_sockopt_tcp, v);
		return true;
	case 41:
		fmt_enum(f, flags_sockopt_ip6, v);
		return true;
	default:
		return false;
	}
}

bool
fmt_special_arg(struct fmt *f, unsigned i)
{
	if ((int)i == sys_subop_arg(f->ev->call)) {
		arg_subop(f, i);
		return true;
	}
	switch (f->ev->call) {
	case SYS_fcntl:
		return arg_fcntl(f, i);
	case SYS_ioctl:
		return arg_ioctl(f, i);
	case SYS_prctl:
		return arg_prctl(f, i);
	case SYS_getdents64:
		return arg_dirents(f, i);
	case SYS_setsockopt:
	case SYS_getsockopt:
		return arg_sockopt(f, i);
	default:
		return false;
	}
}

bool
fmt_special_result(struct fmt *f)
{
	const struct event *ev = f->ev;

	if (ev->call != SYS_fcntl)
		return false;
	switch ((uint32_t)ev->args[1]) {
	case 0:	    /* F_DUPFD */
	case 0x406: /* F_DUPFD_CLOEXEC */
		fmt_fd(f, (int)ev->ret);
		return true;
	case 1: /* F_GETFD */
	case 3: /* F_GETFL */
		fmt_hex(f, (uint64_t)ev->ret);
		if (ev->ret == 0 && ev->args[1] == 1)
			return true;
		buf_str(f->out, " (");
		fmt_flags(f, ev->args[1] == 1 ? flags_fd : flags_open,
			  (uint64_t)ev->ret);
		buf_str(f->out, ")");
		return true;
	default:
		return false;
	}
}

unsigned
fmt_nargs(const struct event *ev)
{
	unsigned n = sys_desc(ev->call)->nargs;
	struct sys_call c = as_call(ev);
	const char *op = sys_subop_name(&c);

	switch (ev->call) {
	case SYS_fcntl:
		if (fcntl_arg(ev->args[1]) == FCNTL_NONE)
			n--;
		break;
	case SYS_open:
	case SYS_openat: /* a mode only for what may be made */
		if (!(ev->args[n - 2] & (0100 | 020000000)))
			n--;
		break;
	case SYS_futex:
		if (op && strncmp(op, "FUTEX_WAKE", 10) == 0 && c.args[1] != 5)
			n = strcmp(op, "FUTEX_WAKE_OP") == 0 ? 6 : 3;
		else if (op && strcmp(op, "FUTEX_WAIT") == 0)
			n = 4;
		break;
	case SYS_prctl:
	case SYS_keyctl:
		n = nargs_used(ev, sys_subop(&c), n);
		break;
	case SYS_mremap: /* the new address counts with MREMAP_FIXED */
		if (!(ev->args[3] & 6))
			n--;
		break;
	default:
		break;
	}
	return n;
}
